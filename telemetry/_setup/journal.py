"""Sets the journal up for a process: its writer, and with an endpoint its forwarder."""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from threading import Event
from time import monotonic, sleep, time_ns
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace import SpanProcessor

from .._diagnostics import Diagnostics
from .._errors import JournalError
from .._journal.place import check_place
from .._journal.processor import Ended, JournalProcessor, Logged, Mark, Queue
from .._process import at_os_exit, at_sigterm, importing, in_forked_child, started_thread
from .._settings.journal import DEFAULT_MAX_BYTES, DEFAULT_MAX_DAYS
from .._settings.variables import Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from threading import Thread

    from .._journal.writer import Writer
    from .._settings.config import TelemetryConfig
    from .._spool.destinations import Destination
    from .._spool.endpoint import Endpoint
    from .._spool.forwarder import Forwarder

# Of the two seconds that an exit waits for others, so long for a journal that is in their hands.
_WAITED_FOR_OTHERS: Final = 1.4
_LOOKED_EVERY: Final = 0.02
_TRIES: Final = 4
# So long what takes time to import leaves the start of a program alone, where no span comes first.
_PREPARES_AFTER: Final = 0.05

NO_SQLITE: Final = (
    "this Python was built without SQLite, and there can be no journal; use one that has it, or "
    "set NODESPAN_JOURNAL to off"
)
NOT_READY: Final = "the journal's writer could not be made; spans wait in memory"

_OWED: Final = """
SELECT count(*), min(ended_at) FROM spans INDEXED BY spans_owed
WHERE destination IS NOT NULL AND ended_at IS NOT NULL AND refusal IS NULL AND owner = ?
"""
_REFUSED: Final = "SELECT count(*) FROM spans WHERE owner = ? AND refusal IS NOT NULL"
_OWED_LOGS: Final = "SELECT count(*) FROM log_records WHERE owner = ?"


