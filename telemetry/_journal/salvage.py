"""Reads what can be read of a damaged journal into a new one."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from .._encoding.rows import Origin, row_of
from .file import UNREADABLE
from .recording import record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .._encoding.rows import SpanRow

# So many spans at a time; of a damaged file so long, in s: a program waits for nobody's past.
_AT_ONCE: Final = 500
_MOST_SECONDS: Final = 10.0
_MOST_IN_A_PAGE: Final = 20
_NOWHERE: Final = Origin(b"", b"")
_LENGTH_OF_RUN_ID: Final = 16
# Of what SQLite holds as an integer.
_LATEST: Final = 2**63 - 1
# What there was: by whichever of these can be read.
_COUNTED: Final = (
    "SELECT count(*) FROM spans",
    "SELECT count(*) FROM spans NOT INDEXED",
    "SELECT sum(spans) FROM traces",
)


def salvage(
    broken: Path, connection: sqlite3.Connection, *, seconds: float = _MOST_SECONDS
) -> tuple[int, int | None]:
    """Copy the spans that a damaged journal still gives.

    What was owed to an endpoint is owed no longer: how much of it was taken is not known.

    Args:
        broken: its file.
        connection: to the new journal.
        seconds: how long it may take.

    Returns: How many there are, and how many the damaged one had beside; None where nothing tells.
    """
    old = sqlite3.connect(broken, isolation_level=None)
    old.text_factory = bytes  # a text may be none by now
    copied = 0
    try:
        with suppress(*UNREADABLE):
            # A table or an index that its text does not make any longer leaves the others usable.
            old.execute("PRAGMA writable_schema = ON")
        counted = _counted(old)
        origins = _origins(old)
        for rows in _batches(old, origins, monotonic() + seconds):
            connection.execute("BEGIN IMMEDIATE")
            record(connection, rows, owner=None, destination=None, known=(), since=0)
            connection.execute("COMMIT")
            copied += len(rows)
    finally:
        old.close()
    return copied, max(counted - copied, 0) if counted is not None else None


def _counted(old: sqlite3.Connection) -> int | None:
    """Return how many spans there were; None where nothing tells."""
    for query in _COUNTED:
        with suppress(*UNREADABLE):
            (count,) = old.execute(query).fetchone()
            if isinstance(count, int):
                return count
    return None


def _origins(old: sqlite3.Connection) -> dict[int, Origin]:
    try:
        rows = old.execute("SELECT id, resource, scope FROM origins").fetchall()
    except UNREADABLE:
        return {}
    return {
        number: Origin(resource, scope)
        for number, resource, scope in rows
        if _tells(resource, scope)
    }


def _tells(resource: Any, scope: Any) -> bool:
    """Say whether what has made spans can be decoded."""
    # Imported late: hardly any program meets a damaged journal.
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans  # noqa: PLC0415

    try:
        ResourceSpans.FromString(resource)
        ScopeSpans.FromString(scope)
    except Exception:  # noqa: BLE001 - damaged data may be anything
        return False
    return True


def _batches(
    old: sqlite3.Connection, origins: dict[int, Origin], deadline: float
) -> Iterator[list[SpanRow]]:
    first, last = _bounds(old)
    while first <= last and monotonic() < deadline:
        found = list(_readable(old, first, min(first + _AT_ONCE, _LATEST)))
        if found:
            yield [row for row in (_row(*each, origins) for each in found) if row is not None]
        first += _AT_ONCE
        if not found and first <= last:
            first = _next(old, first)


def _next(old: sqlite3.Connection, number: int) -> int:
    """Return the number of the next span from one on: a damaged number may be far away."""
    with suppress(*UNREADABLE):
        (found,) = old.execute("SELECT min(id) FROM spans WHERE id >= ?", (number,)).fetchone()
        return int(found) if found is not None else _LATEST + 1
    return number


def _bounds(old: sqlite3.Connection) -> tuple[int, int]:
    """Return the numbers of the first and the last span, as far as can be told."""
    try:
        (pages,) = old.execute("PRAGMA page_count").fetchone()
    except UNREADABLE:
        return 0, -1
    numbers = []
    for query, otherwise in (("min", 0), ("max", pages * _MOST_IN_A_PAGE)):
        try:
            (number,) = old.execute(f"SELECT {query}(id) FROM spans").fetchone()  # noqa: S608 - ours
        except UNREADABLE:
            number = otherwise
        numbers.append(number if number is not None else -1)
    return max(numbers[0], 0), numbers[1]


def _readable(
    old: sqlite3.Connection, first: int, end: int
) -> Iterator[tuple[int, bytes | None, bytes]]:
    """Yield what can be read from *first* to before *end*, halving where it cannot."""
    try:
        yield from old.execute(
            "SELECT origin, run_id, span FROM spans WHERE id >= ? AND id < ?", (first, end)
        ).fetchall()
    except UNREADABLE:
        if end - first > 1:
            middle = (first + end) // 2
            yield from _readable(old, first, middle)
            yield from _readable(old, middle, end)


def _row(
    origin: int, run_id: bytes | None, encoded: bytes, origins: dict[int, Origin]
) -> SpanRow | None:
    # Imported late: hardly any program meets a damaged journal.
    from opentelemetry.proto.trace.v1.trace_pb2 import Span  # noqa: PLC0415

    try:
        span = Span.FromString(encoded)
    except Exception:  # noqa: BLE001 - damaged data may be anything
        return None
    is_named = len(span.trace_id) == 16 and len(span.span_id) == 8  # noqa: PLR2004 - OTLP's lengths
    has_times = span.start_time_unix_nano <= _LATEST and 0 < span.end_time_unix_nano <= _LATEST
    if not (is_named and has_times):
        return None
    is_known = isinstance(run_id, bytes) and len(run_id) == _LENGTH_OF_RUN_ID
    return row_of(span, origins.get(origin, _NOWHERE), run_id if is_known else None)
