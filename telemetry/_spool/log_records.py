"""Puts log records on the way of the journal's spans."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord
from opentelemetry.sdk.resources import Resource

from .._journal.processor import Logged

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadWriteLogRecord

    from .._journal.processor import Queue


class JournalLogProcessor(LogRecordProcessor):
    """Puts log records into the queue of a journal's writer.

    Args:
        queue: of the writer.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Take a record, without the context that it was written in, which may be large."""
        record = copy.copy(log_record.log_record)
        record.context = Context()
        resource = log_record.resource if log_record.resource is not None else Resource({})
        scope = log_record.instrumentation_scope
        self._queue.put(
            Logged(ReadableLogRecord(record, resource, scope, limits=log_record.limits))
        )

    def shutdown(self) -> None:
        """Do nothing: the journal's maker stops the journal."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's
        """Do nothing: the journal's maker flushes the journal."""
        return True
