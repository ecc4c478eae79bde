"""All signals of an application: its spans, its log records and its metrics."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

from nodespan.telemetry import (
    OpenTelemetryCallbackHandler,
    SpanCollector,
    instrument,
    uninstrument,
)
from nodespan.telemetry.testing import CapturedSpans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.runnables import RunnableConfig
    from opentelemetry.sdk.metrics.export import Metric
    from opentelemetry.sdk.trace.sampling import Sampler


@dataclass(frozen=True, slots=True)
class Signals(CapturedSpans):
    """What an application has sent, by one of the ways in."""

    records: InMemoryLogRecordExporter
    reader: InMemoryMetricReader
    way_in: str

    @property
    def config(self) -> RunnableConfig:
        """The config of a call."""
        return {"callbacks": [self.handler]} if self.way_in == "handler" else {}

    @property
    def log_records(self) -> list[Any]:
        """The log records."""
        return [told.log_record for told in self.records.get_finished_logs()]

    @property
    def metrics(self) -> list[Metric]:
        """The metrics."""
        data = self.reader.get_metrics_data()
        assert data is not None
        scopes = [scope for of in data.resource_metrics for scope in of.scope_metrics]
        return [metric for scope in scopes for metric in scope.metrics]

    def sent(self) -> str:
        """Return all that is sent of it, as text."""
        spans = self.collector.spans()
        data = self.reader.get_metrics_data()
        assert spans
        assert data is not None
        assert not [span for span in spans if span.dropped_attributes or span.dropped_events]
        encoded = (
            encode_spans(spans),
            encode_logs(self.records.get_finished_logs()),
            encode_metrics(data),
        )
        readable = json.dumps([each.to_json() for each in self.spans])
        return readable + "".join(
            each.SerializeToString().decode(errors="replace") for each in encoded
        )


@contextmanager
def record_signals(
    way_in: str = "handler", sampler: Sampler | None = None, **settings: Any
) -> Iterator[Signals]:
    """Record everything that a handler of these settings sends, and fail where it meets trouble."""
    collector, records, reader = (
        SpanCollector(),
        InMemoryLogRecordExporter(),
        InMemoryMetricReader(),
    )
    tracer_provider = TracerProvider(sampler, shutdown_on_exit=False)
    tracer_provider.add_span_processor(collector)
    logger_provider = LoggerProvider(shutdown_on_exit=False)
    logger_provider.add_log_record_processor(SimpleLogRecordProcessor(records))
    meter_provider = MeterProvider([reader], shutdown_on_exit=False)
    make = instrument if way_in == "instrument" else OpenTelemetryCallbackHandler
    handler = make(
        tracer_provider=tracer_provider,
        logger_provider=logger_provider,
        meter_provider=meter_provider,
        log_events=True,
        **settings,
    )
    handler.raise_error = True
    try:
        yield Signals(handler, tracer_provider, collector, records, reader, way_in)
        assert handler.open_runs == 0, "a run is open"
        assert handler.diagnostics.counts == {}, "telemetry has met trouble"
    finally:
        uninstrument()
        for provider in (tracer_provider, logger_provider, meter_provider):
            provider.shutdown()
