"""The open runs: found by run id, ended exactly once, bounded in number."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, Protocol

from opentelemetry.trace import NonRecordingSpan

from .._context.callers import Caller
from .._process import exit_before_others, in_forked_child
from .._providers import every, one_of
from .._translation.start import Start
from .interrupts import InterruptedRuns
from .retries import NodeRetries
from .run import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from uuid import UUID

    from opentelemetry.trace import SpanContext

    from .._translation.kinds import RunKind
    from .run import Owner
    from .totals import Totals

_MAX_REMEMBERED: Final = 1_024
# What is inherited from a run, or tells what its children are.
_INHERITED: Final = ("ls_integration", "langgraph_checkpoint_ns", "thread_id")


class Counter(Protocol):
    """Counts the chunks of one run, from both of LangChain's protocols."""

    def token(self, token: Any, chunk: Any) -> None:
        """Take what `on_llm_new_token` reports."""

    def event(self, event: Mapping[str, Any]) -> None:
        """Take what `on_stream_event` reports."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """What is remembered of a run that has ended, for children that start later."""

    kind: RunKind
    name: str | None
    metadata: Mapping[str, object]
    epoch: int
    span: SpanContext | None

    @classmethod
    def of(cls, run: Run) -> _Ended:
        nearest = run.nearest_with_span
        span = nearest.span.get_span_context() if nearest and nearest.span else None
        known = run.start.metadata
        metadata = {key: known[key] for key in _INHERITED if key in known}
        return cls(run.kind, run.start.name, metadata, run.epoch, span)

    def as_run(self, run_id: int, owner: Owner) -> Run:
        """Return a run that a late child can have as its parent."""
        start = Start(None, self.name, (), self.metadata)
        span = NonRecordingSpan(self.span) if self.span is not None else None
        return Run(run_id, self.kind, start, owner, Caller.here(), None, 0, self.epoch, span=span)


class OpenRuns:
    """Every run that has started and not ended.

    Args:
        limit: how many there may be; beyond it the oldest are handed out to be ended.

    Attributes:
        counters: of the chunks of each open model, by the integer of its run id: the token path
            spares the hash of a UUID, which Python computes anew each time.
        interrupted: the runs that wait for a person.
        retries: the attempts of the nodes of open graphs.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._runs: OrderedDict[int, Run] = OrderedDict()
        self._ended: OrderedDict[int, _Ended] = OrderedDict()
        self._leaves: OrderedDict[int, SpanContext] = OrderedDict()
        self.counters: dict[int, Counter] = {}
        self.interrupted = InterruptedRuns()
        self.retries = NodeRetries()
        self._lock = RLock()
        # What is open then is the parent's to end; a child would export it twice.
        in_forked_child(self.clear)
        exit_before_others()

    def __len__(self) -> int:
        return len(self._runs)

    def __contains__(self, run: Run) -> bool:
        return self._runs.get(run.run_id) is run

    def get(self, run_id: UUID | None) -> Run | None:
        """Return an open run by its id."""
        return self._runs.get(run_id.int) if run_id is not None else None

    def find(self, run_id: int) -> Run | None:
        """Return an open run by the integer of its id."""
        return self._runs.get(run_id)

    def parent(self, run_id: UUID | None, owner: Owner) -> Run | None:
        """Return the run that is to be a parent: an open one, or what is left of one."""
        run = self.get(run_id)
        if run is not None or run_id is None:
            return run
        ended = self._ended.get(run_id.int)
        return ended.as_run(run_id.int, owner) if ended is not None else None

    def add(self, run: Run) -> list[Run]:
        """Take a run in; return those that had to give way to it, deepest first."""
        with self._lock:
            self._runs[run.run_id] = run
            if run.parent is not None:
                run.parent.adopt(run)
            return self._evicted(run)

    def count_with(self, run: Run, counter: Counter) -> None:
        """Have the chunks of a run that is open counted by *counter* from now on."""
        with self._lock:
            if run in self:
                self.counters[run.run_id] = counter

    def take(self, run: Run, outlives_parent: Callable[[Run], bool]) -> list[Run]:
        """Take a run out to end it, and before it, deepest first, what is beneath.

        Of any number of callers one gets the run; the others get nothing.

        Args:
            run: to take out.
            outlives_parent: says of a run beneath whether it stays open, with all beneath it.
        """
        with self._lock:
            return list(self._taken(run, outlives_parent)) if run in self else []

    def add_up(self, run: Run, used: Totals) -> None:
        """Add what a run has used to the sums of the agents above it, and of its root."""
        with self._lock:  # an agent calls its tools in threads
            for above, is_own in _summed_above(run):
                above.totals.add(used, is_own=is_own)

    def remember(self, run: Run) -> None:
        """Remember a run that has ended; of these the last 1,024."""
        with self._lock:
            self._ended[run.run_id] = _Ended.of(run)
            if len(self._ended) > _MAX_REMEMBERED:
                self._ended.popitem(last=False)

    def remember_leaf(self, run: Run) -> None:
        """Remember the span of a model, tool or retriever that has ended; the last 1,024."""
        if run.span is None:
            return
        with self._lock:
            self._leaves[run.run_id] = run.span.get_span_context()
            if len(self._leaves) > _MAX_REMEMBERED:
                self._leaves.popitem(last=False)

    def span_of(self, run_id: int) -> SpanContext | None:
        """Return the span of a run that is open, or that is remembered."""
        run = self._runs.get(run_id)
        if run is not None:
            nearest = run.nearest_with_span
            return nearest.span.get_span_context() if nearest and nearest.span else None
        ended = self._ended.get(run_id)
        return ended.span if ended is not None else self._leaves.get(run_id)

    def clear(self) -> None:
        """Forget every run without ending it."""
        self._lock = RLock()
        self._runs.clear()
        self._ended.clear()
        self._leaves.clear()
        self.counters.clear()
        self.retries.clear()

    def __iter__(self) -> Iterator[Run]:
        with self._lock:
            return iter(list(self._runs.values()))

    def _taken(self, run: Run, outlives_parent: Callable[[Run], bool]) -> Iterator[Run]:
        for child in list(run.children.values()):
            if not outlives_parent(child):
                yield from self._taken(child, outlives_parent)
        self.counters.pop(run.run_id, None)
        if self._runs.pop(run.run_id, None) is not None:
            if run.parent is not None:
                run.parent.let_go(run)
            yield run

    def _evicted(self, newest: Run) -> list[Run]:
        surplus = len(self._runs) - self._limit
        if surplus <= 0:
            return []
        lineage = set(_ancestors(newest))
        oldest = (run for run in self._runs.values() if run not in lineage)
        given_way = list(islice(oldest, surplus))
        return [gone for run in given_way for gone in self._taken(run, lambda _: False)]


