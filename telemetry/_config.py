"""Telemetry's settings, from arguments and from the standard `OTEL_*` variables (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
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

ENDPOINT_VARIABLES: Final = (
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
)
_HEADER_VARIABLES: Final = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
_PROTOCOL_VARIABLES: Final = (
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
)
_SAMPLER_VARIABLE: Final = "OTEL_TRACES_SAMPLER"
_SAMPLER_ARGUMENT_VARIABLE: Final = "OTEL_TRACES_SAMPLER_ARG"
_EXPORTER_VARIABLE: Final = "OTEL_TRACES_EXPORTER"
_MAX_NAMES: Final = 32
_PROTOCOL: Final = "http/protobuf"
_EXPORTERS: Final = ("otlp", "console", "none")
_RATIO_SAMPLERS: Final = ("traceidratio", "parentbased_traceidratio")
_SAMPLERS: Final = (
    "always_on",
    "always_off",
    "parentbased_always_on",
    "parentbased_always_off",
    *_RATIO_SAMPLERS,
)


@dataclass(frozen=True, slots=True)
class TelemetryConfig:
    """What `configure` sets up; what is left out, the standard variables say.

    Args:
        service_name: of the resource; `OTEL_SERVICE_NAME`.
        endpoint: base URL of an OTLP/HTTP receiver, for example `http://localhost:4318`;
            `OTEL_EXPORTER_OTLP_ENDPOINT`. Without one nothing is sent anywhere.
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


def check(config: TelemetryConfig, environ: Mapping[str, str]) -> None:
    """Check a config and the variables that fill it.

    Raises:
        ConfigurationError: a value cannot work.
    """
    if config.endpoint is not None:
        _check_endpoint("endpoint", config.endpoint)
    for variable in ENDPOINT_VARIABLES:
        if environ.get(variable):
            _check_endpoint(variable, environ[variable])
    for variable in _HEADER_VARIABLES:
        _check_headers(variable, environ.get(variable, ""))
    for variable in _PROTOCOL_VARIABLES:
        _check_choice(variable, environ.get(variable) or _PROTOCOL, (_PROTOCOL,))
    _check_choice(_SAMPLER_VARIABLE, environ.get(_SAMPLER_VARIABLE) or _SAMPLERS[0], _SAMPLERS)
    _check_sampler_argument(environ)
    for name in exporter_names(environ):
        _check_choice(_EXPORTER_VARIABLE, name, _EXPORTERS)
    CaptureContent.chosen(config.capture_content, environ)
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


def exporter_names(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the exporters that `OTEL_TRACES_EXPORTER` asks for; by default, OTLP."""
    names = (name.strip().lower() for name in environ.get(_EXPORTER_VARIABLE, "").split(","))
    return tuple(name for name in names if name) or ("otlp",)


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


def _check_choice(source: str, value: str, choices: tuple[str, ...]) -> None:
    if value.strip().lower() not in choices:
        raise ConfigurationError(f"{source} is {value!r}; use {' or '.join(choices)}")
