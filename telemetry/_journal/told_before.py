"""Holds spans that a journal may know already, from elsewhere, against what it knows."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from .._encoding.rows import SpanRow

# With two arguments each: SQLite takes 999 everywhere.
_AT_ONCE: Final = 400

_KNOWN: Final = """
SELECT t.trace_id, s.span_id, s.ended_at IS NULL, s.span FROM (VALUES {rows}) AS asked
CROSS JOIN traces AS t ON t.trace_id = asked.column1
CROSS JOIN spans AS s ON s.trace = t.id AND s.span_id = asked.column2
"""


class ToldBefore(NamedTuple):
    """What a journal knows of spans.

    Attributes:
        news: those that it does not know as they are.
        opened: trace and span of those that it knows as open: they are counted, and told again.
        changed: traces with a span that it has counted as ended otherwise: to be summed up anew.
    """

    news: list[SpanRow]
    opened: set[tuple[bytes, bytes]]
    changed: set[bytes]


def told_before(connection: sqlite3.Connection, rows: Sequence[SpanRow]) -> ToldBefore:
    """Hold rows against a journal; of one that comes twice, the last counts."""
    told = {
        (trace_id, span_id): (is_open, span)
        for trace_id, span_id, is_open, span in _known(connection, rows)
    }
    found = ToldBefore([], set(), set())
    for key, row in {(row.trace_id, row.span_id): row for row in rows}.items():
        is_open, span = told.get(key, (False, None))
        if span == row.span:
            continue
        found.news.append(row)
        if is_open:
            found.opened.add(key)
        elif span is not None:
            found.changed.add(row.trace_id)
    return found


def _known(
    connection: sqlite3.Connection, rows: Sequence[SpanRow]
) -> Iterator[tuple[bytes, bytes, int, bytes]]:
    for first in range(0, len(rows), _AT_ONCE):
        some = rows[first : first + _AT_ONCE]
        query = _KNOWN.format(rows=", ".join(["(?, ?)"] * len(some)))
        yield from connection.execute(
            query, list(chain.from_iterable((row.trace_id, row.span_id) for row in some))
        )
