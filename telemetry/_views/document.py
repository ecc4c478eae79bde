"""A trace as the page loads it first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._details.links import links_of_trace
from .listing import summary
from .skeleton import skeleton

if TYPE_CHECKING:
    import sqlite3


def trace_document(connection: sqlite3.Connection, trace: int, most: int) -> dict[str, Any]:
    """Return a trace in a line, its spans in columns, and its links.

    Args:
        connection: to the journal.
        trace: its number.
        most: how many spans at most, the first.
    """
    line = summary(connection, trace)
    made = skeleton(connection, trace, most)
    shown = len(made["spans"]["span_id"])
    return {
        "summary": line,
        "dropped": max(line["spans"] - shown, 0),
        "links": links_of_trace(connection, trace),
        **made,
    }
