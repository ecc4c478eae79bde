"""What has changed, as server-sent events, for as long as somebody looks.

Nothing is done where nobody does: each page asks SQLite four times a second whether another
connection has written, which reads one page of memory.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any, Final

from starlette.concurrency import run_in_threadpool

from .._details.values import ms
from .._errors import JournalError
from .._views.changes import SpanChanges, TooMuchChangedError, TraceChanges
from .._views.naming import trace_number
from .answers import encoded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .reads import Reads

_LOOKS_EVERY: Final = 0.25
_OPEN_EVERY: Final = 0.5
_MISSING_EVERY: Final = 1.0
_PING_EVERY: Final = 15.0
_LOST_EVERY: Final = 5.0
RETRY: Final = b"retry: 1000\n\n"
PING: Final = b": ping\n\n"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a page wants to be told.

    Attributes:
        traces: whether the list's changes.
        trace: name of the trace whose spans' changes are wanted; None for none.
        cursor: number of the last span that the page knows.
        origin: what times are counted from, in ns since 1970; None where the page does not know.
        open_runs: whether the open runs.
    """

    traces: bool = False
    trace: str | None = None
    cursor: int = 0
    origin: int | None = None
    open_runs: bool = False


class Looker:
    """Looks for one page at what has changed.

    Args:
        reads: the journal.
        wanted: what the page wants to be told.
    """

    def __init__(self, reads: Reads, wanted: Wanted) -> None:
        self._reads = reads
        self._wanted = wanted
        self._identity: object = None
        self._watching: sqlite3.Connection | None = None
        self._version = -1
        self._traces: TraceChanges | None = None
        self._spans: SpanChanges | None = None
        self._trace_id = ""
        self._runs: list[dict[str, Any]] | None = None
        self._runs_at = 0.0
        self._lost_at = 0.0

    def close(self) -> None:
        """Stop looking."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.close()

    def look(self) -> list[bytes]:
        """Return the events of what has changed since the last call.

        Raises:
            JournalError: there is no journal that can be read.
            sqlite3.Error: as above.
        """
        if self._reads.connections.identity != self._identity or self._watching is None:
            return self._begin()
        now = monotonic()
        if now >= self._lost_at:
            self._lost_at = now + _LOST_EVERY
            self._reads.lost.end()
        ((version,),) = self._watching.execute("PRAGMA data_version")
        has_changed, self._version = version != self._version, version
        # Whether a stream has stalled tells the clock, and nobody's writing.
        is_due = self._wanted.open_runs and bool(self._runs) and now >= self._runs_at + 1
        return self._changes() if has_changed or is_due or self._is_behind else []

    @property
    def _is_behind(self) -> bool:
        return self._wanted.open_runs and self._runs is None

    def _begin(self) -> list[bytes]:
        """Begin with a journal: the first, or another that has taken its place."""
        self.close()
        known, self._identity = self._identity, self._reads.connections.identity
        self._watching = self._reads.connections.opened()
        ((self._version,),) = self._watching.execute("PRAGMA data_version")
        self._runs = None
        with self._reads.connections.reading() as connection:
            if self._wanted.traces:
                self._traces = TraceChanges(connection)
            if self._wanted.trace is not None:
                self._spans = self._changes_of_trace(connection, self._wanted.trace)
        events = [] if known is None else [_event("reset", {"reason": "another journal"})]
        return events + self._changes()

    def _changes_of_trace(self, connection: sqlite3.Connection, name: str) -> SpanChanges:
        number = trace_number(connection, name)
        trace_id, started_at = connection.execute(
            "SELECT trace_id, started_at FROM traces WHERE id = ?", (number,)
        ).fetchone()
        self._trace_id = trace_id.hex()
        origin = self._wanted.origin if self._wanted.origin is not None else started_at
        return SpanChanges(connection, number, self._wanted.cursor, origin)

    def _changes(self) -> list[bytes]:
        with self._reads.connections.reading() as connection:
            try:
                return [
                    *self._changed_traces(connection),
                    *self._changed_spans(connection),
                    *self._changed_runs(connection),
                ]
            except TooMuchChangedError:
                self._identity = None
                return [_event("reset", {"reason": "too much has changed"})]

    def _changed_traces(self, connection: sqlite3.Connection) -> list[bytes]:
        changed = self._traces.since(connection) if self._traces is not None else None
        if changed is None:
            return []
        return [_event("traces", {"columns": changed, "total_is_stale": True})]

    def _changed_spans(self, connection: sqlite3.Connection) -> list[bytes]:
        changed = self._spans.since(connection) if self._spans is not None else None
        return [] if changed is None else [_event("spans", {"trace_id": self._trace_id, **changed})]

    def _changed_runs(self, connection: sqlite3.Connection) -> list[bytes]:
        now = monotonic()
        if not self._wanted.open_runs or now < self._runs_at + _OPEN_EVERY:
            return []
        runs = self._reads.running.read(connection)
        self._runs_at = now
        if runs == self._runs:
            return []
        self._runs = runs
        return [_event("open", {"runs": runs})]


async def events(looker: Looker, closing: asyncio.Event) -> AsyncIterator[bytes]:
    """Yield what has changed as it changes, until the server closes or the page leaves.

    Args:
        looker: looks for the page.
        closing: set when the server closes.
    """
    said_at = monotonic()
    is_first = True
    try:
        while not closing.is_set():
            wait, found = await run_in_threadpool(_looked, looker)
            if is_first:
                # What a page has read before may be old; what changes from now on is told.
                is_first = False
                yield RETRY + _event("hello", {"now": ms(time_ns())})
            for event in found:
                yield event
            if found:
                said_at = monotonic()
            elif monotonic() >= said_at + _PING_EVERY:
                said_at = monotonic()
                yield PING
            await _pause(closing, wait)
    finally:
        looker.close()


def _looked(looker: Looker) -> tuple[float, list[bytes]]:
    try:
        return _LOOKS_EVERY, looker.look()
    except (JournalError, sqlite3.Error):
        # It comes with the first run, or will be free in a moment.
        return _MISSING_EVERY, []


async def _pause(closing: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(closing.wait(), seconds)
    except TimeoutError:
        return


def _event(name: str, content: Any) -> bytes:
    # JSON has no line break in it, which would end the data.
    return b"event: %s\ndata: %s\n\n" % (name.encode(), encoded(content))
