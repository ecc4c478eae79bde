"""Looks for a text in names and content, a step at a time: nobody waits for a gigabyte."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Final

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from .._reading.decoding import says
from .._reading.filters import conditions

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from .._reading.records import TraceFilter

_STEP: Final = 0.15
_AT_ONCE: Final = 64
_MOST_KEPT: Final = 8
_MOST_FOUND: Final = 100_000


@dataclass(slots=True)
class Search:
    """What was found of a text so far.

    Attributes:
        found: numbers of the traces, the newest first.
        is_complete: whether all was looked at.
    """

    found: list[int] = field(default_factory=list)
    is_complete: bool = False
    place: tuple[int, int] = (1 << 62, 1 << 62)
    lock: Lock = field(default_factory=Lock)


class Searches:
    """The last searches, each of which goes on where it was left."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[object, Search] = OrderedDict()

    def step(
        self, connection: sqlite3.Connection, asked: TraceFilter, as_of: int, identity: object
    ) -> Search:
        """Look on for a moment, and return what was found so far.

        Args:
            connection: to the journal.
            asked: the filter, with a text.
            as_of: number of the last trace that counts.
            identity: of the journal's file.
        """
        search = self._of((asked, as_of, identity))
        with search.lock:
            if not search.is_complete:
                _look_on(connection, search, asked, as_of, monotonic() + _STEP)
        return search

    def _of(self, key: object) -> Search:
        with self._lock:
            search = self._kept.setdefault(key, Search())
            self._kept.move_to_end(key)
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
            return search


def _look_on(
    connection: sqlite3.Connection, search: Search, asked: TraceFilter, as_of: int, until: float
) -> None:
    where, arguments = conditions(asked, time_ns())
    text = (asked.text or "").casefold()
    may_say = _quick_look(text)
    while monotonic() < until and len(search.found) < _MOST_FOUND:
        traces = connection.execute(
            f"SELECT t.started_at, t.id, t.name FROM traces AS t WHERE {where} AND t.id <= ? "  # noqa: S608 - ours
            "AND (t.started_at, t.id) < (?, ?) ORDER BY t.started_at DESC, t.id DESC LIMIT ?",
            (*arguments, as_of, *search.place, _AT_ONCE),
        ).fetchall()
        for started_at, number, name in traces:
            if text in (name or "").casefold() or _says(connection, number, text, may_say):
                search.found.append(number)
            search.place = (started_at, number)
            if monotonic() >= until:
                return
        if len(traces) < _AT_ONCE:
            search.is_complete = True
            return
    search.is_complete = len(search.found) >= _MOST_FOUND


def _says(
    connection: sqlite3.Connection, trace: int, text: str, may_say: Callable[[bytes], bool]
) -> bool:
    spans = connection.execute("SELECT span FROM spans WHERE trace = ?", (trace,))
    return any(may_say(span) and says(Span.FromString(span), text) for (span,) in spans)


def _quick_look(text: str) -> Callable[[bytes], bool]:
    """Return what tells of an encoded span, in a microsecond or so, that it cannot have a text."""
    if text.isascii():
        needle = text.encode()
        return lambda span: needle in span.lower()
    return lambda span: text in span.decode(errors="replace").casefold()
