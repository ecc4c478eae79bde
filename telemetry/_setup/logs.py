"""Sets OpenTelemetry logs up for a process, where log records are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry import _logs
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    ConsoleLogRecordExporter,
    LogRecordExporter,
    LogRecordExportResult,
    SimpleLogRecordProcessor,
)

from .._providers import was_shut_down
from .._settings.config import TelemetryConfig, otlp_endpoint, sends_otlp
from .._settings.variables import Signal, exporter_names
from .._upstream.opentelemetry import is_unset, otlp_log_exporter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TextIO

    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.resources import Resource


class CountingLogExporter(LogRecordExporter):
    """Passes log records on to another exporter, and counts those that it could not send.

    Args:
        exporter: sends the records.
    """

    def __init__(self, exporter: LogRecordExporter) -> None:
        self._exporter = exporter
        self.unsent = 0

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Send a *batch* of records."""
        result = self._exporter.export(batch)
        if result is not LogRecordExportResult.SUCCESS:
            self.unsent += len(batch)
        return result

    def shutdown(self) -> None:
        """Stop; a request that is being tried again is given up."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the SDK's

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what the exporter holds back."""
        return self._exporter.force_flush(timeout_millis)


@dataclass(frozen=True, slots=True)
class Logs:
    """OpenTelemetry logs as they are set up for this process.

    Attributes:
        provider: takes the log records; None where they go nowhere.
        owned: the provider again, where it was made here and is to be shut down.
        exporters: of that provider.
    """

    provider: _logs.LoggerProvider | None
    owned: LoggerProvider | None = None
    exporters: tuple[CountingLogExporter, ...] = ()


def set_up_logs(
    config: TelemetryConfig, resource: Resource, environ: Mapping[str, str], console: TextIO
) -> Logs:
    """Return the application's logger provider, or set one that sends where there is a place."""
    provider = _logs.get_logger_provider()
    follows = was_shut_down(provider)
    if not is_unset(provider) and not follows:
        return Logs(provider)
    exporters = tuple(_otlp_exporters(config, environ))
    is_shown = "console" in exporter_names(Signal.LOGS, environ)
    if not exporters and not is_shown:
        return Logs(None)
    made = LoggerProvider(resource)
    if is_shown:
        made.add_log_record_processor(
            SimpleLogRecordProcessor(ConsoleLogRecordExporter(out=console))
        )
    for exporter in exporters:
        made.add_log_record_processor(BatchLogRecordProcessor(exporter))
    if not follows:
        _logs.set_logger_provider(made)
    return Logs(made, made, exporters)


def _otlp_exporters(
    config: TelemetryConfig, environ: Mapping[str, str]
) -> Iterator[CountingLogExporter]:
    if sends_otlp(Signal.LOGS, config, environ):
        exporter_class = otlp_log_exporter()
        if exporter_class is None:
            return
        headers = dict(config.headers) if config.headers is not None else None
        endpoint = otlp_endpoint(Signal.LOGS, config)
        yield CountingLogExporter(exporter_class(endpoint, headers=headers))
