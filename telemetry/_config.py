"""Telemetry's settings, from arguments and from the standard `OTEL_*` variables (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ._content import DEFAULT_MAX_CHARACTERS, CaptureContent
from ._errors import ConfigurationError
from ._prices import PriceTable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from opentelemetry.sdk.trace.sampling import Sampler

    from ._content import Redact
    from ._prices import Prices

DEFAULT_MAX_OPEN_RUNS: Final = 10_000
DEFAULT_STALL_THRESHOLD: Final = 2.0

EMIT_EVENT_VARIABLE: Final = "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT"

_SAMPLER_VARIABLE: Final = "OTEL_TRACES_SAMPLER"
_SAMPLER_ARGUMENT_VARIABLE: Final = "OTEL_TRACES_SAMPLER_ARG"
_MAX_NAMES: Final = 32
_PROTOCOL: Final = "http/protobuf"
_EXPORTERS: Final = ("otlp", "console", "none")
_METRICS_EXPORTERS: Final = ("otlp", "prometheus", "console", "none")
_INTERVAL_VARIABLES: Final = ("OTEL_METRIC_EXPORT_INTERVAL", "OTEL_METRIC_EXPORT_TIMEOUT")
_RATIO_SAMPLERS: Final = ("traceidratio", "parentbased_traceidratio")
_SAMPLERS: Final = (
    "always_on",
    "always_off",
    "parentbased_always_on",
    "parentbased_always_off",
    *_RATIO_SAMPLERS,
)


class Signal(StrEnum):
    """What the standard variables name apart."""

    TRACES = "TRACES"
    METRICS = "METRICS"
    LOGS = "LOGS"

    @property
    def exporter_variable(self) -> str:
        """The variable that names the signal's exporters."""
        return f"OTEL_{self}_EXPORTER"

    def otlp_variables(self, name: str) -> tuple[str, str]:
        """Return the variables that tell *name* of the OTLP exporter: the signal's, and all's."""
        return f"OTEL_EXPORTER_OTLP_{self}_{name}", f"OTEL_EXPORTER_OTLP_{name}"


@dataclass(frozen=True, slots=True)
class TelemetryConfig:
    """What `configure` sets up; what is left out, the standard variables say.

    Args:
        service_name: of the resource; `OTEL_SERVICE_NAME`.
        endpoint: base URL of an OTLP/HTTP receiver, for example `http://localhost:4318`;
            `OTEL_EXPORTER_OTLP_ENDPOINT`. Without one nothing is sent anywhere. Log records go
            there where *log_events*, content on events or `OTEL_LOGS_EXPORTER` ask for them.
            Metrics go there too, unless the receiver takes none or `OTEL_METRICS_EXPORTER` says
            otherwise.
        headers: of each export; `OTEL_EXPORTER_OTLP_HEADERS`.
        sampler: of traces; `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`.
        capture_content: where content may go;
            `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`.
        redact: see `OpenTelemetryCallbackHandler`.
        max_content_characters: see `OpenTelemetryCallbackHandler`.
        metadata_keys: see `OpenTelemetryCallbackHandler`.
        max_open_runs: see `OpenTelemetryCallbackHandler`.
        stall_threshold: see `OpenTelemetryCallbackHandler`.
        prices: see `OpenTelemetryCallbackHandler`.
        log_events: see `OpenTelemetryCallbackHandler`.
        prometheus_port: of an endpoint where Prometheus may fetch the metrics, 0 for any that is
            free; with `OTEL_METRICS_EXPORTER=prometheus`, `OTEL_EXPORTER_PROMETHEUS_PORT` or
            9464. It needs the extra `prometheus`.
        prometheus_host: to listen on; `OTEL_EXPORTER_PROMETHEUS_HOST`, or 127.0.0.1.

    Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
    """

    service_name: str | None = None
    endpoint: str | None = None
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    sampler: Sampler | None = None
    capture_content: CaptureContent | str | None = None
    redact: Redact | None = None
    max_content_characters: int = DEFAULT_MAX_CHARACTERS
    metadata_keys: Collection[str] = ()
    max_open_runs: int = DEFAULT_MAX_OPEN_RUNS
    stall_threshold: float = DEFAULT_STALL_THRESHOLD
    prices: Prices | None = None
    log_events: bool = False
    prometheus_port: int | None = None
    prometheus_host: str | None = None


def check(config: TelemetryConfig, environ: Mapping[str, str]) -> None:
    """Check a config and the variables that fill it.

    Raises:
        ConfigurationError: a value cannot work.
    """
    if config.endpoint is not None:
        _check_endpoint("endpoint", config.endpoint)
    for signal in Signal:
        _check_signal(signal, environ)
    _check_choice(_SAMPLER_VARIABLE, environ.get(_SAMPLER_VARIABLE) or _SAMPLERS[0], _SAMPLERS)
    _check_sampler_argument(environ)
    for variable in _INTERVAL_VARIABLES:
        _check_milliseconds(variable, environ.get(variable) or "1")
    emits_inference_details(CaptureContent.chosen(config.capture_content, environ), environ)
    positive("max_content_characters", config.max_content_characters)
    few_names("metadata_keys", config.metadata_keys)
    positive("max_open_runs", config.max_open_runs)
    seconds("stall_threshold", config.stall_threshold)
    PriceTable.of(config.prices)


