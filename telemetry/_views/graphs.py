"""The shapes of the graphs that a trace ran, as LangGraph told them, and the visits of nodes."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from .._details.values import NODE
from .._reading.decoding import attributes_of
from .._reading.records import RUNNING
from .._semconv import names as semconv

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

_MOST_GRAPHS: Final = 50
_MOST_LISTED: Final = 50
_GRAPHS: Final = ("invoke_agent", "invoke_workflow")
_NO_GRAPH: Final = "no graph of LangGraph's ran in this trace"
_NOT_RECORDED: Final = (
    "the graph's shape was not recorded: it ran before this version of nodespan, in a program "
    "that sends its spans here over OTLP, or LangGraph could not draw it"
)


def graphs_of_trace(connection: sqlite3.Connection, trace: int) -> dict[str, Any]:
    """Return the graphs of a trace, and how their nodes were visited."""
    spans = connection.execute(
        "SELECT span_id, parent_id, name, operation, started_at, ended_at, outcome "
        "FROM spans WHERE trace = ? ORDER BY started_at, id",
        (trace,),
    ).fetchall()
    runs = [row for row in spans if row[3] in _GRAPHS]
    ids = _graph_ids(connection, trace, [row[0] for row in runs])
    known = _topologies(connection, set(ids.values()))
    reason = None if known else _NOT_RECORDED if runs else _NO_GRAPH
    origin = spans[0][4] if spans else 0
    return {
        "is_known": bool(known),
        "reason": reason,
        "graphs": list(known.values()),
        "visits": _visits(spans, ids, origin),
    }


def _graph_ids(
    connection: sqlite3.Connection, trace: int, span_ids: Sequence[bytes]
) -> dict[bytes, str]:
    """Return which graph each span is a run of; graphs run often, so the first few tell."""
    found: dict[bytes, str] = {}
    for span_id in span_ids[: _MOST_GRAPHS * 20]:
        (encoded,) = connection.execute(
            "SELECT span FROM spans WHERE trace = ? AND span_id = ?", (trace, span_id)
        ).fetchone()
        said = attributes_of(Span.FromString(encoded).attributes)
        identity = said.get(semconv.LANGGRAPH_GRAPH_ID)
        if isinstance(identity, str):
            found[span_id] = identity
    return found


def _topologies(connection: sqlite3.Connection, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    has_table = connection.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'graphs'"
    ).fetchone()
    if has_table is None:
        return {}
    found = {}
    for identity in sorted(ids)[:_MOST_GRAPHS]:
        row = connection.execute(
            "SELECT topology FROM graphs WHERE graph_id = ?", (identity,)
        ).fetchone()
        if row is not None:
            found[identity] = {"id": identity, **json.loads(row[0])}
    return found


def _visits(spans: Sequence[Any], ids: Mapping[bytes, str], origin: int) -> list[dict[str, Any]]:
    graph_of = _nearest_graphs(spans, ids)
    groups: dict[tuple[str | None, str], list[Any]] = {}
    for row in spans:
        if row[2].startswith(NODE) and row[3] is None:
            groups.setdefault((graph_of.get(row[0]), row[2].removeprefix(NODE)), []).append(row)
    return [_visit(graph, node, rows, origin) for (graph, node), rows in groups.items()]


def _nearest_graphs(spans: Sequence[Any], ids: Mapping[bytes, str]) -> dict[bytes, str]:
    """Return for spans which graph they ran in: that of the nearest run of one above them."""
    parents = {row[0]: row[1] for row in spans}
    graphs = {row[0] for row in spans if row[3] in _GRAPHS}
    found: dict[bytes, str] = {}
    above: dict[bytes, bytes | None] = {}
    for row in spans:
        path, place = [], row[1]
        seen = {row[0]}
        while place is not None and place not in graphs and place not in above:
            if place in seen:
                break
            seen.add(place)
            path.append(place)
            place = parents.get(place)
        graph = place if place in graphs else above.get(place) if place is not None else None
        above.update(dict.fromkeys([row[0], *path], graph))
        if graph is not None and graph in ids:
            found[row[0]] = ids[graph]
    return found


def _visit(graph: str | None, node: str, rows: Sequence[Any], origin: int) -> dict[str, Any]:
    took = [(end - start) / 1e6 for *_, start, end, _ in rows if end is not None]
    outcomes = Counter(row[6] if row[5] is not None else RUNNING for row in rows)
    return {
        "graph": graph,
        "node": node,
        "visits": len(rows),
        "running": outcomes[RUNNING],
        "errors": outcomes["error"] + outcomes["lost"],
        "outcomes": dict(outcomes),
        "total_ms": sum(took),
        "max_ms": max(took, default=0.0),
        "first_us": (rows[0][4] - origin) // 1000,
        "spans": [row[0].hex() for row in rows[:_MOST_LISTED]],
    }
