"""What an application sends by OTLP, as a receiver has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span


@dataclass(slots=True)
class OtlpReceiver:
    """An OTLP/HTTP receiver on 127.0.0.1 that keeps what it is sent."""

    endpoint: str
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)
    log_requests: list[ExportLogsServiceRequest] = field(default_factory=list)
    metric_requests: list[ExportMetricsServiceRequest] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def receive(self, path: str, body: bytes) -> None:
        """Keep a request."""
        if path.endswith("/v1/logs"):
            self.log_requests.append(ExportLogsServiceRequest.FromString(body))
        elif path.endswith("/v1/metrics"):
            self.metric_requests.append(ExportMetricsServiceRequest.FromString(body))
        else:
            self.requests.append(ExportTraceServiceRequest.FromString(body))

    @property
    def log_records(self) -> list[LogRecord]:
        """Every log record that was received."""
        return [
            record
            for request in self.log_requests
            for group in request.resource_logs
            for scope in group.scope_logs
            for record in scope.log_records
        ]

    @property
    def metrics(self) -> dict[str, Metric]:
        """What was received last of each metric, by its name."""
        return {
            metric.name: metric
            for request in self.metric_requests
            for group in request.resource_metrics
            for scope in group.scope_metrics
            for metric in scope.metrics
        }

    @property
    def resource_spans(self) -> list[ResourceSpans]:
        """What was received, by resource."""
        return [group for request in self.requests for group in request.resource_spans]

    @property
    def spans(self) -> list[Span]:
        """Every span that was received."""
        return [
            span
            for group in self.resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]
