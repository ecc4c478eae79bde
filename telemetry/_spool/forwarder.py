"""The thread that sends what the journal owes: at least once, oldest first.

What was sent leaves the journal's debts after the endpoint has taken it: a process that is killed
in between sends it twice. Readers know a span by its id.
"""

from __future__ import annotations

import random
import sqlite3
from threading import Event, Lock
from time import monotonic
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError
from opentelemetry.context import attach, set_value

from .._errors import JournalError
from .._journal.recording import count
from .._process import started_thread
from .._settings.variables import Signal
from .._upstream.opentelemetry import suppression_key
from .answers import Fate
from .batches import MOST_ITEMS, Batch, owed, set_aside, settle
from .endpoint import Connection
from .lease import give_lease_back, take_lease

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from threading import Thread

    from .._diagnostics import Diagnostics
    from .._journal.store import Store
    from .answers import Answer
    from .destinations import Destination
    from .endpoint import Endpoint

_FIRST_WAIT: Final = 0.5
# An endpoint that is back is noticed within this time.
_LONGEST_WAIT: Final = 5.0
_LOOKED_FOR_EVERY: Final = 5.0
# Of one batch that is refused so many requests look for what is at fault.
_MOST_REQUESTS: Final = 64
_TRIES: Final = 50

AWAY: Final = "the endpoint does not take spans; they wait in the journal"
REFUSED: Final = "the endpoint has refused spans for good; they are set aside in the journal"
DAMAGED: Final = "what is damaged in the journal cannot be sent"
FAILED: Final = "what the journal owes could not be sent; it is tried again"
REJECTED: Final = "the endpoint has rejected a part of what it was sent"
STRIPPED: Final = "a span was too large for the endpoint; it was sent without its content"


