"""Puts log records on the way of the journal's spans."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.sdk._logs import (
    LogRecordLimits,
    LogRecordProcessor,
    ReadableLogRecord,
    ReadWriteLogRecord,
)
from opentelemetry.sdk.resources import Resource

from .._journal.processor import Logged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .._journal.processor import Queue


class JournalLogProcessor(LogRecordProcessor):
    """Puts log records into the queue of a journal's writer.

    Args:
        queue: of the writer.
        otherwise: makes what takes the records where there can be no journal after all.
    """

    def __init__(self, queue: Queue, otherwise: Callable[[], LogRecordProcessor | None]) -> None:
        self._queue = queue
        self._otherwise = otherwise
        self._instead: LogRecordProcessor | None = None

    def give_way(self, waiting: Sequence[Logged]) -> None:
        """Have records take the other way from now on, those too that are still *waiting*."""
        instead = self._instead = self._otherwise() or _Nowhere()
        for entry in waiting:
            record = entry.record
            instead.on_emit(
                ReadWriteLogRecord(
                    record.log_record,
                    record.resource,
                    record.instrumentation_scope,
                    record.limits or LogRecordLimits(),
                )
            )

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Take a record, without the context that it was written in, which may be large."""
        if self._instead is not None:
            self._instead.on_emit(log_record)
            return
        record = copy.copy(log_record.log_record)
        record.context = Context()
        resource = log_record.resource if log_record.resource is not None else Resource({})
        scope = log_record.instrumentation_scope
        self._queue.put(
            Logged(ReadableLogRecord(record, resource, scope, limits=log_record.limits))
        )

    def shutdown(self) -> None:
        """Shut down what takes the records instead: the journal's maker stops the journal."""
        if self._instead is not None:
            self._instead.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush what takes the records instead: the journal's maker flushes the journal."""
        return self._instead is None or self._instead.force_flush(timeout_millis)


class _Nowhere(LogRecordProcessor):
    """Takes records where there is no way for them."""

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Drop a record."""

    def shutdown(self) -> None:
        """Do nothing."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's
        """Do nothing."""
        return True
