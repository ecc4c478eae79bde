"""Reads what can be read of a damaged journal into a new one."""

from __future__ import annotations

import sqlite3
from time import monotonic
from typing import TYPE_CHECKING, Final

from .._encoding.rows import Origin, row_of
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


def salvage(broken: Path, connection: sqlite3.Connection) -> int:
    """Copy the spans that a damaged journal still gives, and return how many.

    What was owed to an endpoint is owed no longer: how much of it was taken is not known.

    Args:
        broken: its file.
        connection: to the new journal.
    """
    old = sqlite3.connect(broken, isolation_level=None)
    copied = 0
    try:
        origins = _origins(old)
        for rows in _batches(old, origins):
            connection.execute("BEGIN IMMEDIATE")
            record(connection, rows, owner=None, destination=None, known=(), since=0)
            connection.execute("COMMIT")
            copied += len(rows)
    finally:
        old.close()
    return copied


def _origins(old: sqlite3.Connection) -> dict[int, Origin]:
    try:
        rows = old.execute("SELECT id, resource, scope FROM origins").fetchall()
    except sqlite3.Error:
        return {}
    return {number: Origin(resource, scope) for number, resource, scope in rows}


def _batches(old: sqlite3.Connection, origins: dict[int, Origin]) -> Iterator[list[SpanRow]]:
    deadline = monotonic() + _MOST_SECONDS
    first, last = _bounds(old)
    while first <= last and monotonic() < deadline:
        found = list(_readable(old, first, first + _AT_ONCE))
        if found:
            yield [row for row in (_row(*each, origins) for each in found) if row is not None]
        first += _AT_ONCE


def _bounds(old: sqlite3.Connection) -> tuple[int, int]:
    """Return the numbers of the first and the last span, as far as can be told."""
    try:
        (pages,) = old.execute("PRAGMA page_count").fetchone()
    except sqlite3.Error:
        return 0, -1
    numbers = []
    for query, otherwise in (("min", 0), ("max", pages * _MOST_IN_A_PAGE)):
        try:
            (number,) = old.execute(f"SELECT {query}(id) FROM spans").fetchone()  # noqa: S608 - ours
        except sqlite3.Error:
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
    except sqlite3.Error:
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
    is_whole = len(span.trace_id) == 16 and len(span.span_id) == 8 and span.end_time_unix_nano  # noqa: PLR2004 - OTLP's lengths
    return row_of(span, origins.get(origin, _NOWHERE), run_id) if is_whole else None