def positive(name: str, value: object) -> int:
    """Return a limit that is a whole number from 1 up.

    Raises:
        ConfigurationError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{name} is {value!r}; it must be a whole number from 1 up")
    return value


def seconds(name: str, value: object) -> float:
    """Return a duration that is a number of seconds above 0.

    Raises:
        ConfigurationError: it is not.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not value > 0:  # type: ignore[operator]  # a number
        raise ConfigurationError(f"{name} is {value!r}; it must be a number of seconds above 0")
    return float(value)  # type: ignore[arg-type]  # as above


def few_names(source: str, value: Collection[str]) -> tuple[str, ...]:
    """Return names of which a span has room for all.

    Raises:
        ConfigurationError: they are too many, or one text instead of several.
    """
    names = tuple(value)
    are_names = not isinstance(value, str) and all(isinstance(name, str) for name in names)
    if not are_names or len(names) > _MAX_NAMES:
        raise ConfigurationError(f"{source} is {value!r}; use a list of up to {_MAX_NAMES} names")
    return names


def emits_inference_details(capture: CaptureContent, environ: Mapping[str, str]) -> bool:
    """Say whether each model call has its event: where it has content, or the variable asks.

    Raises:
        ConfigurationError: the variable has a value that is neither `true` nor `false`.
    """
    told = environ.get(EMIT_EVENT_VARIABLE, "").strip().lower()
    if told not in ("", "true", "false"):
        raise ConfigurationError(f"{EMIT_EVENT_VARIABLE} is {told!r}; use true or false")
    return capture.on_events if not told else told == "true"


def exporter_names(signal: Signal, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the exporters that the signal's variable asks for; none where it asks for none."""
    names = environ.get(signal.exporter_variable, "").split(",")
    return tuple(name for name in (name.strip().lower() for name in names) if name)


def sends_otlp(signal: Signal, config: TelemetryConfig, environ: Mapping[str, str]) -> bool:
    """Say whether a signal has an endpoint, and no other exporter was chosen for it."""
    variables = signal.otlp_variables("ENDPOINT")
    has_endpoint = config.endpoint or any(environ.get(name) for name in variables)
    return bool(has_endpoint) and "otlp" in (exporter_names(signal, environ) or ("otlp",))


def otlp_endpoint(signal: Signal, config: TelemetryConfig) -> str | None:
    """Return the URL that a config sends a signal to; None where the variables tell it."""
    return f"{config.endpoint.rstrip('/')}/v1/{signal.lower()}" if config.endpoint else None


def _check_signal(signal: Signal, environ: Mapping[str, str]) -> None:
    for variable in signal.otlp_variables("ENDPOINT"):
        if environ.get(variable):
            _check_endpoint(variable, environ[variable])
    for variable in signal.otlp_variables("HEADERS"):
        _check_headers(variable, environ.get(variable, ""))
    for variable in signal.otlp_variables("PROTOCOL"):
        _check_choice(variable, environ.get(variable) or _PROTOCOL, (_PROTOCOL,))
    for name in exporter_names(signal, environ):
        known = _METRICS_EXPORTERS if signal is Signal.METRICS else _EXPORTERS
        _check_choice(signal.exporter_variable, name, known)


def _check_endpoint(source: str, value: str) -> None:
    parts = urlsplit(value)
    try:
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ConfigurationError(
            f"{source} is {_without_user(value)!r}; use the URL of an OTLP/HTTP receiver, "
            "for example http://localhost:4318"
        )


def _without_user(url: str) -> str:
    return url.rpartition("@")[2]


def _check_headers(variable: str, value: str) -> None:
    # The value may hold credentials: the message tells the place only.
    for place, header in enumerate(filter(None, value.split(",")), start=1):
        name, equals, _ = header.partition("=")
        if not equals or not name.strip():
            raise ConfigurationError(
                f"{variable} has no name=value in entry {place}; use name=value,name=value"
            )


def _check_sampler_argument(environ: Mapping[str, str]) -> None:
    if environ.get(_SAMPLER_VARIABLE, "").lower() not in _RATIO_SAMPLERS:
        return
    value = environ.get(_SAMPLER_ARGUMENT_VARIABLE) or "1.0"
    try:
        is_valid = 0 <= float(value) <= 1
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ConfigurationError(
            f"{_SAMPLER_ARGUMENT_VARIABLE} is {value!r}; use a number from 0 to 1"
        )


def _check_milliseconds(variable: str, value: str) -> None:
    if not value.strip().isdecimal() or not int(value):
        raise ConfigurationError(f"{variable} is {value!r}; use a number of ms from 1 up")


def _check_choice(source: str, value: str, choices: tuple[str, ...]) -> None:
    if value.strip().lower() not in choices:
        raise ConfigurationError(f"{source} is {value!r}; use {' or '.join(choices)}")
