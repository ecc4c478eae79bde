"""The tracer provider of a process, and what sends or prints its spans."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol, runtime_checkable
from uuid import uuid4

from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource

from .._providers import known_of, one_of
from .._settings.config import otlp_endpoint, sends_otlp
from .._settings.variables import Signal, exporter_names
from .._values.credentials import is_credential_key, without_credentials
from .exporting import CountingProcessor
from .relay import relayed_provider

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from opentelemetry import trace
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

    from .._settings.config import TelemetryConfig


@runtime_checkable
class ProcessorProvider(Protocol):
    """A tracer provider that takes processors."""

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Let it have every span."""


def resource_of(config: TelemetryConfig) -> Resource:
    """Return what is said of this process with all that it sends; no credentials are."""
    # Workers that send to one place are told apart, or their sums would fall over each other.
    resource = Resource({SERVICE_INSTANCE_ID: str(uuid4())}).merge(
        Resource.create({SERVICE_NAME: config.service_name} if config.service_name else {})
    )
    # People put all kinds of things into `OTEL_RESOURCE_ATTRIBUTES`.
    safe = {
        name: without_credentials(value) if isinstance(value, str) else value
        for name, value in resource.attributes.items()
        if not is_credential_key(name)
    }
    return Resource(safe, resource.schema_url)


def tracer_provider(
    config: TelemetryConfig,
    resource: Resource,
    processors: Sequence[CountingProcessor],
) -> TracerProvider:
    """Make a provider with these processors."""
    provider = relayed_provider(config.sampler, resource)
    for processor in processors:
        provider.add_span_processor(processor)
    return provider


def prints(config: TelemetryConfig, *, is_own: bool) -> bool:
    """Say whether traces are printed; a provider of the application's goes by the setting alone."""
    if config.print_traces is not None:
        return config.print_traces
    return is_own and "console" in exporter_names(Signal.TRACES, os.environ)


def print_traces(provider: trace.TracerProvider, console: TextIO) -> None:
    """Print the traces of a provider, once however often that is asked for."""
    # Imported late: few programs do.
    from .._console.printer import TracePrinter  # noqa: PLC0415

    if isinstance(provider, ProcessorProvider) and known_of(provider, TracePrinter) is None:
        printer = one_of(provider, TracePrinter, lambda: TracePrinter(console))
        provider.add_span_processor(printer)


def send(config: TelemetryConfig, processors: list[CountingProcessor]) -> CountingProcessor | None:
    """Add what sends spans to the endpoint, where there is one, to the *processors*."""
    if not sends_otlp(Signal.TRACES, config, os.environ):
        return None
    # Imported late: it brings an HTTP client that most programs do without.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )

    from .receipts import Receipts  # noqa: PLC0415

    headers = dict(config.headers) if config.headers is not None else None
    receipts = Receipts()
    exporter = OTLPSpanExporter(
        otlp_endpoint(Signal.TRACES, config),
        headers=headers,
        session=receipts.session(Signal.TRACES),
    )
    processors.append(CountingProcessor(exporter, receipts))
    return processors[-1]
