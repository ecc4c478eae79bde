"""What has changed in a journal since somebody looked: new spans, and those that were open."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Any, Final

from .._details.values import hex_or_none
from .listing import columns, records, summary
from .skeleton import SpanColumns, spans_by_number

if TYPE_CHECKING:
    import sqlite3

MOST_TRACES: Final = 500
MOST_SPANS: Final = 5_000
_FEW: Final = 20_000
_MOST_ARGUMENTS: Final = 900


class TooMuchChangedError(Exception):
    """So much has changed that it is quicker to load anew."""


class TraceChanges:
    """Which traces have changed: those with new spans, and those that were running.

    Args:
        connection: to the journal, from whose state on changes are told.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._last = _newest_span(connection)
        self._running = _running(connection)

    def since(self, connection: sqlite3.Connection) -> dict[str, list[Any]] | None:
        """Return the traces that have changed since the last call, in columns; None where none.

        Raises:
            TooMuchChangedError: more than 500 traces have changed.
        """
        last = _newest_span(connection)
        if last < self._last:
            raise TooMuchChangedError
        rows = connection.execute(
            "SELECT DISTINCT trace FROM spans WHERE id > ? AND id <= ? LIMIT ?",
            (self._last, last, MOST_TRACES + 1),
        )
        # Those that were running may have ended, or are where their streams have come to.
        changed = {trace for (trace,) in rows} | set(self._running)
        running = _running(connection)
        changed = {each for each in changed if each not in self._running} | {
            each for each in changed if running.get(each) != self._running.get(each)
        }
        self._last, self._running = last, running
        if len(changed) > MOST_TRACES:
            raise TooMuchChangedError
        return columns(records(connection, sorted(changed))) if changed else None


class SpanChanges:
    """Which spans of one trace have changed: new ones, and those that were open.

    Args:
        connection: to the journal.
        trace: number of the trace.
        cursor: number of the last span that is known; those that are open are told again.
        origin: what times are counted from, in ns since 1970.
    """

    def __init__(
        self, connection: sqlite3.Connection, trace: int, cursor: int, origin: int
    ) -> None:
        self._trace = trace
        self._last = cursor
        self._origin = origin
        # What was open when the page was loaded may have ended since: it is told at once.
        self._open: dict[int, Any] = dict.fromkeys(
            number
            for (number,) in connection.execute(
                "SELECT id FROM spans WHERE trace = ? AND id <= ? AND "
                "(ended_at IS NULL OR ended_at > ?) ORDER BY id DESC LIMIT ?",
                (trace, cursor, time_ns() - 60_000_000_000, MOST_SPANS),
            )
        )

    def since(self, connection: sqlite3.Connection) -> dict[str, Any] | None:
        """Return the spans that have changed since the last call, in columns; None where none.

        Raises:
            TooMuchChangedError: more than 5,000 spans have changed.
        """
        # By number where little is new in the journal, or else by trace.
        is_little = _newest_span(connection) - self._last < _FEW
        new = connection.execute(
            f"SELECT id FROM spans WHERE id > ? AND {'+' if is_little else ''}trace = ? "  # noqa: S608 - ours
            "ORDER BY id LIMIT ?",
            (self._last, self._trace, MOST_SPANS + 1),
        ).fetchall()
        if len(new) > MOST_SPANS:
            raise TooMuchChangedError
        rows = _rows(connection, [*self._open, *(number for (number,) in new)])
        changed = [row for row in rows if self._open.get(row[0]) != row]
        self._last = max([self._last, *(row[0] for row in rows)])
        self._open = {row[0]: row for row in rows if row[6] is None}
        if not changed:
            return None
        columns = SpanColumns(self._origin)
        columns.add(changed)
        columns.spans["parent_id"] = [hex_or_none(row[2]) for row in changed]
        return {
            **columns.document(),
            "cursor": self._last,
            "summary": summary(connection, self._trace),
        }


def _newest_span(connection: sqlite3.Connection) -> int:
    ((number,),) = connection.execute("SELECT ifnull(max(id), 0) FROM spans")
    return int(number)


def _running(connection: sqlite3.Connection) -> dict[int, tuple[int, int]]:
    rows = connection.execute(
        "SELECT id, spans, open FROM traces INDEXED BY traces_open WHERE open > 0 "
        "ORDER BY started_at DESC LIMIT ?",
        (MOST_TRACES,),
    )
    return {number: (spans, is_open) for number, spans, is_open in rows}


def _rows(connection: sqlite3.Connection, numbers: list[int]) -> list[Any]:
    found: list[Any] = []
    for start in range(0, len(numbers), _MOST_ARGUMENTS):
        found += spans_by_number(connection, numbers[start : start + _MOST_ARGUMENTS])
    return found
