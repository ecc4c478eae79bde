"""Finds the trace that somebody names: by its id, the beginning of it, a run's id, or `last`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .._errors import AmbiguousTraceError, TraceNotFoundError

if TYPE_CHECKING:
    import sqlite3

_LAST: Final = "last"
_PREFIX: Final = re.compile(r"[0-9a-f]{1,32}")
_SHOWN: Final = 5


def trace_number(connection: sqlite3.Connection, name: str) -> int:
    """Return the number of the trace of a name.

    Raises:
        TraceNotFoundError: there is none.
        AmbiguousTraceError: there are several.
    """
    text = name.strip().lower()
    found = _newest(connection) if text == _LAST else _named(connection, text.replace("-", ""))
    if not found:
        raise TraceNotFoundError(f"the journal has no trace or run {name!r}")
    if len(found) > 1:
        ids = ", ".join(trace_id.hex() for _, trace_id in found[:_SHOWN])
        raise AmbiguousTraceError(f"several traces begin with {name!r}: {ids}; give more of it")
    return found[0][0]


def span_number(connection: sqlite3.Connection, trace: int, span_id: str) -> int:
    """Return the number of a span of a trace.

    Raises:
        TraceNotFoundError: the trace has none of that id.
    """
    try:
        encoded = bytes.fromhex(span_id)
    except ValueError:
        encoded = b""
    row = connection.execute(
        "SELECT id FROM spans WHERE trace = ? AND span_id = ?", (trace, encoded)
    ).fetchone()
    if row is None:
        raise TraceNotFoundError(f"the trace has no span {span_id!r}")
    return int(row[0])


def _newest(connection: sqlite3.Connection) -> list[tuple[int, bytes]]:
    query = "SELECT id, trace_id FROM traces ORDER BY started_at DESC, id DESC LIMIT 1"
    return connection.execute(query).fetchall()


def _named(connection: sqlite3.Connection, digits: str) -> list[tuple[int, bytes]]:
    if not _PREFIX.fullmatch(digits):
        return []
    first, last = (bytes.fromhex(digits.ljust(32, fill)) for fill in "0f")
    return connection.execute(
        "SELECT id, trace_id FROM traces WHERE id IN ("
        "SELECT id FROM (SELECT id FROM traces WHERE trace_id BETWEEN ? AND ? LIMIT ?) UNION "
        "SELECT trace FROM (SELECT trace FROM spans WHERE run_id BETWEEN ? AND ? LIMIT ?))",
        (first, last, _SHOWN + 1) * 2,
    ).fetchall()
