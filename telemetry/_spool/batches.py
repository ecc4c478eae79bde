"""What is owed to an endpoint, oldest first, as requests of a size that it takes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Final, NamedTuple

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from .._settings.variables import Signal
from .sizes import CONTENT, LONG, MOST_BYTES

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

MOST_ITEMS: Final = 2_000
# With three arguments each: SQLite takes 999 everywhere.
_A_STATEMENT: Final = 300

_OWED_SPANS: Final = """
SELECT s.id, s.ended_at, s.owner, o.resource, o.scope, s.span
FROM spans AS s INDEXED BY spans_owed JOIN origins AS o ON o.id = s.origin
WHERE s.destination = ? AND s.ended_at IS NOT NULL AND s.refusal IS NULL
ORDER BY s.id LIMIT ?
"""
_OWED_LOGS: Final = """
SELECT l.id, l.at, l.owner, o.resource, o.scope, l.record
FROM log_records AS l JOIN origins AS o ON o.id = l.origin
WHERE l.destination = ? ORDER BY l.id LIMIT ?
"""


class Item(NamedTuple):
    """A span or a log record that is owed."""

    number: int
    at: int
    owner: int | None
    resource: bytes
    scope: bytes
    encoded: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes into one request.

    Attributes:
        signal: traces or logs.
        items: in order.
    """

    signal: Signal
    items: Sequence[Item]

    def halves(self) -> tuple[Batch, Batch]:
        """Return two batches of it."""
        middle = len(self.items) // 2
        return Batch(self.signal, self.items[:middle]), Batch(self.signal, self.items[middle:])

    def request(self) -> bytes:
        """Return it as a request of OTLP, encoded.

        Raises:
            DecodeError: an item is damaged.
        """
        return _of_spans(self.items) if self.signal is Signal.TRACES else _of_logs(self.items)

    def readable(self) -> tuple[Batch, Batch]:
        """Return two batches of it: what can be decoded, and what is damaged."""
        damaged = [item for item in self.items if not Batch(self.signal, [item]).is_readable]
        numbers = {item.number for item in damaged}
        sound = [item for item in self.items if item.number not in numbers]
        return Batch(self.signal, sound), Batch(self.signal, damaged)

    @property
    def is_readable(self) -> bool:
        """Whether all of it can be decoded."""
        try:
            self.request()
        except DecodeError:
            return False
        return True

    def without_content(self) -> Batch:
        """Return it with nothing of what people wrote or a model said, nor any long text."""
        stripped = _span_without if self.signal is Signal.TRACES else _record_without
        items = [item._replace(encoded=stripped(item.encoded)) for item in self.items]
        return Batch(self.signal, items)


def owed(
    connection: sqlite3.Connection, signal: Signal, destination: int, most: int
) -> Batch | None:
    """Return the oldest of what is owed to a destination, *most* at most; None where nothing is."""
    query = _OWED_SPANS if signal is Signal.TRACES else _OWED_LOGS
    items = [Item(*row) for row in connection.execute(query, (destination, most))]
    sizes = accumulate(len(item.encoded) for item in items)
    fitting = sum(size <= MOST_BYTES for size in sizes)
    return Batch(signal, items[: max(fitting, 1)]) if items else None


def settle(connection: sqlite3.Connection, batch: Batch) -> None:
    """Take note that what a batch holds is owed no longer; spans that have changed since are."""
    if batch.signal is Signal.TRACES:
        _set(connection, batch, "destination", None)
    else:
        for some in _parts(batch):
            marks = ", ".join("?" * len(some))
            connection.execute(
                f"DELETE FROM log_records WHERE id IN ({marks})",  # noqa: S608 - ours
                [item.number for item in some],
            )


def set_aside(connection: sqlite3.Connection, batch: Batch, reason: str) -> None:
    """Take note that what a batch holds was refused for good."""
    if batch.signal is Signal.TRACES:
        _set(connection, batch, "refusal", reason)
    else:
        settle(connection, batch)


def _set(connection: sqlite3.Connection, batch: Batch, column: str, value: str | None) -> None:
    for some in _parts(batch):
        ids, ends = ", ".join("?" * len(some)), ", ".join(["(?, ?)"] * len(some))
        # The ids alone are looked for in the table; spans that have changed since fail the rest.
        connection.execute(
            f"UPDATE spans SET {column} = ? WHERE id IN ({ids}) "  # noqa: S608 - ours
            f"AND (id, ended_at) IN (VALUES {ends})",
            [
                value,
                *(item.number for item in some),
                *chain.from_iterable((item.number, item.at) for item in some),
            ],
        )


def _parts(batch: Batch) -> Iterator[Sequence[Item]]:
    """Yield parts that fit a statement each, of which few are faster than many: see `put`."""
    return (
        batch.items[first : first + _A_STATEMENT]
        for first in range(0, len(batch.items), _A_STATEMENT)
    )


def _of_spans(items: Sequence[Item]) -> bytes:
    request = ExportTraceServiceRequest()
    resources: dict[bytes, ResourceSpans] = {}
    scopes: dict[tuple[bytes, bytes], ScopeSpans] = {}
    for item in items:
        scope = scopes.get((item.resource, item.scope))
        if scope is None:
            group = resources.get(item.resource)
            if group is None:
                group = resources[item.resource] = request.resource_spans.add()
                group.MergeFromString(item.resource)
            scope = scopes[item.resource, item.scope] = group.scope_spans.add()
            scope.MergeFromString(item.scope)
        scope.spans.add().MergeFromString(item.encoded)
    return request.SerializeToString()


def _of_logs(items: Sequence[Item]) -> bytes:
    request = ExportLogsServiceRequest()
    resources: dict[bytes, ResourceLogs] = {}
    scopes: dict[tuple[bytes, bytes], ScopeLogs] = {}
    for item in items:
        scope = scopes.get((item.resource, item.scope))
        if scope is None:
            group = resources.get(item.resource)
            if group is None:
                group = resources[item.resource] = request.resource_logs.add()
                group.MergeFromString(item.resource)
            scope = scopes[item.resource, item.scope] = group.scope_logs.add()
            scope.MergeFromString(item.scope)
        scope.log_records.add().MergeFromString(item.encoded)
    return request.SerializeToString()


def _span_without(encoded: bytes) -> bytes:
    span = Span.FromString(encoded)
    _drop_texts(span)
    for event in span.events:
        _drop_texts(event)
    for link in span.links:
        _drop_texts(link)
    return span.SerializeToString()


def _record_without(encoded: bytes) -> bytes:
    record = LogRecord.FromString(encoded)
    _drop_texts(record)
    if record.body.ByteSize() > LONG:
        record.ClearField("body")
    return record.SerializeToString()


def _drop_texts(holder: Span | Span.Event | Span.Link | LogRecord) -> None:
    kept = [
        item
        for item in holder.attributes
        if item.key not in CONTENT and item.value.ByteSize() <= LONG
    ]
    holder.dropped_attributes_count += len(holder.attributes) - len(kept)
    del holder.attributes[:]
    holder.attributes.extend(kept)
