"""Sets OpenTelemetry up for a process, and lets go of it again."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SimpleSpanProcessor,
)

from .._content.door import CaptureContent
from .._handler import OpenTelemetryCallbackHandler
from .._process import Locked
from .._settings.checks import capable_of
from .._settings.config import (
    TelemetryConfig,
    checked,
    emits_inference_details,
    otlp_endpoint,
    sends_otlp,
)
from .._settings.record import HandlerSettings
from .._settings.variables import Signal, exporter_names, is_disabled
from .._upstream.opentelemetry import has_logs
from .exporting import CountingExporter, shut_down
from .relay import provider_in_use, put_to_use, relay_of, relayed_provider

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import TextIO

    from opentelemetry import trace
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

    from .logs import Logs
    from .metrics import ProcessMetrics

_DEFAULT_TIMEOUT = 10.0


@runtime_checkable
class _ProcessorProvider(Protocol):
    def add_span_processor(self, span_processor: SpanProcessor) -> None: ...


@runtime_checkable
class _FlushableProvider(Protocol):
    def force_flush(self, timeout_millis: int = ...) -> bool: ...


class Telemetry(Locked):
    """OpenTelemetry as it is set up for this process; as a context manager, until the exit.

    Args:
        tracer_provider: makes the spans.
        config: of the handler, checked.
        owned: the provider again, where `configure` made it and is to shut it down.
        exporters: of that provider.
        logs: where log records go; None where none are asked for.
        metrics: where metrics go; None where there is no place for them.
    """

    def __init__(  # noqa: PLR0913 - three signals, and what traces need
        self,
        tracer_provider: trace.TracerProvider,
        config: TelemetryConfig,
        owned: TracerProvider | None = None,
        exporters: Sequence[CountingExporter] = (),
        *,
        logs: Logs | None = None,
        metrics: ProcessMetrics | None = None,
    ) -> None:
        super().__init__()
        self.tracer_provider = tracer_provider
        self._config = config
        self._handler: OpenTelemetryCallbackHandler | None = None
        self._owned = owned
        self._is_shut_down = False
        self._exporters = exporters
        self._logs = logs
        self._metrics = metrics

    @property
    def meter_provider(self) -> MeterProvider | None:
        """What takes metrics; None where they go nowhere."""
        return self._metrics.provider if self._metrics is not None else None

    @property
    def scrape_url(self) -> str | None:
        """Where Prometheus may fetch the metrics; None where it may not."""
        return self._metrics.scrape_url if self._metrics is not None else None

    @property
    def logger_provider(self) -> LoggerProvider | None:
        """What takes log records, for `configure_logging`; None where they go nowhere."""
        return self._logs.provider if self._logs is not None else None

    @property
    def unsent(self) -> int:
        """How many spans the endpoint did not take, and how many came after the shutdown."""
        relay = relay_of(self.tracer_provider) if self._exporters else None
        late = relay.unsent if relay is not None else 0
        return late + sum(exporter.unsent for exporter in self._exporters)

    @property
    def unsent_log_records(self) -> int:
        """How many log records the endpoint did not take."""
        return sum(exporter.unsent for exporter in self._logs.exporters) if self._logs else 0

    def handler(self) -> OpenTelemetryCallbackHandler:
        """Return the callback handler of this process; the same one each time."""
        with self._lock:
            if self._handler is None:
                settings = HandlerSettings.of(
                    self._config,
                    tracer_provider=self.tracer_provider,
                    meter_provider=self.meter_provider,
                    logger_provider=self.logger_provider,
                )
                self._handler = OpenTelemetryCallbackHandler.of(settings)
            return self._handler

    def flush(self, timeout: float = _DEFAULT_TIMEOUT) -> bool:
        """Send what is waiting to be sent.

        Args:
            timeout: how long that may take, in seconds.

        Returns:
            Whether nothing is waiting any longer; what a receiver then refused is logged by the
            exporter.
        """
        metrics = self._metrics is None or self._metrics.flush(timeout)
        spans = _flushed(self.tracer_provider, timeout)
        return _flushed(self.logger_provider, timeout) and spans and metrics

    def shutdown(self, timeout: float = _DEFAULT_TIMEOUT) -> None:
        """End open runs, send what is waiting, and stop; a provider of the application goes on.

        Args:
            timeout: how long sending may take, in seconds; `unsent` tells what was not taken.
        """
        if self._handler is not None:
            self._handler.close()
        if self._is_shut_down:
            return
        self._is_shut_down = True
        if self._metrics is not None:
            self._metrics.take_back()
        others = [signal for signal in (self._logs, self._metrics) if signal is not None]
        providers = (self._owned, *(signal.owned for signal in others))
        shut_down(
            [provider for provider in providers if provider is not None],
            [*self._exporters, *(exporter for signal in others for exporter in signal.exporters)],
            timeout,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()


def configure(
    config: TelemetryConfig | None = None,
    *,
    span_processors: Sequence[SpanProcessor] = (),
    metric_readers: Sequence[MetricReader] = (),
    console: TextIO | None = None,
) -> Telemetry:
    """Set OpenTelemetry up from a config and the standard `OTEL_*` variables.

    A tracer provider that the application has set before stays as it is, but for the
    *span_processors* that are added to it; so does a meter provider, but for *metric_readers* and
    for a scrape endpoint that the config asks for; a logger provider stays as it is. Without an
    endpoint nothing is sent anywhere.

    What was set up here and shut down can be set up anew: then spans of the application's tracers
    take the new way too, while its own meters and loggers stay with the providers that they had.

    Args:
        config: what the variables do not say, or shall not.
        span_processors: get every span, beside the exporter.
        metric_readers: collect the metrics, beside the exporter.
        console: what `console` exporters write to; by default what is `sys.stdout` at the time.

    Raises:
        ConfigurationError: a setting has a value that cannot work.

    Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
    """
    config = checked(config, os.environ)
    for processor in span_processors:
        capable_of("a span processor", processor, "on_end", "a SpanProcessor of the SDK's")
    for reader in metric_readers:
        capable_of("a metric reader", reader, "collect", "a MetricReader of the SDK's")
    resource = _resource(config)
    console = console if console is not None else sys.stdout
    metrics = _metrics(config, resource, metric_readers, os.environ, console)
    logs = _logs(config, resource, os.environ, console)
    provider = provider_in_use()
    if provider is None:
        exporters = list(_otlp_exporters(config, os.environ))
        made = _tracer_provider(config, resource, exporters, console)
        telemetry = Telemetry(made, config, made, exporters, logs=logs, metrics=metrics)
        put_to_use(made)
    else:
        telemetry = Telemetry(provider, config, logs=logs, metrics=metrics)
    if isinstance(telemetry.tracer_provider, _ProcessorProvider):
        for processor in span_processors:
            telemetry.tracer_provider.add_span_processor(processor)
    return telemetry


def _flushed(provider: object, timeout: float) -> bool:
    if isinstance(provider, _FlushableProvider):
        return provider.force_flush(int(timeout * 1000))
    return True


def _resource(config: TelemetryConfig) -> Resource:
    return Resource.create({SERVICE_NAME: config.service_name} if config.service_name else {})


def _logs(
    config: TelemetryConfig, resource: Resource, environ: Mapping[str, str], console: TextIO
) -> Logs | None:
    capture = CaptureContent.named("capture_content", config.capture_content)
    chosen = exporter_names(Signal.LOGS, environ)
    is_asked_for = config.log_events or emits_inference_details(capture, environ) or chosen
    if not (is_asked_for and has_logs()):
        return None
    # Imported late: most programs do without logs.
    from .logs import set_up_logs  # noqa: PLC0415

    return set_up_logs(config, resource, environ, console)


def _metrics(
    config: TelemetryConfig,
    resource: Resource,
    readers: Sequence[MetricReader],
    environ: Mapping[str, str],
    console: TextIO,
) -> ProcessMetrics | None:
    chosen = exporter_names(Signal.METRICS, environ) or sends_otlp(Signal.METRICS, config, environ)
    is_asked_for = chosen or readers or config.prometheus_port is not None
    if not is_asked_for or is_disabled(environ):
        return None
    # Imported late: many programs do without metrics.
    from .metrics import set_up_metrics  # noqa: PLC0415

    return set_up_metrics(config, resource, readers, environ, console)


def _tracer_provider(
    config: TelemetryConfig,
    resource: Resource,
    exporters: Sequence[CountingExporter],
    console: TextIO,
) -> TracerProvider:
    provider = relayed_provider(config.sampler, resource)
    if "console" in exporter_names(Signal.TRACES, os.environ):
        provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=console)))
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _otlp_exporters(
    config: TelemetryConfig, environ: Mapping[str, str]
) -> Iterator[CountingExporter]:
    if sends_otlp(Signal.TRACES, config, environ):
        # Imported late: it brings an HTTP client that most programs do without.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )

        headers = dict(config.headers) if config.headers is not None else None
        endpoint = otlp_endpoint(Signal.TRACES, config)
        yield CountingExporter(OTLPSpanExporter(endpoint, headers=headers))