class Forwarder:
    """Sends what a journal owes to a destination.

    Args:
        store: the journal.
        destination: under which the journal owes.
        endpoints: where each signal goes.
        diagnostics: counts what was refused.

    Attributes:
        rejected: how many spans of those that it took the endpoint has then rejected.
    """

    def __init__(
        self,
        store: Store,
        destination: Destination,
        endpoints: Mapping[Signal, Endpoint],
        diagnostics: Diagnostics,
    ) -> None:
        self._store = store
        self._destination = destination
        self._endpoints = endpoints
        self._diagnostics = diagnostics
        self._thread: Thread | None = None
        self._woken = Event()
        self._reset()

    def start(self) -> None:
        """Begin to send."""
        with self._lock:
            if self._thread is None and not self._is_stopping:
                self._thread = started_thread(self._run, "nodespan-forwarder")

    def wake(self) -> None:
        """Say that something is owed."""
        if self._thread is None:
            self.start()
        self._woken.set()

    def hurry(self) -> None:
        """Try at once, however long the endpoint was to be left alone; but as it asked."""
        self._is_hurried = True
        self.wake()

    def stop(self, timeout: float) -> None:
        """Stop; a request under way has *timeout* seconds."""
        self._is_stopping = True
        self._woken.set()
        thread = self._thread
        if thread is not None:
            thread.join(max(timeout, 0))

    def after_fork_in_child(self) -> None:
        """Send nothing until something is owed."""
        self._reset()

    def _reset(self) -> None:
        self.rejected = 0
        self._number: int | None = None
        self._connections = {at: Connection(each) for at, each in self._endpoints.items()}
        self._lock = Lock()
        self._thread = None
        self._woken = Event()
        self._is_stopping = False
        self._is_hurried = False
        self._most = MOST_ITEMS
        self._failures = 0
        self._not_before = 0.0
        self._asked_not_before = 0.0

    def _run(self) -> None:
        if (key := suppression_key()) is not None:
            attach(set_value(key, True))  # noqa: FBT003 - the API's
        while not self._is_stopping:
            self._woken.clear()
            try:
                is_idle = self._is_waiting() or not self._forward()
            except (sqlite3.Error, OSError):  # the writer says so
                is_idle = True
            except JournalError:
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, what comes next is sent
                self._diagnostics.report(FAILED, error)
                self._not_before = monotonic() + _LONGEST_WAIT
                is_idle = True
            if is_idle:
                self._woken.wait(self._pause())
        self._give_back()

    def _is_waiting(self) -> bool:
        now = monotonic()
        not_before = self._asked_not_before if self._is_hurried else self._not_before
        return now < max(not_before, self._asked_not_before)

    def _pause(self) -> float:
        wait = max(self._not_before, self._asked_not_before) - monotonic()
        return wait if wait > 0 else _LOOKED_FOR_EVERY

    def _forward(self) -> bool:
        """Send the oldest of what is owed; say whether there may be more to send now."""
        batch = self._next()
        if batch is None:
            self._is_hurried = False
            return False
        is_hurried, self._is_hurried = self._is_hurried, False
        budget = [_MOST_REQUESTS]
        is_done = self._deliver(batch, budget)
        self._is_hurried = self._is_hurried or (is_hurried and is_done)
        return is_done

    def _next(self) -> Batch | None:
        with self._store.transaction() as connection:
            number = self._number = self._destination.number(connection)
            if not take_lease(connection, number, self._store.owner):
                return None
            for signal in self._endpoints:
                batch = owed(connection, signal, number, self._most)
                if batch is not None:
                    return batch
        return None

    def _deliver(self, batch: Batch, budget: list[int]) -> bool:
        """Send a batch, in parts where it is too large or refused; say whether to go on."""
        if self._is_stopping:
            return False
        budget[0] -= 1
        try:
            body = batch.request()
        except DecodeError:
            return self._deliver_readable(batch, budget)
        answer = self._connections[batch.signal].send(body)
        is_one = len(batch.items) == 1
        if answer.fate is Fate.TAKEN:
            self._settle(batch, answer)
        elif answer.fate is Fate.LATER:
            self._wait(answer)
        elif answer.fate is Fate.TOO_LARGE and is_one:
            return self._deliver_stripped(batch, answer)
        elif answer.fate is Fate.TOO_LARGE or (not is_one and budget[0] > 0):
            if answer.fate is Fate.TOO_LARGE:
                self._most = max(len(batch.items) // 2, 1)
            return all(self._deliver(half, budget) for half in batch.halves())
        else:
            self._set_aside(batch, answer)
        return answer.fate is not Fate.LATER

    def _deliver_readable(self, batch: Batch, budget: list[int]) -> bool:
        """Send what can be read of a batch; the rest holds up nothing."""
        sound, damaged = batch.readable()
        self._change(lambda connection: _note_refused(connection, damaged, DAMAGED))
        for _ in damaged.items:
            self._diagnostics.report(DAMAGED)
        return not sound.items or self._deliver(sound, budget)

    def _deliver_stripped(self, batch: Batch, refusal: Answer) -> bool:
        answer = self._connections[batch.signal].send(batch.without_content().request())
        if answer.fate is Fate.LATER:
            self._wait(answer)
            return False
        if answer.fate is not Fate.TAKEN:
            self._set_aside(batch, refusal)
            return True
        self._diagnostics.report(STRIPPED)
        self._settle(batch, answer)
        return True

    def _settle(self, batch: Batch, answer: Answer) -> None:
        self._failures = 0
        self._not_before = self._asked_not_before = 0.0
        self._most = min(self._most * 2, MOST_ITEMS)
        is_of_spans = batch.signal is Signal.TRACES
        rejected = min(answer.rejected, len(batch.items)) if is_of_spans else 0
        # Before they are owed no longer: who asks in between must not take them for sent.
        self.rejected += rejected
        if not self._change(lambda connection: _note_taken(connection, batch, answer.rejected)):
            self.rejected -= rejected
        if answer.rejected:
            self._diagnostics.report(REJECTED)

    def _set_aside(self, batch: Batch, answer: Answer) -> None:
        self._change(lambda connection: _note_refused(connection, batch, answer.reason))
        for _ in batch.items:
            self._diagnostics.report(f"{REFUSED} ({answer.reason})")

    def _wait(self, answer: Answer) -> None:
        self._failures += 1
        self._diagnostics.report(f"{AWAY} ({answer.reason})")
        longest = min(_FIRST_WAIT * 2 ** min(self._failures - 1, 16), _LONGEST_WAIT)
        # Jitter alone: it keeps processes apart, and is no secret.
        self._not_before = monotonic() + longest * random.uniform(0.5, 1.0)  # noqa: S311
        if answer.wait is not None:
            self._asked_not_before = monotonic() + answer.wait

    def _change(self, change: Callable[[sqlite3.Connection], None]) -> bool:
        """Take note in the journal; what it does not learn now, it owes once more."""
        for _ in range(_TRIES):
            try:
                with self._store.transaction() as connection:
                    change(connection)
            except sqlite3.OperationalError:
                self._woken.wait(0.1)
                continue
            return True
        return False

    def _give_back(self) -> None:
        for each in self._connections.values():
            each.close()
        number = self._number
        if number is not None:
            try:
                with self._store.transaction() as connection:
                    give_lease_back(connection, number, self._store.owner)
            except (sqlite3.Error, OSError, JournalError):
                return


def _note_taken(connection: sqlite3.Connection, batch: Batch, rejected: int) -> None:
    settle(connection, batch)
    count(connection, "refused", rejected)


def _note_refused(connection: sqlite3.Connection, batch: Batch, reason: str) -> None:
    set_aside(connection, batch, reason)
    count(connection, "refused", len(batch.items))
