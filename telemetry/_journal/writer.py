"""The one thread that writes what the application's threads have queued."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from itertools import islice
from threading import Event, Lock
from time import monotonic
from typing import TYPE_CHECKING, Final

from .._context.graphs import GRAPHS
from .._encoding.logs import encoded_logs
from .._encoding.rows import Encoder, encoded_rows
from .._encoding.spans import load_encoder
from .._errors import JournalError
from .._process import started_thread
from .._values.pacing import paced_unless_many
from .file import is_broken, is_busy
from .processor import Ended, Logged, Mark, Queue, Started
from .recording import count, forget_texts, put_graphs, put_logs, put_progress, record
from .recovery import end_lost_runs
from .retention import Retention, make_room

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Thread

    from opentelemetry.sdk.trace import ReadableSpan

    from .._context.starting import Progress, StartingRun
    from .._diagnostics import Diagnostics
    from .._encoding.rows import SpanRow
    from .processor import Entry
    from .recording import Destination
    from .store import Store

_AT_ONCE: Final = 2_000
# What waits of a span is weighed as its encoding and this, which is low for one of a model: of
# the benchmark's each takes 3.5 kB in all.
_BESIDE_ENCODING: Final = 2_000
_GATHERED_FOR: Final = 0.05
_PROGRESS_EVERY: Final = 0.5
_HEARTBEAT_EVERY: Final = 5.0
_TRIED_AGAIN_AFTER: Final = (0.05, 0.25, 1.0, 2.0)
# Who waits longer than others for a lock that all want never gets it.
_BUSY_TRIED_AGAIN_AFTER: Final = 0.02
_BUSY_TOLD_AFTER: Final = 4.0
_MOST_TRIES: Final = 3
_MOST_OPEN: Final = 50_000
_HOUSEKEEPING_EVERY: Final = 30.0
# What a process that is about to go gives its last spans, at most: the machine may be busy.
_FINISHED_WITHIN: Final = 5.0
_WAITED_AT_ONCE: Final = 0.05

QUEUE_FULL: Final = "span or log record dropped: the journal's queue is full"
NOT_ENCODED: Final = "span dropped: it could not be encoded"
NOT_WRITTEN: Final = "spans could not be written into the journal"
JOURNAL_BUSY: Final = "the journal is in use by another process; spans wait in memory"
JOURNAL_FAILED: Final = "the journal could not be written; spans wait in memory"


@dataclass(slots=True)
class _Batch:
    """Entries as they are to be written, kept until they are."""

    entries: list[Entry]
    rows: list[SpanRow] = field(default_factory=list)
    logs: list[tuple[bytes, bytes, bytes, int]] = field(default_factory=list)
    ended: set[bytes] = field(default_factory=set)
    told: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    tells_progress: bool = False
    spoiled: int = 0


class Writer:
    """Writes a queue into a journal.

    Args:
        store: the journal.
        queue: what is to be written.
        diagnostics: counts what could not be.
        retention: how much the journal may keep.
        destination: that ended spans are owed to; None where to none.

    Attributes:
        dropped_owed: how many spans made room for others before an endpoint had taken them.
        spoiled: how many spans could not be encoded or written.
        commits: how often something was written; odd while it is being written.
        on_written: called when something that is owed was written.
        on_failed: called once when there can be no journal, with why.
    """

    def __init__(
        self,
        store: Store,
        queue: Queue,
        diagnostics: Diagnostics,
        retention: Retention,
        destination: Destination | None = None,
    ) -> None:
        self.store = store
        self.queue = queue
        self.destination = destination
        self.commits = 0
        self.on_written: Callable[[], None] = lambda: None
        self.on_failed: Callable[[JournalError], None] = lambda _: None
        self._diagnostics = diagnostics
        self._retention = retention
        self._reset()

    @property
    def dropped_spans(self) -> int:
        """How many ends of spans were dropped: there was no room, or they could not be written."""
        return self.queue.dropped_spans + self.spoiled

    def wake(self) -> None:
        """Have the thread look at the queue; it is started where it does not run."""
        if self._thread is None:
            self._start()
            if self._thread is None:
                self.queue.is_awake = False  # who comes next tries again
        self._woken.set()

    def begin(self) -> None:
        """Write what the queue has, and from now on what comes into it."""
        self.queue.wake = self.wake
        if self.queue.entries:
            self.wake()

    def prepare(self) -> None:
        """Have all that spans need; it takes long."""
        load_encoder()

    def flush(self, timeout: float) -> bool:
        """Write what waits; return whether that was done within *timeout* seconds."""
        if self._is_stopping and (self._thread is None or not self._thread.is_alive()):
            return not self.queue.entries
        mark = self._asked_to_write()
        return mark is not None and mark.is_passed.wait(max(timeout, 0))

    def finish(self, timeout: float) -> None:
        """Write what waits, and wait *timeout* seconds, or longer while the writing gets on.

        The time is counted in short waits: a machine that sleeps, or is too busy to let the
        writer's thread run, takes none of it.
        """
        mark = self._asked_to_write()
        for waits in range(round(_FINISHED_WITHIN / _WAITED_AT_ONCE)):
            if mark is None or mark.is_passed.wait(_WAITED_AT_ONCE):
                return
            if waits * _WAITED_AT_ONCE >= timeout and (self._busy_since or self._failures):
                return

    def stop(self, timeout: float) -> bool:
        """Write what waits, and stop; return whether that was done within *timeout* seconds."""
        deadline = monotonic() + timeout
        done = self.flush(timeout)
        self._is_stopping = True
        self._is_urgent.set()
        self._woken.set()
        thread = self._thread
        if thread is not None:
            thread.join(max(deadline - monotonic(), 0))
        if thread is None or not thread.is_alive():
            self.store.close()
        return done

    def after_fork_in_child(self) -> None:
        """Write what this process does from now on; its parent writes what waits."""
        self.queue.clear()
        self._reset()

    def _asked_to_write(self) -> Mark | None:
        """Have the thread write, and return what is passed then; None where there is no journal."""
        if self.has_failed:
            return None
        mark = Mark(Event())
        self.queue.entries.append(mark)
        if self.has_failed:  # by now: nobody looks at the queue any more
            return None  # type: ignore[unreachable]  # the writer's thread has set it
        self._is_urgent.set()
        self.wake()
        if self._thread is None and not self._is_stopping:
            with self._lock:  # there can be no thread: the process is about to end, or has too many
                self._write_all()
        return mark

    def _reset(self) -> None:
        self.has_failed = False
        self.dropped_owed = self.spoiled = 0
        self._encoder = Encoder()
        self._open: dict[bytes, Started] = {}
        self._known: set[bytes] = set()
        self._told: dict[bytes, tuple[int, int]] = {}
        self._batch: _Batch | None = None
        self._mean_bytes = 0.0
        self._dropped_told = 0
        self._graphs = (0, 0)
        self._thread: Thread | None = None
        self._lock = Lock()
        self._woken = Event()
        self._is_urgent = Event()
        self._is_stopping = False
        self._failures = 0
        self._busy_since: float | None = None
        self._progress_at = self._heartbeat_at = 0.0
        self._housekeeping_at = monotonic() + _HOUSEKEEPING_EVERY

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._is_stopping:
                self._thread = started_thread(self._run, "nodespan-journal")

    def _run(self) -> None:
        while not self.has_failed:
            self._woken.wait(self._idle_for())
            self._woken.clear()
            if not self._is_urgent.is_set() and len(self.queue.entries) < _AT_ONCE:
                self._is_urgent.wait(_GATHERED_FOR)
            self._is_urgent.clear()
            self.queue.is_awake = False
            self._write_all()
            if self._is_stopping and not self.queue.entries:
                return

    def _idle_for(self) -> float:
        if self._busy_since is not None:
            return _BUSY_TRIED_AGAIN_AFTER
        if self.queue.entries:
            return _TRIED_AGAIN_AFTER[min(self._failures, len(_TRIED_AGAIN_AFTER) - 1)]
        return _PROGRESS_EVERY if self._open else _HEARTBEAT_EVERY

    def _write_all(self) -> None:
        try:
            while self.queue.entries or self._is_due():
                self._write(self._batch or self._gathered())
                self._failures = 0
                self._busy_since = None
        except JournalError as error:
            self._fail(error)
        except (sqlite3.OperationalError, OSError) as error:
            self._wait(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, what comes next is written
            self._discard(error)

    def _wait(self, error: Exception) -> None:
        """Take note that a journal could not be written now, and why."""
        if not is_busy(error):
            self._failures += 1
            self._busy_since = None
            self._diagnostics.report(JOURNAL_FAILED, error)
        elif self._busy_since is None:
            self._busy_since = monotonic()
        elif monotonic() - self._busy_since > _BUSY_TOLD_AFTER:
            self._diagnostics.report(JOURNAL_BUSY)

    def _is_due(self) -> bool:
        now = monotonic()
        return now >= self._heartbeat_at or (bool(self._open) and now >= self._progress_at)

    def _gathered(self) -> _Batch:
        """Encode what waits; until it is written it stays in the queue."""
        entries = list(islice(self.queue.entries, _AT_ONCE))
        batch = self._batch = _Batch(entries)
        ends = [entry.span for entry in entries if type(entry) is Ended]
        batch.ended = {_span_id(span) for span in ends}
        starts = {_span_id(entry.span): entry for entry in entries if type(entry) is Started}
        self._open |= starts
        begun = [entry.span for name, entry in starts.items() if name not in batch.ended]
        run_ids = {
            name: run.run_id.to_bytes(16, "big")
            for name in (*starts, *batch.ended)
            if (run := self._run_of(name)) is not None
        }
        rows, batch.spoiled = encoded_rows(self._encoder, [*ends, *begun], run_ids)
        # What has ended since comes with the next entries, as a whole.
        batch.rows = [row for row in rows if row.ended_at is None or row.span_id in batch.ended]
        if self.destination is not None:
            records = [entry.record for entry in entries if type(entry) is Logged]
            batch.logs = encoded_logs(paced_unless_many(records)) if records else []
        return batch

    def _run_of(self, span_id: bytes) -> StartingRun | None:
        entry = self._open.get(span_id)
        return entry.run if entry is not None else None

    def _write(self, batch: _Batch) -> None:
        self.commits += 1
        try:
            with self.store.transaction() as connection:
                self._put(connection, batch)
        finally:
            self.commits += 1
        self._forget(batch)

    def _put(self, connection: sqlite3.Connection, batch: _Batch) -> None:
        now = monotonic()
        self.store.heartbeat(connection)
        destination = self.destination.number(connection) if self.destination else None
        if batch.rows:
            record(
                connection,
                batch.rows,
                owner=self.store.owner,
                destination=destination,
                known=self._known,
                since=self.store.since,
            )
        if (graphs := (self.store.since, GRAPHS.count)) != self._graphs and GRAPHS.count:
            put_graphs(connection)
            self._graphs = graphs
        if batch.logs and destination is not None:
            put_logs(connection, batch.logs, self.store.owner, destination)
        if self._open and now >= self._progress_at:
            self._put_progress(connection, batch)
        if now >= self._housekeeping_at:
            end_lost_runs(connection)
        if now >= self._housekeeping_at or self._told.keys() & batch.ended:
            forget_texts(connection)
        dropped = self.queue.dropped
        count(connection, "dropped", dropped - self._dropped_told + batch.spoiled)

    def _forget(self, batch: _Batch) -> None:
        """Take out of the queue what is written."""
        now = monotonic()
        entries = self.queue.entries
        for entry in batch.entries:
            entries.popleft()
            if type(entry) is Mark:
                entry.is_passed.set()
        self._batch = None
        self._take_note(batch)
        self._heartbeat_at = now + _HEARTBEAT_EVERY
        if batch.tells_progress:
            self._progress_at = now + _PROGRESS_EVERY
        if now >= self._housekeeping_at:
            self._housekeeping_at = now + _HOUSEKEEPING_EVERY
            self.dropped_owed += make_room(self.store, self._retention)
        if self.destination is not None and (batch.rows or batch.logs):
            self.on_written()

    def _take_note(self, batch: _Batch) -> None:
        self._told |= batch.told
        for name in batch.ended:
            self._open.pop(name, None)
            self._told.pop(name, None)
        self._known -= batch.ended
        self._known.update(row.span_id for row in batch.rows if row.ended_at is None)
        while len(self._open) > _MOST_OPEN:
            oldest = next(iter(self._open))
            del self._open[oldest]
            self._told.pop(oldest, None)
        self.spoiled += batch.spoiled
        for _ in range(batch.spoiled):
            self._diagnostics.report(NOT_ENCODED)
        dropped = self.queue.dropped
        if dropped > self._dropped_told:
            self._diagnostics.report(QUEUE_FULL)
            self._dropped_told = dropped
        if batch.rows:
            mean = sum(len(row.span) for row in batch.rows) / len(batch.rows)
            self._mean_bytes += (mean + _BESIDE_ENCODING - self._mean_bytes) * 0.2
            self.queue.fit(self._mean_bytes)

    def _put_progress(self, connection: sqlite3.Connection, batch: _Batch) -> None:
        """Write how far streams have come; a stream that has stood still costs nothing."""
        reports: list[tuple[Progress, bytes, bytes]] = []
        for name, entry in self._open.items():
            context = entry.span.get_span_context()
            if entry.run is None or context is None or name not in self._known:
                continue
            progress = entry.run.progress(*self._told.get(name, (0, 0)))
            if progress is not None:
                reports.append((progress, name, context.trace_id.to_bytes(16, "big")))
        put_progress(connection, reports)
        batch.told = {name: (each.chunks, each.stalls) for each, name, _ in reports}
        batch.tells_progress = True

    def _discard(self, error: Exception) -> None:
        self._failures += 1
        if not is_broken(error):  # else the store has said so, and has begun anew
            self._diagnostics.report(NOT_WRITTEN, error)
        if self._failures > _MOST_TRIES and self._batch is not None:
            self._batch.spoiled += len(self._batch.rows)
            self._batch.rows, self._batch.logs = [], []

    def _fail(self, error: JournalError) -> None:
        waiting = self.queue.entries.copy()
        try:
            self.on_failed(error)
        finally:
            # Only now: who waits until all is written waits for what takes the spans instead.
            self.has_failed = True
            for entry in (*waiting, *self.queue.entries.copy()):
                if type(entry) is Mark:
                    entry.is_passed.set()


def _span_id(span: ReadableSpan) -> bytes:
    context = span.context
    return context.span_id.to_bytes(8, "big") if context is not None else b""
