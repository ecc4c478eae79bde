"""Telemetry's settings, from arguments and from the standard `OTEL_*` variables (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from .._content.door import DEFAULT_MAX_CHARACTERS, CaptureContent
from .._errors import ConfigurationError
from .checks import capable_of, few_names, headers, of_kind, positive, redaction, seconds, switch
from .prices import PriceTable
from .variables import Signal, check_endpoint, check_variables, exporter_names

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from opentelemetry.sdk.trace.sampling import Sampler

    from .._content.door import Redact
    from .prices import Prices

DEFAULT_MAX_OPEN_RUNS: Final = 10_000
DEFAULT_STALL_THRESHOLD: Final = 2.0

EMIT_EVENT_VARIABLE: Final = "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT"


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
    of_kind("the config", config, TelemetryConfig, "a TelemetryConfig")
    of_kind("service_name", config.service_name, str, "a text")
    if config.endpoint is not None:
        check_endpoint("endpoint", config.endpoint)
    headers(config.headers)
    capable_of("sampler", config.sampler, "should_sample", "a Sampler of the SDK's")
    check_variables(environ)
    emits_inference_details(CaptureContent.chosen(config.capture_content, environ), environ)
    redaction(config.redact)
    positive("max_content_characters", config.max_content_characters)
    few_names("metadata_keys", config.metadata_keys)
    positive("max_open_runs", config.max_open_runs)
    seconds("stall_threshold", config.stall_threshold)
    switch("log_events", config.log_events)
    PriceTable.of(config.prices)


def emits_inference_details(capture: CaptureContent, environ: Mapping[str, str]) -> bool:
    """Say whether each model call has its event: where it has content, or the variable asks.

    Raises:
        ConfigurationError: the variable has a value that is neither `true` nor `false`.
    """
    told = environ.get(EMIT_EVENT_VARIABLE, "").strip().lower()
    if told not in ("", "true", "false"):
        raise ConfigurationError(f"{EMIT_EVENT_VARIABLE} is {told!r}; use true or false")
    return capture.on_events if not told else told == "true"


def sends_otlp(signal: Signal, config: TelemetryConfig, environ: Mapping[str, str]) -> bool:
    """Say whether a signal has an endpoint, and no other exporter was chosen for it."""
    variables = signal.otlp_variables("ENDPOINT")
    has_endpoint = config.endpoint or any(environ.get(name) for name in variables)
    return bool(has_endpoint) and "otlp" in (exporter_names(signal, environ) or ("otlp",))


def otlp_endpoint(signal: Signal, config: TelemetryConfig) -> str | None:
    """Return the URL that a config sends a signal to; None where the variables tell it."""
    return f"{config.endpoint.rstrip('/')}/v1/{signal.lower()}" if config.endpoint else None
