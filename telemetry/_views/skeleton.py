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
# Read as they lie in the file: by the index alone, each would be looked for anew.
_SCATTERED: Final = (
    "(SELECT id AS held FROM spans WHERE trace = :trace ORDER BY id) CROSS JOIN spans ON id = held"
)
_TOGETHER: Final = "spans WHERE +trace = :trace AND id BETWEEN :first AND :last"
_EXTENT: Final = "SELECT count(*), min(id), max(id) FROM spans WHERE trace = ?"
# To pass by the span of another trace costs a fraction of looking for one of this.
_OTHERS_BETWEEN: Final = 3
# So many rows at a time: the memory of the last ones serves the next, and fresh memory is slow.
_AT_A_TIME: Final = 256
_NAMES: Final = (
    "span_id",
    "name",
    "kind",
    "start_us",
    "duration_us",
    "outcome",
    "error",
    "model",
    "input_tokens",
    "output_tokens",
    "cost",
    "first_chunk_us",
    "chunks",
    "stalls",
)
_PLACE_OF_KIND: Final = {kind: place for place, kind in enumerate(KINDS)}


def skeleton(connection: sqlite3.Connection, trace: int, most: int) -> dict[str, Any]:
    """Return the spans of a trace in columns, by their start.

    Args:
        connection: to the journal.
        trace: its number.
        most: how many spans at most, the first.
    """
    reading = connection.execute(*_by_start(connection, trace, most))
    columns = SpanColumns()
    places: dict[bytes, int] = {}
    above: list[bytes | None] = []
    cursor = 0
    while rows := reading.fetchmany(_AT_A_TIME):
        columns.add(rows)
        for row in rows:
            places[row[1]] = len(places)
        above += [row[2] for row in rows]
        cursor = max(cursor, *(row[0] for row in rows))
    parents = [places.get(parent, -1) if parent else -1 for parent in above]
    told = zip(parents, above, strict=True)
    missing = sum(place < 0 and parent is not None for place, parent in told)
    _part_circles(parents)
    columns.spans["parent"] = parents
    return {
        "cursor": cursor,
        "origin": ms(columns.origin or 0),
        "parents_missing": missing,
        "evaluations": columns.judged(parents),
        **columns.document(),
    }


def _by_start(
    connection: sqlite3.Connection, trace: int, most: int
) -> tuple[str, dict[str, int | None]]:
    """Return what reads the spans of a trace by their start, and its arguments."""
    ((count, first, last),) = connection.execute(_EXTENT, (trace,))
    is_together = count and last - first < count * (1 + _OTHERS_BETWEEN)
    source = _TOGETHER if is_together else _SCATTERED
    # What is sorted are their numbers, and not all that they say.
    numbers = f"SELECT id FROM {source} ORDER BY started_at, id LIMIT :most"  # noqa: S608 - ours
    query = (
        f"SELECT {_COLUMNS} FROM (SELECT id AS number FROM ({numbers})) "  # noqa: S608 - ours
        "CROSS JOIN spans ON id = number"
    )
    return query, {"trace": trace, "most": most, "first": first, "last": last}


def spans_by_number(connection: sqlite3.Connection, numbers: Sequence[int]) -> list[Any]:
    """Return the rows of spans for `SpanColumns`, in no order."""
    marks = ",".join("?" * len(numbers))
    query = f"SELECT {_COLUMNS} FROM spans WHERE id IN ({marks})"  # noqa: S608 - ours
    return connection.execute(query, numbers).fetchall()


class SpanColumns:
    """Spans as columns, and the tables of the texts in them.

    Args:
        origin: what times are counted from, in ns since 1970; None for the first span's start.
    """

    def __init__(self, origin: int | None = None) -> None:
        self.origin = origin
        self.spans: dict[str, list[Any]] = {name: [] for name in _NAMES}
        self._names, self._models, self._outcomes, self._errors = (_Table() for _ in range(4))
        self._kinds = _Kinds()

    def add(self, rows: Sequence[Any]) -> None:
        """Add rows, as `spans_by_number` returns them; one at least."""
        (
            _, span_ids, _, name, operation, started, ended, outcome, error, model,
            given, made, cost, first, chunks, stalls,
        ) = zip(*rows, strict=True)  # fmt: skip
        origin = self.origin = started[0] if self.origin is None else self.origin
        ends = zip(outcome, ended, strict=True)
        columns = (
            [each.hex() for each in span_ids],
            map(self._names.__getitem__, name),
            map(self._kinds.__getitem__, zip(operation, name, strict=True)),
            [(at - origin) // 1000 for at in started],
            _microseconds(started, ended),
            self._outcomes.places([it if end is not None else RUNNING for it, end in ends]),
            self._errors.places(error),
            self._models.places(model),
            given,
            made,
            cost,
            _microseconds(started, first),
            [each or 0 for each in chunks],
            [each or 0 for each in stalls],
        )
        for known, new in zip(self.spans.values(), columns, strict=True):
            known.extend(new)

    def document(self) -> dict[str, Any]:
        """Return the columns and the tables."""
        return {
            "names": list(self._names),
            "models": list(self._models),
            "kinds": KINDS,
            "outcomes": list(self._outcomes),
            "errors": list(self._errors),
            "spans": self.spans,
        }

    def judged(self, parents: Sequence[int]) -> dict[str, int]:
        """Return how many evaluations spans have beneath them, by place."""
        judging = {place for text, place in self._names.items() if text.startswith(EVALUATION)}
        if not judging:
            return {}
        named = zip(parents, self.spans["name"], strict=True)
        found = Counter(parent for parent, name in named if name in judging)
        return {str(place): count for place, count in found.items() if place >= 0}


class _Table(dict[str, int]):
    """Texts, each kept once, with their places."""

    def __missing__(self, text: str) -> int:
        """Give a text that is new the next place."""
        place = self[text] = len(self)
        return place

    def places(self, texts: Sequence[str | None]) -> list[int]:
        """Return the places of texts, -1 for none."""
        return [self[text] if text is not None else -1 for text in texts]


class _Kinds(dict[tuple[str | None, str], int]):
    """The places of kinds, by operation and name, each of which is looked at once."""

    def __missing__(self, told: tuple[str | None, str]) -> int:
        """Look at an operation and a name that are new."""
        place = self[told] = _PLACE_OF_KIND[kind_of(*told)]
        return place


def _microseconds(since: Sequence[int], until: Sequence[int | None]) -> list[int]:
    """Return how long it took, or -1 where it has not come to that yet."""
    pairs = zip(since, until, strict=True)
    return [(end - at) // 1000 if end is not None else -1 for at, end in pairs]


def _part_circles(parents: list[int]) -> None:
    """Let one be a root of spans that say that they are each other's parents."""
    seen: dict[int, int] = {}
    # A circle has one at least whose parent does not stand before it.
    for start in [place for place, parent in enumerate(parents) if parent >= place]:
        place = start
        while place >= 0 and place not in seen:
            seen[place] = start
            place = parents[place]
        if place >= 0 and seen[place] == start:
            parents[place] = -1
