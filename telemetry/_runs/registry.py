"""The open runs: found by run id, ended exactly once, bounded in number."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias

from opentelemetry.trace import NonRecordingSpan

from .._context.callers import Caller
from .._process import exit_before_others, in_forked_child
from .._providers import every, one_of
from .._translation.start import Start
from .._values.attributes import drop_none
from .interrupts import InterruptedRuns
from .retries import NodeRetries
from .run import Run

if TYPE_CHECKING:
    from array import array
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

    @property
    def plain(self) -> array[int] | None:
        """The times to which that of a token of text may be added in place of a call."""

    def token(self, token: Any, chunk: Any) -> None:
        """Take what `on_llm_new_token` reports."""

    def event(self, event: Mapping[str, Any]) -> None:
        """Take what `on_stream_event` reports."""


class _Ended(NamedTuple):
    """What is remembered of a run that has ended, for children that start later."""

    kind: RunKind
    name: str | None
    metadata: tuple[object, ...]
    epoch: int
    span: SpanContext | None

    def as_run(self, run_id: int, owner: Owner) -> Run:
        """Return a run that a late child can have as its parent."""
        metadata = dict(zip(_INHERITED, self.metadata, strict=True))
        start = Start(None, self.name, (), drop_none(metadata))
        span = NonRecordingSpan(self.span) if self.span is not None else None
        return Run(run_id, self.kind, start, owner, Caller.here(), None, 0, self.epoch, span=span)


# The same, as it is kept: an `_Ended` is made for the few that somebody asks for.
_Known: TypeAlias = "tuple[RunKind, str | None, tuple[object, ...], int, SpanContext | None]"


class OpenRuns:
    """Every run that has started and not ended.

    Args:
        limit: how many there may be; beyond it the oldest are handed out to be ended.

    Attributes:
        by_id: the runs, by the integers of their ids, the oldest first.
        counters: of the chunks of each open model, by the integer of its run id: the token path
            spares the hash of a UUID, which Python computes anew each time.
        interrupted: the runs that wait for a person.
        retries: the attempts of the nodes of open graphs.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.by_id: OrderedDict[int, Run] = OrderedDict()
        self._ended: OrderedDict[int, _Known] = OrderedDict()
        self._leaves: OrderedDict[int, SpanContext] = OrderedDict()
        self.counters: dict[int, Counter] = {}
        self.interrupted = InterruptedRuns()
        self.retries = NodeRetries()
        self._lock = RLock()
        # What is open then is the parent's to end; a child would export it twice.
        in_forked_child(self.clear)
        exit_before_others()

    def __len__(self) -> int:
        return len(self.by_id)

    def __contains__(self, run: Run) -> bool:
        return self.by_id.get(run.run_id) is run

    def get(self, run_id: UUID | None) -> Run | None:
        """Return an open run by its id."""
        return self.by_id.get(run_id.int) if run_id is not None else None

    def find(self, run_id: int) -> Run | None:
        """Return an open run by the integer of its id."""
        return self.by_id.get(run_id)

    def parent(self, run_id: UUID | None, owner: Owner) -> Run | None:
        """Return the run that is to be a parent: an open one, or what is left of one."""
        run = self.get(run_id)
        if run is not None or run_id is None:
            return run
        ended = self._ended.get(run_id.int)
        return _Ended(*ended).as_run(run_id.int, owner) if ended is not None else None

    def add(self, run: Run, another_id: Callable[[int], UUID]) -> list[Run]:
        """Take a run in; return those that had to give way to it, deepest first.

        Args:
            run: to take in.
            another_id: returns another one for an id that a run of another thread has just taken.
        """
        with self._lock:
            if run.run_id in self.by_id:
                run.call_itself(another_id(run.run_id).int)
            self.by_id[run.run_id] = run
            if run.parent is not None:
                run.parent.adopt(run)
            return self._evicted(run) if len(self.by_id) > self._limit else []

    def count_with(self, run: Run, counter: Counter) -> None:
        """Have the chunks of a run that is open counted by *counter* from now on."""
        with self._lock:
            if self.by_id.get(run.run_id) is run:
                self.counters[run.run_id] = counter

    def take(self, run: Run, outlives_parent: Callable[[Run], bool]) -> list[Run]:
        """Take a run out to end it, and before it, deepest first, what is beneath.

        Of any number of callers one gets the run; the others get nothing.

        Args:
            run: to take out.
            outlives_parent: says of a run beneath whether it stays open, with all beneath it.
        """
        with self._lock:
            if self.by_id.get(run.run_id) is not run:
                return []
            if run.children:
                return list(self._taken(run, outlives_parent))
            # Nearly all end so: with nothing open beneath them.
            self.counters.pop(run.run_id, None)
            del self.by_id[run.run_id]
            if run.parent is not None:
                run.parent.children.pop(run.run_id, None)
            return [run]

    def add_up(self, run: Run, used: Totals) -> None:
        """Add what a run has used to the sums of the agents above it, and of its root."""
        with self._lock:  # an agent calls its tools in threads
            nearest = run.nearest_agent
            above = run.parent
            while above is not None:
                if above.kind.is_agent or above.parent is None:
                    above.add_up(used, is_own=above is nearest)
                above = above.parent

    def remember(self, run: Run) -> None:
        """Remember a run that has ended; of these the last 1,024."""
        with_span: Run | None = run
        while with_span is not None and with_span.span is None:
            with_span = with_span.parent
        span = with_span.span.get_span_context() if with_span and with_span.span else None
        metadata = tuple(map(run.start.metadata.get, _INHERITED))
        # No lock: each is one step.
        self._ended[run.run_id] = (run.kind, run.start.name, metadata, run.epoch, span)
        if len(self._ended) > _MAX_REMEMBERED:
            self._ended.popitem(last=False)

    def remember_leaf(self, run: Run) -> None:
        """Remember the span of a model, tool or retriever that has ended; the last 1,024."""
        if run.span is None:
            return
        self._leaves[run.run_id] = run.span.get_span_context()
        if len(self._leaves) > _MAX_REMEMBERED:
            self._leaves.popitem(last=False)

    def span_of(self, run_id: int) -> SpanContext | None:
        """Return the span of a run that is open, or that is remembered."""
        run = self.by_id.get(run_id)
        if run is not None:
            nearest = run.nearest_with_span
            return nearest.span.get_span_context() if nearest and nearest.span else None
        ended = self._ended.get(run_id)
        return _Ended(*ended).span if ended is not None else self._leaves.get(run_id)

    def clear(self) -> None:
        """Forget every run without ending it."""
        self._lock = RLock()
        self.by_id.clear()
        self._ended.clear()
        self._leaves.clear()
        self.counters.clear()
        self.retries.clear()

    def __iter__(self) -> Iterator[Run]:
        with self._lock:
            return iter(list(self.by_id.values()))

    def _taken(self, run: Run, outlives_parent: Callable[[Run], bool]) -> Iterator[Run]:
        for child in list(run.children.values()):
            if not outlives_parent(child):
                yield from self._taken(child, outlives_parent)
        self.counters.pop(run.run_id, None)
        if self.by_id.pop(run.run_id, None) is not None:
            if run.parent is not None:
                run.parent.children.pop(run.run_id, None)
            yield run

    def _evicted(self, newest: Run) -> list[Run]:
        surplus = len(self.by_id) - self._limit
        if surplus <= 0:
            return []
        lineage = set(_ancestors(newest))
        oldest = (run for run in self.by_id.values() if run not in lineage)
        given_way = list(islice(oldest, surplus))
        return [gone for run in given_way for gone in self._taken(run, lambda _: False)]


def _ancestors(run: Run | None) -> Iterator[Run]:
    while run is not None:
        yield run
        run = run.parent


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
