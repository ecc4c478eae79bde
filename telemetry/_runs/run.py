"""One run: what is known of it while it is open, changed by its own methods alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final, Protocol

from .._context.starting import Progress
from .totals import Totals

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping
    from weakref import ref

    from opentelemetry.trace import Span

    from .._content.door import Content
    from .._context.callers import Caller
    from .._context.current import Body
    from .._context.watches import IdWatch
    from .._stream.counter import ChunkCounter
    from .._translation.ending import Ending
    from .._translation.exceptions import Signature
    from .._translation.kinds import RunKind
    from .._translation.start import Start
    from .._values.attributes import Attributes, AttributeValue

_MAX_FAILURES: Final = 16


class Owner(Protocol):
    """What a run needs of the handler's lifecycle that has started it."""

    def close(self, run: Run, ending: Ending) -> None:
        """End the span of a run that was taken out of the open ones."""

    def end_run(self, run: Run, ending: Ending) -> None:
        """End a run and, before it, whatever is still open beneath it."""

    def show_graph(self, run: Run) -> None:
        """Take a run for a graph, as which it has shown itself."""


@dataclass(slots=True, eq=False)
class Run:
    """One execution that LangChain has reported the start of.

    Attributes:
        run_id: the integer of LangChain's run id, which is not kept: when nobody else does so
            any longer, the run is over.
        kind: what it is; `revise` alone changes it.
        start: what was reported of its start.
        owner: the handler's lifecycle that started it, and alone ends it.
        caller: who started it.
        parent: the run that it belongs to; None for a root.
        started_at: when it started, in ns of the monotonic clock.
        epoch: what turns the monotonic clock into time since 1970, in ns; one for a trace, so
            that a clock that is set anew in mid-trace does not tear it.
        waiting: the task that only waits for its body, where that is known.
        id_watch: of its run id, which learns of its end where nobody reports that.
        span: its span; None for a run without one.
        attributes: of its span, those that a sampler decides on at the least.
        body: whether the application's code may be executing in it; None where it has none.
        chunks: counts what its stream gives, for models.
        given: makes the content of what it was given, until it has a span.
        is_recorded: whether its span is.
        is_whole: whether its caller gets the whole result at once.
        is_interrupted: whether its graph waits for a person.
        attempt: which attempt it is, from 1, where its like is tried again when it fails.
        is_given_up: whether its graph has gone on without it.
        graph_event: what LangGraph has reported last of a graph, an interrupt or a resumption.
        failures: the exceptions that runs beneath it have recorded.
        had_abandoned: whether a run right beneath it was abandoned.
        is_in_journal: whether its span is written into a journal.
        started: how many runs have started of which it is the parent.
        totals: what was used beneath it, where it is a root or an agent; None for nothing.
        held: attributes that wait until its span has room for them.
        children: those of the runs beneath it that are open.
    """

    run_id: int
    kind: RunKind
    start: Start
    owner: Owner
    caller: Caller
    parent: Run | None
    started_at: int
    epoch: int
    waiting: ref[asyncio.Task[Any]] | None = None
    id_watch: IdWatch | None = None
    span: Span | None = None
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    body: Body | None = None
    chunks: ChunkCounter | None = None
    given: Content = dict
    is_recorded: bool = False
    is_whole: bool = False
    is_interrupted: bool = False
    attempt: int | None = None
    is_given_up: bool = False
    graph_event: object = None
    failures: tuple[Signature, ...] = ()
    had_abandoned: bool = False
    is_in_journal: bool = False
    started: int = 0
    totals: Totals | None = None
    held: Attributes = field(default_factory=dict)
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
    def root(self) -> Run:
        """The run above all others."""
        run = self
        while run.parent is not None:
            run = run.parent
        return run

    @property
    def is_recorded_above(self) -> bool:
        """Whether the span of any run above it is recorded."""
        above = self.parent
        while above is not None:
            if above.is_recorded:
                return True
            above = above.parent
        return False

    @property
    def start_around(self) -> Start:
        """What was reported of it, or of what is around it: a model has not what is inherited."""
        run = self
        while run.kind.is_leaf and run.parent is not None:
            run = run.parent
        return run.start

    @property
    def is_in_mid_stream(self) -> bool:
        """Whether a chunk has come."""
        return self.chunks is not None and self.chunks.begun

    @property
    def consumer_left(self) -> bool:
        """Whether its consumer walked away, if nobody reports its end: a stream was under way."""
        if self.is_in_mid_stream or self.had_abandoned:
            return True
        return any(child.consumer_left for child in list(self.children.values()))

    def is_beneath(self, other: Run | None) -> bool:
        """Say whether *other*, or with None no run at all, is above this run."""
        above = self.parent
        while above is not None and above is not other:
            above = above.parent
        return above is other

    def time(self, at: int) -> int:
        """Return a time of the monotonic clock as nanoseconds since 1970."""
        return at + self.epoch

    def progress(self, known: int = 0, known_stalls: int = 0) -> Progress | None:
        """Return how far its stream has come, for others to see; in any thread.

        Args:
            known: how many chunks are known already: None where there are no more.
            known_stalls: as above; of which there may be more while no chunk comes.
        """
        if self.chunks is None:
            return None
        clock = self.chunks.clock
        count, stalls = clock.chunks, clock.stalls_until(perf_counter_ns())
        if count <= known and stalls <= known_stalls:
            return None
        first, last = clock.first_chunk_at, clock.last_chunk_at
        text = self.chunks.text.so_far() if self.chunks.text is not None else None
        return Progress(
            count,
            self.time(first) if first is not None else None,
            self.time(last) if last is not None else None,
            text,
            stalls,
        )

    def adopt(self, child: Run) -> None:
        """Take in a run that starts beneath it."""
        self.children[child.run_id] = child
        self.started += 1

    def add_up(self, used: Totals, *, is_own: bool) -> None:
        """Add what a run beneath it has used; see `Totals.add`."""
        if self.totals is None:
            self.totals = Totals()
        self.totals.add(used, is_own=is_own)

    def call_itself(self, run_id: int) -> None:
        """Take another id, before anybody knows it: the one that it was given is taken."""
        self.run_id = run_id

    def number(self, attempt: int | None) -> None:
        """Say which attempt it is."""
        self.attempt = attempt

    def trace(
        self,
        span: Span,
        attributes: Mapping[str, AttributeValue],
        body: Body | None,
        chunks: ChunkCounter | None,
        *,
        is_recorded: bool,
    ) -> None:
        """Take the span that has started of it, and what belongs to that."""
        self.span, self.attributes, self.body, self.chunks = span, attributes, body, chunks
        self.is_recorded = is_recorded
        self.given = dict

    def rename(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Take what a new name of its span has made of it."""
        self.attributes = attributes
        self.given = dict

    def give_up(self) -> None:
        """Say that its graph has gone on without it."""
        self.is_given_up = True

    def revise(self, kind: RunKind) -> None:
        """Say that it has shown itself to be something else than it was taken for."""
        self.kind = kind

    def keep(self, given: Content) -> None:
        """Keep what makes the content of its input: it may have a span later."""
        self.given = given

    def hold(self, attributes: Attributes) -> None:
        """Keep attributes for its end: they may find room then."""
        self.held = attributes

    def claim(self, body: Body | None, *, is_whole: bool) -> None:
        """Take the place that a call has kept for its body."""
        self.body = body
        self.is_whole = is_whole

    def add_reporter(self) -> None:
        """Say that its start was reported once more: the same handler was given twice."""
        if self.chunks is not None:
            self.chunks.add_reporter()

    def leave_body(self) -> None:
        """Say that what executes from now on is nobody's code."""
        if self.body is not None:
            self.body.end()

    def enter_journal(self) -> None:
        """Say that its span is written into a journal."""
        self.is_in_journal = True

    def interrupt(self) -> None:
        """Say that its graph waits for a person."""
        self.is_interrupted = True

    def take_graph_event(self, event: object) -> bool:
        """Keep what LangGraph reports of a graph; return whether that is news."""
        known, self.graph_event = self.graph_event, event
        return known is not event

    def add_failure(self, failure: Signature) -> None:
        """Keep which exception a run right beneath it has recorded; of these the last 16."""
        self.failures = (*self.failures[1 - _MAX_FAILURES :], failure)

    def note_abandoned(self) -> None:
        """Say that a run right beneath it was abandoned."""
        self.had_abandoned = True
