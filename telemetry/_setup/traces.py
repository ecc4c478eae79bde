"""The tracer provider of a process, and what sends its spans."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from .._settings.config import otlp_endpoint, sends_otlp
from .._settings.variables import Signal, exporter_names
from .._values.credentials import is_credential_key, without_credentials
from .exporting import CountingProcessor
from .relay import relayed_provider

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from opentelemetry.sdk.trace import TracerProvider

    from .._settings.config import TelemetryConfig


def resource_of(config: TelemetryConfig) -> Resource:
    """Return what is said of this process with all that it sends; no credentials are."""
    resource = Resource.create({SERVICE_NAME: config.service_name} if config.service_name else {})
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
    console: TextIO,
) -> TracerProvider:
    """Make a provider with these processors, and with the console that a variable asks for."""
    provider = relayed_provider(config.sampler, resource)
    if "console" in exporter_names(Signal.TRACES, os.environ):
        provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=console)))
    for processor in processors:
        provider.add_span_processor(processor)
    return provider


def send(config: TelemetryConfig, processors: list[CountingProcessor]) -> CountingProcessor | None:
    """Add what sends spans to the endpoint, where there is one, to the *processors*."""
    if not sends_otlp(Signal.TRACES, config, os.environ):
        return None
    # Imported late: it brings an HTTP client that most programs do without.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )

    headers = dict(config.headers) if config.headers is not None else None
    exporter = OTLPSpanExporter(otlp_endpoint(Signal.TRACES, config), headers=headers)
    processors.append(CountingProcessor(exporter))
    return processors[-1]