class ProcessJournal:
    """The journal as it is set up for this process.

    Args:
        path: of its file.
        config: has its bounds.
        endpoints: where each signal is sent from it; none where it is the end of the way.
        otherwise: makes what takes the spans where there can be no journal.

    Attributes:
        path: of its file.
        processor: puts spans into it.
        queue: what waits to be written.
        on_failed_logs: called with the log records that wait, when there can be no journal.
    """

    def __init__(
        self,
        path: Path,
        config: TelemetryConfig,
        endpoints: Mapping[Signal, Endpoint],
        otherwise: Callable[[], SpanProcessor | None],
    ) -> None:
        self.path = path
        self.queue = Queue()
        self.on_failed_logs: Callable[[Sequence[Logged]], None] = lambda _: None
        self._last_known: dict[str, tuple[int, int | None]] = {}
        self.processor = JournalProcessor(self.queue)
        self._diagnostics = Diagnostics()
        self._otherwise = otherwise
        self._config = config
        self._made: Writer | None = None
        self._is_needed = Event()
        self._is_stopped = False
        self._forwarder = self._forwarder_to(endpoints) if endpoints else None
        self.queue.wake = self._hurry
        self._preparing: Thread | None = None
        self._prepare_soon()
        in_forked_child(self._after_fork)
        at_sigterm(self.finish)

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each kind of trouble was met."""
        return self._diagnostics.counts

    @property
    def sends(self) -> bool:
        """Whether it sends spans on to an endpoint."""
        return self._forwarder is not None and self.is_used

    @property
    def is_used(self) -> bool:
        """Whether there is a journal, as far as is known."""
        return self.processor.instead is None

    @property
    def unsent(self) -> int:
        """How many ended spans no endpoint has taken; without an endpoint, none is owed."""
        if self._forwarder is None:
            return 0
        owed = self._consistent(lambda: self._owed()[0] + self.queue.waiting(Ended))
        lost = self._writer.dropped_spans + self._writer.dropped_owed
        return owed + self._count(_REFUSED) + self._forwarder.rejected + lost

    @property
    def owed(self) -> int:
        """How many ended spans wait in the journal for the endpoint."""
        return self._owed()[0] if self._forwarder is not None else 0

    @property
    def unrecorded(self) -> int:
        """How many ended spans wait to be written, where the journal is the end of their way."""
        is_end = self._forwarder is None and self.is_used
        return self.queue.waiting(Ended) if is_end else 0

    @property
    def unsent_log_records(self) -> int:
        """How many log records no endpoint has taken."""
        if self._forwarder is None:
            return 0
        return self._consistent(lambda: self._count(_OWED_LOGS) + self.queue.waiting(Logged))

    @property
    def dropped(self) -> int:
        """How many spans were dropped: before they were written, or before they were sent."""
        if self._made is None:
            return self.queue.dropped_spans
        return self._made.dropped_spans + self._made.dropped_owed

    @property
    def backlog_age(self) -> float:
        """How long the oldest span of this process waits for the endpoint, in seconds."""
        oldest = self._owed()[1] if self._forwarder is not None else None
        return max(time_ns() - oldest, 0) / 1e9 if oldest is not None else 0.0

    def flush(self, timeout: float) -> bool:
        """Write what waits, and send what is owed; say whether nothing is owed any longer."""
        deadline = monotonic() + timeout
        if not self.is_used or not self._has_begun:
            return True  # what takes the spans instead is flushed by itself
        is_written = self._writer.flush(timeout)
        if not self.is_used:  # by now: there can be none
            return True  # type: ignore[unreachable]  # the writer's thread has found that
        if not is_written:
            return False
        if self._forwarder is None:
            return True
        while self._is_owed():
            self._forwarder.hurry()
            if monotonic() >= deadline:
                return False
            sleep(min(_LOOKED_EVERY, max(deadline - monotonic(), 0)))
        return not self.unsent

    def finish(self) -> None:
        """Write what has ended: the process is about to go."""
        if self.is_used and not self._is_stopped and self._has_begun:
            self._writer.finish(_WAITED_FOR_OTHERS)

    def stop(self, timeout: float) -> None:
        """Write what waits, send what can be sent within *timeout* seconds, and stop."""
        if self._is_stopped:
            return
        self._is_stopped = True
        deadline = monotonic() + timeout
        self.flush(timeout)
        if self._forwarder is not None:
            self._forwarder.stop(max(deadline - monotonic(), 0))
        self._is_needed.set()
        if self._preparing is not None:
            self._preparing.join(max(deadline - monotonic(), 0))
        if self._made is not None:
            self._made.stop(max(deadline - monotonic(), _LOOKED_EVERY))

    @property
    def _has_begun(self) -> bool:
        """Whether there is anything to write, or was."""
        return self._made is not None or bool(self.queue.entries)

    @property
    def _writer(self) -> Writer:
        """What writes the queue; it is made when it is first asked for."""
        if self._made is None:
            with importing():  # by one thread, and no fork comes meanwhile
                self._made = self._made or self._writer_to(None)
        return self._made

    def _writer_to(self, destination: Destination | None) -> Writer:
        # Imported late, on a thread of ours: they take longer than all else that a start does.
        from .._journal.retention import Retention  # noqa: PLC0415
        from .._journal.store import Store  # noqa: PLC0415
        from .._journal.writer import Writer  # noqa: PLC0415

        retention = Retention(
            self._config.journal_max_bytes or DEFAULT_MAX_BYTES,
            self._config.journal_max_days or DEFAULT_MAX_DAYS,
        )
        store = Store(self.path, self._diagnostics)
        writer = Writer(store, self.queue, self._diagnostics, retention, destination)
        writer.on_failed = self._give_up
        return writer

    def _forwarder_to(self, endpoints: Mapping[Signal, Endpoint]) -> Forwarder:
        # Imported late: they are needed where something is sent.
        from .._spool.endpoint import destination_of  # noqa: PLC0415
        from .._spool.forwarder import Forwarder  # noqa: PLC0415

        destination = destination_of(endpoints)
        writer = self._made = self._writer_to(destination)
        forwarder = Forwarder(writer.store, destination, endpoints, self._diagnostics)
        writer.on_written = forwarder.wake
        # What an earlier process left is owed, whether this one has spans or not.
        forwarder.start()
        return forwarder

    def _prepare_soon(self) -> None:
        """Have a thread be ready for spans; where there can be none, be so at once."""
        self._preparing = started_thread(self._prepare, "nodespan-import")
        if self._preparing is None:
            self._is_needed.set()
            self._prepare()

    def _hurry(self) -> None:
        """Be ready now: a span has come."""
        self._is_needed.set()
        if not self._is_preparing and not self._is_stopped:
            self._prepare_soon()

    @property
    def _is_preparing(self) -> bool:
        return self._preparing is not None and self._preparing.is_alive()

    def _prepare(self) -> None:
        self._is_needed.wait(_PREPARES_AFTER)
        if self._is_stopped:
            return  # who stops writes what there is
        try:
            self._writer.begin()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next span tries again
            self._diagnostics.report(NOT_READY, error)
            self._preparing = None
            self.queue.is_awake = False  # in this order: who comes now begins anew
        else:
            self._writer.prepare()

    def _after_fork(self) -> None:
        self._last_known.clear()
        self._preparing, self._is_needed = None, Event()
        if self._made is not None:
            self._made.after_fork_in_child()
        else:
            self.queue.clear()
        if self._forwarder is not None:
            self._forwarder.after_fork_in_child()
        if not self._is_stopped:
            at_os_exit(self.finish)

    def _give_up(self, error: JournalError) -> None:
        """Send spans another way: there can be no journal."""
        self._diagnostics.report(str(error))
        instead = self.processor.instead = self._otherwise() or SpanProcessor()
        entries = list(self.queue.taken())
        self.on_failed_logs([entry for entry in entries if isinstance(entry, Logged)])
        for entry in (*entries, *self.queue.taken()):
            if isinstance(entry, Ended):
                instead.on_end(entry.span)
            elif isinstance(entry, Mark):
                entry.is_passed.set()

    def _owed(self) -> tuple[int, int | None]:
        return self._asked(_OWED)

    def _count(self, query: str) -> int:
        return self._asked(query)[0]

    def _is_owed(self) -> bool:
        """Say whether the endpoint has not taken all; of a journal that nobody can read, too."""
        rows = [self._writer.store.read_if_it_can_be(query) for query in (_OWED, _OWED_LOGS)]
        return any(row is None or row[0] for row in rows)

    def _asked(self, query: str) -> tuple[int, int | None]:
        """Return what a query gives; where the journal cannot be read now, what it gave last."""
        row = self._writer.store.read_if_it_can_be(query)
        if row is not None:
            self._last_known[query] = (row[0], row[1] if len(row) > 1 else None)
        return self._last_known.get(query, (0, None))

    def _consistent(self, count: Callable[[], int]) -> int:
        """Return a count for which nothing was written meanwhile."""
        counted = 0
        for _ in range(_TRIES):
            before = self._writer.commits
            counted = count()
            if before == self._writer.commits and before % 2 == 0:
                break
            sleep(0.001)
        return counted


def set_up_journal(
    config: TelemetryConfig,
    path: Path,
    environ: Mapping[str, str],
    *,
    otherwise: Callable[[], SpanProcessor | None],
    sends: bool,
) -> ProcessJournal | None:
    """Return the journal of this process; None, and a line in the log, where there can be none.

    Args:
        config: has its bounds, and the endpoint.
        path: of its file.
        environ: the variables.
        otherwise: makes what takes the spans where there can be no journal after all.
        sends: whether spans are sent from it.
    """
    if find_spec("_sqlite3") is None:
        Diagnostics().report(NO_SQLITE)
        return None
    try:
        # What passes, as a full disk does, the writer's thread waits out.
        with suppress(OSError):
            check_place(path)
    except JournalError as error:
        Diagnostics().report(str(error))
        return None
    endpoints = {}
    if sends:
        # Imported late: it is needed where something is sent.
        from .._spool.endpoint import endpoint_of  # noqa: PLC0415

        endpoints = {
            signal: endpoint_of(signal, config.endpoint, config.headers, environ)
            # Who forwards sends also what others have logged.
            for signal in (Signal.TRACES, Signal.LOGS)
        }
    return ProcessJournal(path, config, endpoints, otherwise)
