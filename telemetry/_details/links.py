"""Links between traces, both ways: what a run resumes, and what has resumed it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from .._semconv import names as semconv

if TYPE_CHECKING:
    import sqlite3

_MOST_LINKS: Final = 50
_MOST_LATER: Final = 100


def links_from(connection: sqlite3.Connection, span: Span) -> list[dict[str, Any]]:
    """Return what a span links to."""
    return [
        {
            "trace_id": link.trace_id.hex(),
            "span_id": link.span_id.hex(),
            "from_span": span.span_id.hex(),
            "kind": "resumes" if _resumes(link) else "other",
            **_named(connection, link.trace_id),
        }
        for link in span.links[:_MOST_LINKS]
    ]


def links_of_trace(connection: sqlite3.Connection, trace: int) -> list[dict[str, Any]]:
    """Return what the roots of a trace link to, and which traces of its conversation link to it."""
    found = [link for span in _roots(connection, trace) for link in links_from(connection, span)]
    return found + _resumed_by(connection, trace)


def resumed_trace(connection: sqlite3.Connection, trace: int) -> str | None:
    """Return the id of the trace that a trace resumes."""
    for span in _roots(connection, trace):
        for link in span.links:
            if _resumes(link):
                return link.trace_id.hex()
    return None


def _resumed_by(connection: sqlite3.Connection, trace: int) -> list[dict[str, Any]]:
    row = connection.execute(
        "SELECT trace_id, conversation, started_at FROM traces WHERE id = ?", (trace,)
    ).fetchone()
    if row is None or row[1] is None:
        return []
    later = connection.execute(
        "SELECT id, name FROM traces WHERE conversation = ? AND started_at >= ? AND id != ? "
        "ORDER BY started_at LIMIT ?",
        (row[1], row[2], trace, _MOST_LATER),
    ).fetchall()
    return [
        {
            "trace_id": span.trace_id.hex(),
            "span_id": span.span_id.hex(),
            "from_span": link.span_id.hex(),
            "kind": "resumed_by" if _resumes(link) else "other",
            "known": True,
            "name": name or "",
        }
        for number, name in later
        for span in _roots(connection, number)
        for link in span.links
        if link.trace_id == row[0]
    ]


def _roots(connection: sqlite3.Connection, trace: int) -> list[Span]:
    rows = connection.execute(
        "SELECT s.span FROM spans AS s JOIN traces AS t ON t.id = s.trace "
        "WHERE s.trace = ? AND s.span_id = t.root_id",
        (trace,),
    )
    return [Span.FromString(encoded) for (encoded,) in rows]


def _resumes(link: Span.Link) -> bool:
    return any(item.key == semconv.LANGGRAPH_CHECKPOINT_ID for item in link.attributes)


def _named(connection: sqlite3.Connection, trace_id: bytes) -> dict[str, Any]:
    row = connection.execute("SELECT name FROM traces WHERE trace_id = ?", (trace_id,)).fetchone()
    return {"known": row is not None, "name": (row[0] or "") if row is not None else ""}
