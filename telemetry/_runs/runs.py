"""The open runs: found by run id, ended exactly once, bounded in number."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import islice
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import WeakKeyDictionary, ref

from opentelemetry.trace import NonRecordingSpan

from .._context.callers import Caller
from .._translation.start import Start
from .interrupts import InterruptedRuns

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator, Mapping
    from uuid import UUID

    from opentelemetry.trace import Span, SpanContext

    from .._content.door import Content
    from .._context.current import Body
    from .._context.watches import IdWatch, TaskWatch
    from .._stream.counter import ChunkCounter
    from .._translation.exceptions import Signature
    from .._translation.outcome import Outcome
    from .._translation.spans import RunKind
    from .._values.attributes import AttributeValue
    from .lifecycle import Lifecycle
    from .retries import NodeAttempts

_MAX_REMEMBERED: Final = 1_024
# What is inherited from a run, or tells what its children are.
_INHERITED: Final = ("ls_integration", "langgraph_checkpoint_ns", "thread_id")


class Counter(Protocol):
    """Counts the chunks of one run, from both of LangChain's protocols."""

    def token(self, token: Any, chunk: Any) -> None:
        """Take what `on_llm_new_token` reports."""

    def event(self, event: Mapping[str, Any]) -> None:
        """Take what `on_stream_event` reports."""


@dataclass(slots=True, eq=False)
class Run:
    """One execution that LangChain has reported the start of.

    Attributes:
        run_id: the integer of LangChain's run id, which is not kept: when nobody else does so
            any longer, the run is over.
        kind: what it is.
        start: what was reported of its start.
        owner: the handler's lifecycle that started it, and alone ends it.
        caller: who started it.
        waiting: the task that only waits for its body, where that is known.
        parent: the run that it belongs to; None for a root.
        started_at: when it started, in ns of the monotonic clock.
        epoch: what turns the monotonic clock into time since 1970, in ns; one for a trace, so
            that a clock that is set anew in mid-trace does not tear it.
        span: its span; None for a run without one.
        attributes: of its span, those that a sampler decides on.
        given: makes the content of what it was given, until it has a span.
        body: whether the application's code may be executing in it.
        id_watch: of its run id.
        task_watch: of the task that it runs in, where nobody else would report its cancellation.
        chunks: counts what its stream gives, for models.
        is_whole: whether its caller gets the whole result at once.
        outcome: what is known of how it will end.
        attempt: which attempt it is, from 1, where its like is tried again when it fails.
        is_given_up: whether its graph has gone on without it.
        node_attempts: those of its nodes, for a graph.
        graph_event: what LangGraph has told last of a graph, an interrupt or a resumption.
        failures: the exceptions that runs beneath it have recorded.
        had_abandoned: whether a run right beneath it was abandoned.
        started: how many runs have started of which it is the parent.
        inference_calls: how many an agent itself has made; answers of a cache are none.
        tool_calls: how many an agent itself has made.
        children: those of the runs beneath it that are open.
    """

    run_id: int
    kind: RunKind
    start: Start
    owner: Lifecycle
    caller: Caller
    parent: Run | None
    started_at: int
    epoch: int
    span: Span | None = None
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    given: Content = dict
    waiting: ref[asyncio.Task[Any]] | None = None
    body: Body | None = None
    id_watch: IdWatch | None = None
    task_watch: TaskWatch | None = None
    chunks: ChunkCounter | None = None
    is_whole: bool = False
    outcome: Outcome | None = None
    attempt: int | None = None
    is_given_up: bool = False
    node_attempts: NodeAttempts | None = None
    graph_event: object = None
    failures: tuple[Signature, ...] = ()
    had_abandoned: bool = False
    started: int = 0
    inference_calls: int = 0
    tool_calls: int = 0
    children: dict[int, Run] = field(default_factory=dict)

    @property
    def nearest_with_span(self) -> Run | None:
        """This run, or the nearest above it, that has a span."""
        run: Run | None = self
        while run is not None and run.span is None:
            run = run.parent
        return run

    @property
    def nearest_agent(self) -> Run | None:
        """The nearest run above it that is an agent's."""
        run = self.parent
        while run is not None and not run.kind.is_agent:
            run = run.parent
        return run

    @property
    def is_in_mid_stream(self) -> bool:
        """Whether a chunk has come."""
        return self.chunks is not None and self.chunks.begun

    @property
    def is_left(self) -> bool:
        """Whether its consumer walked away, if nobody reports its end: a stream was under way."""
        if self.is_in_mid_stream or self.had_abandoned:
            return True
        return any(child.is_left for child in list(self.children.values()))

    def is_beneath(self, other: Run | None) -> bool:
        """Say whether *other*, or with None no run at all, is above this run."""
        above = self.parent
        while above is not None and above is not other:
            above = above.parent
        return above is other

    def is_known(self, event: object) -> bool:
        """Take note of what LangGraph tells; say whether it has just told the same."""
        known, self.graph_event = self.graph_event, event
        return known is event

    def is_told_again(self) -> None:
        """Say that its start was reported once more: the same handler was given twice."""
        if self.chunks is not None:
            self.chunks.add_reporter()

    def begin_stream(self) -> None:
        """Say that the first chunk has come."""
        if not self.is_whole:
            self.leave_body()

    def leave_body(self) -> None:
        """Say that what executes from now on is the consumer's code, or nobody's."""
        if self.body is not None:
            self.body.leave()
        if self.task_watch is not None:
            self.task_watch.stop()
            self.task_watch = None

    def time(self, at: int) -> int:
        """Return a time of the monotonic clock as nanoseconds since 1970."""
        return at + self.epoch


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
        told = run.start.metadata
        metadata = {key: told[key] for key in _INHERITED if key in told}
        return cls(run.kind, run.start.name, metadata, run.epoch, span)

    def as_run(self, run_id: int, owner: Lifecycle) -> Run:
        """Return a run that a late child can have as its parent."""
        start = Start(None, self.name, (), self.metadata)
        span = NonRecordingSpan(self.span) if self.span is not None else None
        return Run(run_id, self.kind, start, owner, Caller.here(), None, 0, self.epoch, span)


