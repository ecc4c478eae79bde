"""The open runs: found by run id, ended exactly once, bounded in number."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from threading import Lock, RLock
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from opentelemetry.trace import Span

    from ._chunks import ChunkCounter
    from ._context import Body
    from ._exceptions import Signature
    from ._lifecycle import Lifecycle
    from ._outcome import Outcome
    from ._spans import RunKind
    from ._start import Start
    from ._task_watch import TaskWatch


@dataclass(slots=True, eq=False)
class Run:
    """One execution that LangChain has reported the start of.

    Attributes:
        run_id: LangChain's.
        kind: what it is.
        start: what was reported of its start.
        owner: the handler's lifecycle that started it, and alone ends it.
        parent: the run that it belongs to; None for a root.
        started_at: when it started, in ns of the monotonic clock.
        epoch: what turns the monotonic clock into time since 1970, in ns; one for a trace, so
            that a clock that is set anew in mid-trace does not tear it.
        span: its span; None for a run without one.
        body: whether the application's code may be executing in it.
        watch: of the task that it runs in, where nobody else would report its cancellation.
        chunks: counts what its stream gives, for models.
        is_whole: whether its caller gets the whole result at once.
        outcome: what is known of how it will end.
        failures: the exceptions that runs beneath it have recorded.
        children: the runs of which it is the parent and that are open.
        undecided: nodes beneath it that were cancelled, until it is known why.
    """

    run_id: UUID
    kind: RunKind
    start: Start
    owner: Lifecycle
    parent: Run | None
    started_at: int
    epoch: int
    span: Span | None = None
    body: Body | None = None
    watch: TaskWatch | None = None
    chunks: ChunkCounter | None = None
    is_whole: bool = False
    outcome: Outcome | None = None
    failures: tuple[Signature, ...] = ()
    children: dict[UUID, Run] = field(default_factory=dict)
    undecided: list[Cancelled] = field(default_factory=list)

    @property
    def nearest_with_span(self) -> Run | None:
        """This run, or the nearest above it, that has a span."""
        run: Run | None = self
        while run is not None and run.span is None:
            run = run.parent
        return run

    def begin_stream(self) -> None:
        """Say that the first chunk has come."""
        if not self.is_whole:
            self.leave_body()

    def leave_body(self) -> None:
        """Say that what executes from now on is the consumer's code, or nobody's."""
        if self.body is not None:
            self.body.executing = False
        if self.watch is not None:
            self.watch.stop()
            self.watch = None

    def time(self, at: int) -> int:
        """Return a time of the monotonic clock as nanoseconds since 1970."""
        return at + self.epoch


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A node that was cancelled, and when, in ns of the monotonic clock."""

    run: Run
    at: int


class OpenRuns:
    """Every run that has started and not ended.

    Args:
        limit: how many there may be; beyond it the oldest are handed out to be ended.

    Attributes:
        counters: of the chunks of each open model, by the integer of its run id: the token path
            spares the hash of a UUID, which Python computes anew each time.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._runs: dict[UUID, Run] = {}
        self.counters: dict[int, ChunkCounter] = {}
        self._lock = RLock()

    def __len__(self) -> int:
        return len(self._runs)

    def get(self, run_id: UUID | None) -> Run | None:
        """Return an open run by its id."""
        return self._runs.get(run_id) if run_id is not None else None

    def add(self, run: Run) -> list[Run]:
        """Take a run in; return those that had to give way to it, deepest first."""
        with self._lock:
            self._runs[run.run_id] = run
            if run.parent is not None:
                run.parent.children[run.run_id] = run
            return self._evicted(run)

    def take(self, run_id: UUID) -> list[Run]:
        """Take a run out to end it, and before it, deepest first, all that is beneath.

        Of any number of callers one gets the run; the others get nothing.
        """
        with self._lock:
            run = self._runs.get(run_id)
            return [] if run is None else list(self._taken(run))

    def clear(self) -> None:
        """Forget every run without ending it."""
        self._lock = RLock()
        self._runs.clear()
        self.counters.clear()

    def __iter__(self) -> Iterator[Run]:
        with self._lock:
            return iter(list(self._runs.values()))

    def _taken(self, run: Run) -> Iterator[Run]:
        for child in list(run.children.values()):
            yield from self._taken(child)
        self.counters.pop(run.run_id.int, None)
        if self._runs.pop(run.run_id, None) is not None:
            if run.parent is not None:
                run.parent.children.pop(run.run_id, None)
            yield run

    def _evicted(self, newest: Run) -> list[Run]:
        surplus = len(self._runs) - self._limit
        if surplus <= 0:
            return []
        lineage = set(_ancestors(newest))
        oldest = (run for run in self._runs.values() if run not in lineage)
        return [gone for run in list(islice(oldest, surplus)) for gone in self._taken(run)]


def _ancestors(run: Run | None) -> Iterator[Run]:
    while run is not None:
        yield run
        run = run.parent


_OF_PROVIDERS: Final[WeakKeyDictionary[object, OpenRuns]] = WeakKeyDictionary()
_OF_PROVIDERS_LOCK: Final = Lock()


def open_runs_of(provider: object, limit: int) -> OpenRuns:
    """Return the open runs of a tracer provider, which all its handlers share.

    So a run that two handlers are told of has one span, and a run that one of them is told of
    finds its parent that another has started.

    Args:
        provider: of tracers.
        limit: how many may be open; that of the provider's first handler holds.
    """
    with _OF_PROVIDERS_LOCK:
        return _OF_PROVIDERS.setdefault(provider, OpenRuns(limit))


def find_open_run(run_id: UUID | None) -> Run | None:
    """Return an open run by its id, whichever tracer provider its span is from."""
    if run_id is None:
        return None
    # Without the lock, which another thread may hold when this process is forked.
    providers = (reference() for reference in _OF_PROVIDERS.keyrefs())
    stores = (_OF_PROVIDERS.get(provider) for provider in providers if provider is not None)
    found = (store.get(run_id) for store in stores if store is not None)
    return next((run for run in found if run is not None), None)
