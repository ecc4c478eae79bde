"""Metrics and log records, which the page does not keep: counted, and said so (pure).

A program that sends all its signals to one address gets OTLP's partial success for them, which
no exporter takes for a failure or sends again.
Source: https://opentelemetry.io/docs/specs/otlp/#partial-success-1
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

if TYPE_CHECKING:
    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

METRICS: Final = (
    "metrics are sent here, and not kept: the page is for traces; "
    "set OTEL_METRICS_EXPORTER=none, or name another place for them in "
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
)
LOGS: Final = (
    "log records are sent here, and not kept: the page is for traces; "
    "set OTEL_LOGS_EXPORTER=none, or name another place for them in "
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"
)


def unkept_metrics(request: ExportMetricsServiceRequest) -> ExportMetricsServiceResponse:
    """Return the answer to metrics: none of their points was kept."""
    said = ExportMetricsServiceResponse()
    points = sum(
        _points(metric)
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )
    if points:
        said.partial_success.rejected_data_points = points
        said.partial_success.error_message = METRICS
    return said


def unkept_logs(request: ExportLogsServiceRequest) -> ExportLogsServiceResponse:
    """Return the answer to log records: none was kept."""
    said = ExportLogsServiceResponse()
    records = sum(
        len(scope.log_records)
        for resource in request.resource_logs
        for scope in resource.scope_logs
    )
    if records:
        said.partial_success.rejected_log_records = records
        said.partial_success.error_message = LOGS
    return said


def _points(metric: Metric) -> int:
    kind = metric.WhichOneof("data")
    return len(getattr(metric, kind).data_points) if kind is not None else 0
