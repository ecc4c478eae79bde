"""Two traces side by side: what differs in structure, time, tokens, cost and parameters."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from .._details.values import kind_of, ms
from .._reading.decoding import attributes_of
from .._reading.records import RUNNING
from .._semconv import names as semconv
from .listing import summary

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence

_MOST_SPANS: Final = 20_000
_MOST_MODELS: Final = 500
_MUCH_LONGER: Final = 1.5
_LONGER_MS: Final = 10.0
_SAID: Final = ("outcome", "error", "model", "input_tokens", "output_tokens", "cost")
_PARAMETERS: Final = (f"{semconv.IDENTIFYING_PARAMS}.", "gen_ai.request.")


class _Node:
    __slots__ = ("children", "key", "side")

    def __init__(self, key: tuple[str, str], side: dict[str, Any]) -> None:
        self.key = key
        self.side = side
        self.children: list[_Node] = []


def comparison(connection: sqlite3.Connection, left: int, right: int) -> dict[str, Any]:
    """Return two traces, row by row: each span beside the one that has its place in the other."""
    left_roots, left_more = _tree(connection, left)
    right_roots, right_more = _tree(connection, right)
    return {
        "left": summary(connection, left),
        "right": summary(connection, right),
        "rows": list(_rows(left_roots, right_roots)),
        "parameters": _different(_parameters(connection, left), _parameters(connection, right)),
        "dropped": left_more + right_more,
    }


def _tree(connection: sqlite3.Connection, trace: int) -> tuple[list[_Node], int]:
    rows = connection.execute(
        "SELECT span_id, parent_id, name, operation, started_at, ended_at, outcome, error, model, "
        "input_tokens, output_tokens, cost, first_chunk_at FROM spans WHERE trace = ? "
        "ORDER BY started_at, id LIMIT ?",
        (trace, _MOST_SPANS + 1),
    ).fetchall()
    nodes = {row[0]: _node(row) for row in rows[:_MOST_SPANS]}
    roots: list[_Node] = []
    for row in rows[:_MOST_SPANS]:
        above = nodes.get(row[1]) if row[1] != row[0] else None
        (above.children if above is not None else roots).append(nodes[row[0]])
    return roots, max(len(rows) - _MOST_SPANS, 0)


def _node(row: Sequence[Any]) -> _Node:
    (
        span_id, _, name, operation, start, end, outcome, error, model, given, made, cost, first,
    ) = row  # fmt: skip
    side = {
        "span_id": span_id.hex(),
        "duration_ms": ms(end - start) if end is not None else None,
        "outcome": outcome if end is not None else RUNNING,
        "error": error,
        "input_tokens": given,
        "output_tokens": made,
        "cost": cost,
        "model": model,
        "first_chunk_ms": ms(first - start) if first is not None else None,
    }
    return _Node((kind_of(operation, name), name), side)


def _rows(left: Sequence[_Node], right: Sequence[_Node]) -> Iterator[dict[str, Any]]:
    # No recursion: a trace may be deeper than Python's stack.
    waiting = [(0, *pair) for pair in reversed(_paired(left, right))]
    while waiting:
        depth, one, other = waiting.pop()
        yield _row(depth, one, other)
        beneath = _paired(one.children if one else (), other.children if other else ())
        waiting += [(depth + 1, *pair) for pair in reversed(beneath)]


def _paired(
    left: Sequence[_Node], right: Sequence[_Node]
) -> list[tuple[_Node | None, _Node | None]]:
    """Pair siblings: by kind and name, and of the same by their order; a chat by its kind alone."""
    waiting: dict[object, list[_Node]] = defaultdict(list)
    for node in reversed(right):
        waiting[_place(node)].append(node)
    pairs: list[tuple[_Node | None, _Node | None]] = []
    for node in left:
        same = waiting[_place(node)]
        pairs.append((node, same.pop() if same else None))
    taken = {id(other) for _, other in pairs if other is not None}
    return pairs + [(None, node) for node in right if id(node) not in taken]


def _place(node: _Node) -> object:
    kind, name = node.key
    # Of another model, it is still the call in that place.
    return kind if kind in ("chat", "completion") else (kind, name)


def _row(depth: int, left: _Node | None, right: _Node | None) -> dict[str, Any]:
    node = left or right
    kind, name = node.key if node is not None else ("other", "")
    return {
        "depth": depth,
        "state": _state(left, right),
        "name": name,
        "kind": kind,
        "left": left.side if left is not None else None,
        "right": right.side if right is not None else None,
    }


def _state(left: _Node | None, right: _Node | None) -> str:
    if left is None or right is None:
        return "right_only" if left is None else "left_only"
    same = left.key == right.key and all(left.side[key] == right.side[key] for key in _SAID)
    return "same" if same and not _is_longer(left.side, right.side) else "changed"


def _is_longer(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    one, other = left["duration_ms"], right["duration_ms"]
    if one is None or other is None:
        return one is not other
    less, more = sorted((one, other))
    return bool(more > less * _MUCH_LONGER and more - less > _LONGER_MS)


def _parameters(connection: sqlite3.Connection, trace: int) -> dict[str, Any]:
    """Return what the model calls of a trace were asked with, by model; of the same the first."""
    rows = connection.execute(
        "SELECT model, span FROM spans WHERE trace = ? AND model IS NOT NULL "
        "ORDER BY started_at, id LIMIT ?",
        (trace, _MOST_MODELS),
    )
    found: dict[str, Any] = {}
    for _, encoded in rows:
        for name, value in attributes_of(Span.FromString(encoded).attributes).items():
            if name.startswith(_PARAMETERS):
                found.setdefault(name, value)
    return found


def _different(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": _short(name), "left": left.get(name), "right": right.get(name)}
        for name in sorted({*left, *right})
        if left.get(name) != right.get(name)
    ]


def _short(name: str) -> str:
    return name.removeprefix(_PARAMETERS[0]).removeprefix("gen_ai.")