class OpenRuns:
    """Every run that has started and not ended.

    Args:
        limit: how many there may be; beyond it the oldest are handed out to be ended.

    Attributes:
        counters: of the chunks of each open model, by the integer of its run id: the token path
            spares the hash of a UUID, which Python computes anew each time.
        interrupted: the runs that wait for a person.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._runs: OrderedDict[int, Run] = OrderedDict()
        self._ended: OrderedDict[int, _Ended] = OrderedDict()
        self.counters: dict[int, Counter] = {}
        self.interrupted = InterruptedRuns()
        self._lock = RLock()

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

    def parent(self, run_id: UUID | None, owner: Lifecycle) -> Run | None:
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
                run.parent.children[run.run_id] = run
                run.parent.started += 1
            return self._evicted(run)

    def count_with(self, run: Run, counter: Counter) -> None:
        """Have the chunks of a run that is open counted by *counter* from now on."""
        with self._lock:
            if run in self:
                self.counters[run.run_id] = counter

    def take(self, run: Run, goes_on: Callable[[Run], bool]) -> list[Run]:
        """Take a run out to end it, and before it, deepest first, what is beneath.

        Of any number of callers one gets the run; the others get nothing.

        Args:
            run: to take out.
            goes_on: says of a run beneath whether it stays open, with all beneath it.
        """
        with self._lock:
            return list(self._taken(run, goes_on)) if run in self else []

    def count_call(self, run: Run) -> None:
        """Count the run of a model or a tool for the agent that has made the call, if one has."""
        agent = run.nearest_agent
        if agent is None:
            return
        with self._lock:  # an agent calls its tools in threads
            if run.kind.is_model:
                agent.inference_calls += 1
            else:
                agent.tool_calls += 1

    def remember(self, run: Run) -> None:
        """Remember a run that has ended; of these the last 1,024."""
        with self._lock:
            self._ended[run.run_id] = _Ended.of(run)
            if len(self._ended) > _MAX_REMEMBERED:
                self._ended.popitem(last=False)

    def clear(self) -> None:
        """Forget every run without ending it."""
        self._lock = RLock()
        self._runs.clear()
        self._ended.clear()
        self.counters.clear()

    def __iter__(self) -> Iterator[Run]:
        with self._lock:
            return iter(list(self._runs.values()))

    def _taken(self, run: Run, goes_on: Callable[[Run], bool]) -> Iterator[Run]:
        for child in list(run.children.values()):
            if not goes_on(child):
                yield from self._taken(child, goes_on)
        self.counters.pop(run.run_id, None)
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
        given_way = list(islice(oldest, surplus))
        return [gone for run in given_way for gone in self._taken(run, lambda _: False)]


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


def find_open_run(run_id: int | None) -> Run | None:
    """Return an open run by the integer of its id, whichever tracer provider its span is from."""
    if run_id is None:
        return None
    # Without the lock, which another thread may hold when this process is forked.
    providers = (reference() for reference in _OF_PROVIDERS.keyrefs())
    stores = (_OF_PROVIDERS.get(provider) for provider in providers if provider is not None)
    found = (store.find(run_id) for store in stores if store is not None)
    return next((run for run in found if run is not None), None)
