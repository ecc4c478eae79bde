"""Spans that were received, checked, and written into the journal."""

from __future__ import annotations

import sqlite3
from threading import Lock
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final, NamedTuple

from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from .._diagnostics import Diagnostics
from .._encoding.rows import Origin
from .._errors import JournalError
from .._journal.recording import record
from .._journal.retention import Retention, make_room
from .._journal.store import Store
from .body import RefusedError
from .conventions import received_row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceRequest,
    )
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from .._encoding.rows import SpanRow

_TRACE_ID: Final = 16
_SPAN_ID: Final = 8
_LATEST: Final = 2**63 - 1
_AT_ONCE: Final = 2_000
_HOUSEKEEPING_EVERY: Final = 30.0
_BUSY_FOR: Final = 2.0
_SOON: Final = 1
# Every span may be known already: it is sent again when an answer was lost.
_ALWAYS: Final = _LATEST


class Taken(NamedTuple):
    """What became of the spans of a request.

    Attributes:
        rejected: how many were not taken.
        reason: why, of the first of them.
    """

    rejected: int
    reason: str


class Taking:
    """Writes received spans into a journal.

    Args:
        path: of the journal, which is made where it is missing.
        retention: how much it keeps.
    """

    def __init__(self, path: Path, retention: Retention) -> None:
        self._retention = retention
        self._store = Store(path, Diagnostics())
        self._lock = Lock()
        self._housekeeping_at = monotonic() + _HOUSEKEEPING_EVERY

    def close(self) -> None:
        """Close the journal."""
        self._store.close()

    def take(self, request: ExportTraceServiceRequest) -> Taken:
        """Write the spans of a request, all that can be taken.

        Raises:
            RefusedError: the journal cannot be written now, or can never be.
        """
        rows: list[SpanRow] = []
        rejected, reason = 0, ""
        for origin, span in _spans(request):
            wrong = _wrong(span)
            if wrong is None:
                rows.append(received_row(span, origin))
            else:
                rejected, reason = rejected + 1, reason or wrong
        with self._lock:
            for start in range(0, len(rows), _AT_ONCE):
                self._write(rows[start : start + _AT_ONCE])
        return Taken(rejected, reason)

    def _write(self, rows: list[SpanRow]) -> None:
        until = monotonic() + _BUSY_FOR
        while True:
            try:
                self._put(rows)
            except JournalError as error:
                raise RefusedError(500, str(error)) from error
            except (sqlite3.Error, OSError) as error:
                if monotonic() >= until:
                    message = f"the journal cannot be written now: {error}"
                    raise RefusedError(503, message, _SOON) from error
                sleep(0.01)
                continue
            return

    def _put(self, rows: list[SpanRow]) -> None:
        with self._store.transaction() as connection:
            self._store.heartbeat(connection)
            record(
                connection,
                rows,
                owner=self._store.owner,
                destination=None,
                known=(),
                since=_ALWAYS,
            )
        if monotonic() >= self._housekeeping_at:
            self._housekeeping_at = monotonic() + _HOUSEKEEPING_EVERY
            make_room(self._store, self._retention)


def _spans(request: ExportTraceServiceRequest) -> Iterator[tuple[Origin, Span]]:
    for group in request.resource_spans:
        resource = ResourceSpans(resource=group.resource, schema_url=group.schema_url)
        made_by = resource.SerializeToString()
        for scope in group.scope_spans:
            library = ScopeSpans(scope=scope.scope, schema_url=scope.schema_url)
            origin = Origin(made_by, library.SerializeToString())
            for span in scope.spans:
                yield origin, span


def _wrong(span: Span) -> str | None:
    """Return what is wrong with a span; None where it can be taken."""
    if len(span.trace_id) != _TRACE_ID or not any(span.trace_id):
        return "a span has no trace_id of 16 bytes that are not all 0"
    if len(span.span_id) != _SPAN_ID or not any(span.span_id):
        return "a span has no span_id of 8 bytes that are not all 0"
    if span.parent_span_id and len(span.parent_span_id) != _SPAN_ID:
        return "a span's parent_span_id does not have 8 bytes"
    if not 0 < span.start_time_unix_nano <= _LATEST or span.end_time_unix_nano > _LATEST:
        return "a span has no start_time_unix_nano, or a time beyond the year 2262"
    if span.end_time_unix_nano and span.end_time_unix_nano < span.start_time_unix_nano:
        return "a span ends before it starts"
    return None
