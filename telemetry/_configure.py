"""Sets OpenTelemetry up for a process, and lets go of it again."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SimpleSpanProcessor,
)

from ._config import ENDPOINT_VARIABLES, TelemetryConfig, check, exporter_names
from ._handler import OpenTelemetryCallbackHandler
from ._sending import CountingExporter, shut_down

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from opentelemetry.sdk.trace import SpanProcessor

_TRACES_PATH = "/v1/traces"
_DEFAULT_TIMEOUT = 10.0


@runtime_checkable
class _ProcessorProvider(Protocol):
    def add_span_processor(self, span_processor: SpanProcessor) -> None: ...


@runtime_checkable
class _FlushableProvider(Protocol):
    def force_flush(self, timeout_millis: int = ...) -> bool: ...


class Telemetry:
    """OpenTelemetry as it is set up for this process; as a context manager, until the exit.

    Args:
        tracer_provider: makes the spans.
        config: of the handler.
        owned: the provider again, where `configure` made it and is to shut it down.
        exporters: of that provider.
    """

    def __init__(
        self,
        tracer_provider: trace.TracerProvider,
        config: TelemetryConfig,
        owned: TracerProvider | None = None,
        exporters: Sequence[CountingExporter] = (),
    ) -> None:
        self.tracer_provider = tracer_provider
        self._config = config
        self._owned = owned
        self._exporters = exporters

    @property
    def unsent(self) -> int:
        """How many spans the endpoint did not take."""
        return sum(exporter.unsent for exporter in self._exporters)

    def handler(self) -> OpenTelemetryCallbackHandler:
        """Return the callback handler of this process; the same one each time."""
        return self._handler

    def flush(self, timeout: float = _DEFAULT_TIMEOUT) -> bool:
        """Send what is waiting to be sent.

        Args:
            timeout: how long that may take, in seconds.

        Returns:
            Whether nothing is waiting any longer; what a receiver then refused is logged by the
            exporter.
        """
        if isinstance(self.tracer_provider, _FlushableProvider):
            return self.tracer_provider.force_flush(int(timeout * 1000))
        return True

    def shutdown(self, timeout: float = _DEFAULT_TIMEOUT) -> None:
        """End open runs, send what is waiting, and stop; a provider of the application goes on.

        Args:
            timeout: how long sending may take, in seconds; `unsent` tells what was not taken.
        """
        self._handler.close()
        owned, self._owned = self._owned, None
        if owned is not None:
            shut_down(owned, self._exporters, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()

    @cached_property
    def _handler(self) -> OpenTelemetryCallbackHandler:
        return OpenTelemetryCallbackHandler(
            tracer_provider=self.tracer_provider,
            capture_content=self._config.capture_content,
            redact=self._config.redact,
            max_content_characters=self._config.max_content_characters,
            metadata_keys=self._config.metadata_keys,
            max_open_runs=self._config.max_open_runs,
            stall_threshold=self._config.stall_threshold,
            prices=self._config.prices,
        )


def configure(
    config: TelemetryConfig | None = None, *, span_processors: Sequence[SpanProcessor] = ()
) -> Telemetry:
    """Set OpenTelemetry up from a config and the standard `OTEL_*` variables.

    A tracer provider that the application has set before stays as it is, but for the
    *span_processors* that are added to it. Without an endpoint nothing is sent anywhere.

    Args:
        config: what the variables do not say, or shall not.
        span_processors: get every span, beside the exporter.

    Raises:
        ConfigurationError: a setting has a value that cannot work.

    Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
    """
    config = config or TelemetryConfig()
    check(config, os.environ)
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        exporters = list(_otlp_exporters(config, os.environ))
        made = _tracer_provider(config, exporters)
        telemetry = Telemetry(made, config, made, exporters)
        trace.set_tracer_provider(made)
    else:
        telemetry = Telemetry(provider, config)
    if isinstance(telemetry.tracer_provider, _ProcessorProvider):
        for processor in span_processors:
            telemetry.tracer_provider.add_span_processor(processor)
    return telemetry


def _tracer_provider(
    config: TelemetryConfig, exporters: Sequence[CountingExporter]
) -> TracerProvider:
    attributes = {SERVICE_NAME: config.service_name} if config.service_name else {}
    provider = TracerProvider(sampler=config.sampler, resource=Resource.create(attributes))
    if "console" in exporter_names(os.environ):
        provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _otlp_exporters(
    config: TelemetryConfig, environ: Mapping[str, str]
) -> Iterator[CountingExporter]:
    has_endpoint = config.endpoint or any(environ.get(name) for name in ENDPOINT_VARIABLES)
    if "otlp" in exporter_names(environ) and has_endpoint:
        # Imported late: it brings an HTTP client that most programs do without.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )

        endpoint = config.endpoint.rstrip("/") + _TRACES_PATH if config.endpoint else None
        headers = dict(config.headers) if config.headers is not None else None
        yield CountingExporter(OTLPSpanExporter(endpoint, headers=headers))
