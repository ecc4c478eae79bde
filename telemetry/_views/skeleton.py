"""A trace without what its spans say: names, times and outcomes in columns, compact and quick."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from .._details.values import EVALUATION, KINDS, kind_of, ms
from .._reading.records import RUNNING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

_COLUMNS: Final = (
    "id, span_id, parent_id, name, operation, started_at, ended_at, outcome, error, model, "
    "input_tokens, output_tokens, cost, first_chunk_at, chunks, stalls"
)
_PLACE_OF_KIND: Final = {kind: place for place, kind in enumerate(KINDS)}


class _Table:
    """Texts, each kept once, by their places."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def place(self, text: str | None) -> int:
        """Return the place of a text, or -1 for none."""
        if text is None:
            return -1
        return self._places.setdefault(text, len(self._places))

    @property
    def texts(self) -> list[str]:
        """The texts, by their places."""
        return list(self._places)


def skeleton(connection: sqlite3.Connection, trace: int, most: int) -> dict[str, Any]:
    """Return the spans of a trace in columns, by their start.

    Args:
        connection: to the journal.
        trace: its number.
        most: how many spans at most, the first.
    """
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM spans WHERE trace = ? ORDER BY started_at, id LIMIT ?",  # noqa: S608 - ours
        (trace, most),
    ).fetchall()
    origin = rows[0][5] if rows else 0
    made = spans_in_columns(rows, origin)
    places = {row[1]: place for place, row in enumerate(rows)}
    parents = [row[2] for row in rows]
    made["spans"]["parent"] = _parents(parents, places)
    missing = sum(parent is not None and parent not in places for parent in parents)
    return {
        "cursor": max((row[0] for row in rows), default=0),
        "origin": ms(origin),
        "parents_missing": missing,
        "evaluations": _judged(rows, made["spans"]["parent"]),
        **made,
    }


def spans_by_number(connection: sqlite3.Connection, numbers: Sequence[int]) -> list[Any]:
    """Return the rows of spans for `spans_in_columns`, in no order."""
    marks = ",".join("?" * len(numbers))
    query = f"SELECT {_COLUMNS} FROM spans WHERE id IN ({marks})"  # noqa: S608 - ours
    return connection.execute(query, numbers).fetchall()


def spans_in_columns(rows: Sequence[Any], origin: int) -> dict[str, Any]:
    """Return rows of spans as columns, and the tables of the texts in them.

    Args:
        rows: as `spans_by_number` returns them.
        origin: what times are counted from, in ns since 1970.
    """
    names, models, outcomes, errors = _Table(), _Table(), _Table(), _Table()
    columns = list(zip(*rows, strict=True)) or [()] * 16
    (
        _, span_ids, _, name, operation, started, ended, outcome, error, model,
        given, made, cost, first, chunks, stalls,
    ) = columns  # fmt: skip
    spans = {
        "span_id": [each.hex() for each in span_ids],
        "name": [names.place(each) for each in name],
        "kind": _kinds(operation, name),
        "start_us": [(at - origin) // 1000 for at in started],
        "duration_us": _microseconds(started, ended),
        "outcome": [
            outcomes.place(each if end is not None else RUNNING)
            for each, end in zip(outcome, ended, strict=True)
        ],
        "error": [errors.place(each) for each in error],
        "model": [models.place(each) for each in model],
        "input_tokens": list(given),
        "output_tokens": list(made),
        "cost": list(cost),
        "first_chunk_us": _microseconds(started, first),
        "chunks": [each or 0 for each in chunks],
        "stalls": [each or 0 for each in stalls],
    }
    return {
        "names": names.texts,
        "models": models.texts,
        "kinds": KINDS,
        "outcomes": outcomes.texts,
        "errors": errors.texts,
        "spans": spans,
    }


def _kinds(operations: Sequence[str | None], names: Sequence[str]) -> list[int]:
    """Return the places of the spans' kinds; each operation and name is looked at once."""
    told = list(zip(operations, names, strict=True))
    places = {key: _PLACE_OF_KIND[kind_of(*key)] for key in set(told)}
    return [places[key] for key in told]


def _microseconds(since: Sequence[int], until: Sequence[int | None]) -> list[int]:
    """Return how long it took, or -1 where it has not come to that yet."""
    pairs = zip(since, until, strict=True)
    return [(end - at) // 1000 if end is not None else -1 for at, end in pairs]


def _judged(rows: Sequence[Any], parents: Sequence[int]) -> dict[str, int]:
    """Return how many evaluations spans have beneath them, by place."""
    found = Counter(
        parents[place] for place, row in enumerate(rows) if row[3].startswith(EVALUATION)
    )
    return {str(place): count for place, count in found.items() if place >= 0}


def _parents(parents: Sequence[bytes | None], places: dict[bytes, int]) -> list[int]:
    """Return the places of parents; where spans say that they are each other's, one is a root."""
    found = [places.get(parent, -1) if parent else -1 for parent in parents]
    state = bytearray(len(found))
    for start in range(len(found)):
        path = []
        place = start
        while place >= 0 and not state[place]:
            state[place] = 1
            path.append(place)
            place = found[place]
        if place >= 0 and state[place] == 1:
            found[place] = -1  # a circle
        for each in path:
            state[each] = 2
    return found
