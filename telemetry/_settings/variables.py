"""The standard `OTEL_*` variables: read, and refused where they cannot work (pure).

Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

from .._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._content.capture import CaptureContent

_T = TypeVar("_T")

DISABLED_VARIABLE: Final = "OTEL_SDK_DISABLED"
EMIT_EVENT_VARIABLE: Final = "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT"

_SAMPLER_VARIABLE: Final = "OTEL_TRACES_SAMPLER"
# What OpenTelemetry's own code reads where no argument says a setting.
READ_BY_SDK: Final[Mapping[str, tuple[str, ...]]] = {
    "service_name": ("OTEL_SERVICE_NAME",),
    "endpoint": ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    "headers": ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"),
    "sampler": (_SAMPLER_VARIABLE,),
    "prometheus_port": ("OTEL_EXPORTER_PROMETHEUS_PORT",),
    "prometheus_host": ("OTEL_EXPORTER_PROMETHEUS_HOST",),
}
_SAMPLER_ARGUMENT_VARIABLE: Final = "OTEL_TRACES_SAMPLER_ARG"
_PROTOCOL: Final = "http/protobuf"
_EXPORTERS: Final = ("otlp", "console", "none")
_METRICS_EXPORTERS: Final = ("otlp", "prometheus", "console", "none")
_RATIO_SAMPLERS: Final = ("traceidratio", "parentbased_traceidratio")
_SAMPLERS: Final = (
    "always_on",
    "always_off",
    "parentbased_always_on",
    "parentbased_always_off",
    *_RATIO_SAMPLERS,
)
_BATCHES: Final = ("OTEL_BSP", "OTEL_BLRP")
_COUNTS: Final = (
    "OTEL_METRIC_EXPORT_INTERVAL",
    "OTEL_METRIC_EXPORT_TIMEOUT",
    *(f"{batch}_{of}" for batch in _BATCHES for of in ("SCHEDULE_DELAY", "EXPORT_TIMEOUT")),
    *(f"{batch}_{of}" for batch in _BATCHES for of in ("MAX_QUEUE_SIZE", "MAX_EXPORT_BATCH_SIZE")),
)
_LIMITS: Final = (
    "OTEL_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
)
_DEFAULT_QUEUE_SIZE: Final = 2048
_DEFAULT_BATCH_SIZE: Final = 512


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
        """Return the variables that set *name* of the OTLP exporter: the signal's, and all's."""
        return f"OTEL_EXPORTER_OTLP_{self}_{name}", f"OTEL_EXPORTER_OTLP_{name}"


def is_disabled(environ: Mapping[str, str]) -> bool:
    """Say whether the SDK is switched off."""
    return environ.get(DISABLED_VARIABLE, "").strip().lower() == "true"


def exporter_names(signal: Signal, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the exporters that the signal's variable asks for; none where it asks for none."""
    names = environ.get(signal.exporter_variable, "").split(",")
    return tuple(name for name in (name.strip().lower() for name in names) if name)


def emits_inference_details(capture: CaptureContent, environ: Mapping[str, str]) -> bool:
    """Say whether each model call has its event: where it has content, or the variable asks.

    Raises:
        ConfigurationError: the variable has a value that is neither `true` nor `false`.
    """
    value = environ.get(EMIT_EVENT_VARIABLE, "").strip().lower()
    if value not in ("", "true", "false"):
        raise ConfigurationError(f"{EMIT_EVENT_VARIABLE} is {value!r}; use true or false")
    return capture.on_events if not value else value == "true"


def check_variables(environ: Mapping[str, str]) -> None:
    """Check the variables that the SDK and its exporters read; a disabled SDK reads none.

    Raises:
        ConfigurationError: a value cannot work.
    """
    if is_disabled(environ):
        return
    for signal in Signal:
        _check_signal(signal, environ)
    _check_choice(_SAMPLER_VARIABLE, environ.get(_SAMPLER_VARIABLE) or _SAMPLERS[0], _SAMPLERS)
    _check_sampler_argument(environ)
    for variable in _COUNTS:
        _check_count(variable, environ.get(variable) or "1", least=1)
    for variable in _LIMITS:
        _check_count(variable, environ.get(variable) or "0", least=0)
    for batch in _BATCHES:
        _check_batch(batch, environ)


def check_endpoint(source: str, value: _T) -> _T:
    """Return a value that, where there is one, is the URL of a receiver.

    Raises:
        ConfigurationError: it is not.
    """
    if value is not None and not _is_url(value):
        shown = value.rpartition("@")[2] if isinstance(value, str) else value
        raise ConfigurationError(
            f"{source} is {shown!r}; use the URL of an OTLP/HTTP receiver, "
            "for example http://localhost:4318"
        )
    return value


def _is_url(value: object) -> bool:
    try:
        parts = urlsplit(value) if isinstance(value, str) else urlsplit("")
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _check_signal(signal: Signal, environ: Mapping[str, str]) -> None:
    for variable in signal.otlp_variables("ENDPOINT"):
        if environ.get(variable):
            check_endpoint(variable, environ[variable])
    for variable in signal.otlp_variables("HEADERS"):
        _check_headers(variable, environ.get(variable, ""))
    for variable in signal.otlp_variables("PROTOCOL"):
        _check_choice(variable, environ.get(variable) or _PROTOCOL, (_PROTOCOL,))
    for variable in signal.otlp_variables("TIMEOUT"):
        if not 0 < _number(environ.get(variable) or "1") < float("inf"):
            value = environ[variable]
            raise ConfigurationError(f"{variable} is {value!r}; use a number of seconds above 0")
    for name in exporter_names(signal, environ):
        known = _METRICS_EXPORTERS if signal is Signal.METRICS else _EXPORTERS
        _check_choice(signal.exporter_variable, name, known)


def _check_headers(variable: str, value: str) -> None:
    # The value may hold credentials: the message names the place only.
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
    if not 0 <= _number(value) <= 1:
        raise ConfigurationError(
            f"{_SAMPLER_ARGUMENT_VARIABLE} is {value!r}; use a number from 0 to 1"
        )


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return float("nan")


def _check_count(variable: str, value: str, *, least: int) -> None:
    if not value.strip().isdecimal() or int(value) < least:
        raise ConfigurationError(f"{variable} is {value!r}; use a whole number from {least} up")


def _check_batch(batch: str, environ: Mapping[str, str]) -> None:
    variable = f"{batch}_MAX_EXPORT_BATCH_SIZE"
    most = int(environ.get(f"{batch}_MAX_QUEUE_SIZE") or _DEFAULT_QUEUE_SIZE)
    size = int(environ.get(variable) or _DEFAULT_BATCH_SIZE)
    if size > most:
        raise ConfigurationError(
            f"{variable} is {size}; use {most} at most, which is {batch}_MAX_QUEUE_SIZE"
        )


def _check_choice(source: str, value: str, choices: tuple[str, ...]) -> None:
    if value.strip().lower() not in choices:
        raise ConfigurationError(f"{source} is {value!r}; use {' or '.join(choices)}")
