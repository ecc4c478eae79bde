"""Sets OpenTelemetry logs up for a process, where log records are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from opentelemetry import _logs
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    ConsoleLogRecordExporter,
    LogRecordExporter,
    LogRecordExportResult,
    SimpleLogRecordProcessor,
)

from .._process import in_forked_child
from .._providers import was_shut_down
from .._settings.config import TelemetryConfig, otlp_endpoint, sends_otlp
from .._settings.variables import Signal, exporter_names
from .._upstream.opentelemetry import is_unset, otlp_log_exporter
from .._values.pacing import Pace
from .._values.tally import Tally
from .fitting import Fitting, record_weight, record_without_content
from .receipts import Receipts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

    from opentelemetry.sdk._logs import ReadableLogRecord, ReadWriteLogRecord
    from opentelemetry.sdk.resources import Resource

    from .journal import ProcessJournal


class CountingLogExporter(LogRecordExporter):
    """Passes log records on to another exporter, and counts those that were taken.

    Args:
        exporter: sends the records.
        receipts: what the receiver says of them.

    Attributes:
        taken: how many were.
        fitting: sends them in parts that the receiver takes.
    """

    def __init__(self, exporter: LogRecordExporter, receipts: Receipts) -> None:
        self._exporter = exporter
        self._is_shut_down = False
        self._pace = Pace()
        self.taken = 0
        self.fitting: Fitting[ReadableLogRecord] = Fitting(
            self._send, record_without_content, record_weight, receipts, type(exporter).__module__
        )

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Send a *batch* of records."""
        with self._pace.of(batch) as read:
            taken = self.fitting.deliver(read)
        self.taken += taken
        is_whole = taken == len(batch)
        return LogRecordExportResult.SUCCESS if is_whole else LogRecordExportResult.FAILURE

    def _send(self, batch: Sequence[ReadableLogRecord]) -> bool:
        is_sent = not self._is_shut_down and self._exporter.export(batch)
        return is_sent is LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        """Stop; a request that is being tried again is given up."""
        if not self._is_shut_down:
            self._is_shut_down = True
            self.fitting.close()
            self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the SDK's

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what the exporter holds back."""
        return self._exporter.force_flush(timeout_millis)


class CountingLogProcessor(LogRecordProcessor):
    """Sends log records in batches, and counts each until it is taken.

    Args:
        exporter: sends them.
        receipts: what the receiver says of them.
    """

    def __init__(self, exporter: LogRecordExporter, receipts: Receipts) -> None:
        self.exporter = CountingLogExporter(exporter, receipts)
        self._batches = BatchLogRecordProcessor(self.exporter)
        self._emitted = Tally()
        in_forked_child(self._forget)

    @property
    def unsent(self) -> int:
        """How many were not taken: they wait, or found no room, or could not be sent."""
        return max(self._emitted.total - self.exporter.taken, 0)

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Take a record."""
        self._emitted.add()
        self._batches.on_emit(log_record)

    def shutdown(self) -> None:
        """Send what waits, and stop."""
        self._batches.shutdown()  # type: ignore[no-untyped-call]  # the SDK's

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits."""
        return bool(self._batches.force_flush(timeout_millis))

    def _forget(self) -> None:
        """In a child of a fork: what waits is the parent's."""
        self._emitted = Tally()
        self.exporter.taken = 0


@dataclass(frozen=True, slots=True)
class Logs:
    """OpenTelemetry logs as they are set up for this process.

    Attributes:
        provider: takes the log records; None where they go nowhere.
        owned: the provider again, where it was made here and is to be shut down.
        processors: of that provider, which send.
    """

    provider: _logs.LoggerProvider | None
    owned: LoggerProvider | None = None
    processors: Sequence[CountingLogProcessor] = ()


def set_up_logs(
    config: TelemetryConfig,
    resource: Resource,
    environ: Mapping[str, str],
    console: TextIO,
    journal: ProcessJournal | None,
) -> Logs:
    """Return the application's logger provider, or set one that sends where there is a place.

    Args:
        config: what the variables do not say, or shall not.
        resource: whose log records they are.
        environ: the variables.
        console: where they are shown, if they are to be.
        journal: sends them; None where they are sent without one.
    """
    provider = _logs.get_logger_provider()
    follows = was_shut_down(provider)
    if not is_unset(provider) and not follows:
        return Logs(provider)
    processors: list[CountingLogProcessor] = []
    send = partial(_send, config, processors)
    is_sent = sends_otlp(Signal.LOGS, config, environ)
    is_sent = is_sent and (journal is not None or send() is not None)
    is_shown = "console" in exporter_names(Signal.LOGS, environ)
    if not is_sent and not is_shown:
        return Logs(None)
    made = LoggerProvider(resource, shutdown_on_exit=False)
    if is_shown:
        made.add_log_record_processor(
            SimpleLogRecordProcessor(ConsoleLogRecordExporter(out=console))
        )
    if is_sent and journal is not None:
        # Imported late, as above.
        from .._spool.log_records import JournalLogProcessor  # noqa: PLC0415

        spooling = JournalLogProcessor(journal.queue, send)
        journal.on_failed_logs = spooling.give_way
        made.add_log_record_processor(spooling)
    for processor in processors:
        made.add_log_record_processor(processor)
    if not follows:
        _logs.set_logger_provider(made)
    return Logs(made, made, processors)


def _send(
    config: TelemetryConfig, processors: list[CountingLogProcessor]
) -> CountingLogProcessor | None:
    """Add what sends records to the endpoint to the *processors*; None where nothing can."""
    exporter_class = otlp_log_exporter()
    if exporter_class is None:
        return None
    headers = dict(config.headers) if config.headers is not None else None
    receipts = Receipts()
    exporter = exporter_class(
        otlp_endpoint(Signal.LOGS, config),
        headers=headers,
        session=receipts.session(Signal.LOGS),
    )
    processors.append(CountingLogProcessor(exporter, receipts))
    return processors[-1]