def _ancestors(run: Run | None) -> Iterator[Run]:
    while run is not None:
        yield run
        run = run.parent


def _summed_above(run: Run) -> Iterator[tuple[Run, bool]]:
    """Give the agents above a run, and its root; each with whether the run is the agent's own."""
    nearest = run.nearest_agent
    for above in _ancestors(run.parent):
        if above.kind.is_agent or above.parent is None:
            yield above, above is nearest


def open_runs_of(provider: object, limit: int) -> OpenRuns:
    """Return the open runs of a tracer provider, which all its handlers share.

    So a run that is reported to two handlers has one span, and one that is reported to one of them
    finds its parent that another has started.

    Args:
        provider: of tracers.
        limit: how many may be open; that of the provider's first handler holds.
    """
    return one_of(provider, OpenRuns, lambda: OpenRuns(limit))


def find_span(run_id: int) -> SpanContext | None:
    """Return the span of a run that is open or remembered, whichever provider it is from."""
    found = (store.span_of(run_id) for store in every(OpenRuns))
    return next((span for span in found if span is not None), None)


def find_open_run(run_id: int | None) -> Run | None:
    """Return an open run by the integer of its id, whichever tracer provider its span is from."""
    if run_id is None:
        return None
    found = (store.find(run_id) for store in every(OpenRuns))
    return next((run for run in found if run is not None), None)
