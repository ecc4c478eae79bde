"""The graphs that have run in this process, until their shapes are in the journal.

A run costs a look into a table: a graph's shape is told by LangGraph once, to the journal's thread.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any, Final
from weakref import WeakKeyDictionary

from .._process import process_wide

MOST_GRAPHS: Final = 256
_MOST_NODES: Final = 1_000
_MOST_CHARACTERS: Final = 256
_ENDS: Final = {"__start__": "start", "__end__": "end"}


class Graphs:
    """The graphs that have run, each known by what tells one shape from another."""

    def __init__(self) -> None:
        # No lock: each step is one of a dictionary's own, and a fork may come between any two.
        self._ids: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
        self._shapes: dict[str, Any] = {}

    @property
    def count(self) -> int:
        """How many shapes there are."""
        return len(self._shapes)

    def identify(self, graph: Any) -> str | None:
        """Return the id of a graph that runs; None where it has none, or there are too many.

        Args:
            graph: LangGraph's; a copy of it with another config has the same shape.
        """
        builder = getattr(graph, "builder", graph)
        known = self._ids.get(builder)
        if known is None and len(self._shapes) < MOST_GRAPHS:
            known = self._ids[builder] = _identity(graph)
            self._shapes.setdefault(known, graph)
        return known

    def shapes(self) -> list[tuple[str, str]]:
        """Return the ids and the shapes, as JSON; those that LangGraph cannot draw are left out."""
        found = []
        for identity, shape in list(self._shapes.items()):
            drawn = shape if isinstance(shape, str) else _drawn(shape)
            # The graph itself is needed no longer.
            self._shapes[identity] = drawn
            if drawn:
                found.append((identity, drawn))
        return found


GRAPHS: Final = process_wide(Graphs)


def _identity(graph: Any) -> str:
    """Return what tells the shape of a graph from any other's, without drawing it."""
    builder = getattr(graph, "builder", None)
    branches = getattr(builder, "branches", {})
    told = (
        graph.get_name(),
        [(name, sorted(map(str, node.triggers))) for name, node in graph.nodes.items()],
        sorted(map(str, getattr(builder, "edges", ()))),
        [
            (source, name, sorted((branch.ends or {}).items(), key=str))
            for source, named in branches.items()
            for name, branch in named.items()
        ],
    )
    return sha256(repr(told).encode("utf-8", "replace")).hexdigest()[:16]


def _drawn(graph: Any) -> str:
    """Return the shape of a graph as JSON; an empty text where it cannot be told."""
    try:
        drawn = graph.get_graph()
        if len(drawn.nodes) > _MOST_NODES or len(drawn.edges) > 4 * _MOST_NODES:
            return ""
        shape = {
            "name": _text(graph.get_name()),
            "nodes": [_node(name, node) for name, node in drawn.nodes.items()],
            "edges": [_edge(edge) for edge in drawn.edges],
        }
        return json.dumps(shape)
    except Exception:  # noqa: BLE001 - a graph of any make; telemetry goes on without its shape
        return ""


def _node(name: str, node: Any) -> dict[str, Any]:
    # By what it has: to import LangGraph's class would cost who only writes a journal.
    is_graph = hasattr(node.data, "get_graph") and hasattr(node.data, "stream_channels")
    kind = _ENDS.get(name, "subgraph" if is_graph else "node")
    return {"id": _text(name), "name": _text(node.name), "type": kind, "depth": 0}


def _edge(edge: Any) -> dict[str, Any]:
    return {
        "source": _text(edge.source),
        "target": _text(edge.target),
        "is_conditional": bool(edge.conditional),
        "label": _text(edge.data) if edge.data is not None else None,
    }


def _text(value: object) -> str:
    return str(value)[:_MOST_CHARACTERS]
