"""A run's life: started once, ended once, and all that is beneath it ended with it."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import replace
from functools import partial
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from .._context.callers import Caller
from .._context.current import current, run_id_around
from .._context.stack import reporter
from .._context.watches import watch_current_task, watch_id
from .._diagnostics import RUN_EVICTED, guarded
from .._interrupts import INTERRUPTS
from .._translation.ending import Ending
from .._translation.exceptions import signature
from .._translation.kinds import RunKind
from .._translation.outcome import Outcome
from .._translation.spans import own_agent_name, own_name
from .._upstream.frames import look_at_frames
from .._upstream.langchain import config_around
from .calls import claim_call
from .doubles import Doubles
from .kinds import is_attempt_beside, kind_of_chain, kind_of_shown_graph, kind_shown_by
from .orphans import ending_of, outlives_parent, was_abandoned
from .run import Run
from .totals import Totals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from opentelemetry.context import Context

    from .._content.door import Content
    from .._context.stack import Reporter
    from .._context.watches import IdWatch
    from .._diagnostics import Diagnostics
    from .._stream.counter import ChunkCounter
    from .._translation.start import Start
    from .._values.attributes import AttributeValue
    from .answers import AnswerReader
    from .observers import RunObserver, SpanWriter
    from .registry import OpenRuns

SAME_RUN_ID: Final = "two calls at once were given the same run_id; each has a span"
_AWAITED: Final = (RunKind.CHAT, RunKind.TOOL)
# A completion model's start is reported in a task of its own.
_RUN_IN_TASK_OF_START: Final = (RunKind.CHAT, RunKind.TOOL, RunKind.RETRIEVER)


class Lifecycle:
    """Starts and ends runs, in whatever order LangChain reports them.

    Args:
        runs: the open runs.
        writer: of their spans.
        diagnostics: counts what gave way.
        observers: called at starts and ends.
        answers: reads what was said of an answer that nobody tells whole.
        shows_all: whether every run has a span.
    """

    def __init__(  # noqa: PLR0913 - all that a run's life is made of
        self,
        runs: OpenRuns,
        writer: SpanWriter,
        diagnostics: Diagnostics,
        observers: Sequence[RunObserver] = (),
        *,
        answers: AnswerReader,
        shows_all: bool = False,
    ) -> None:
        self.diagnostics = diagnostics
        self._runs = runs
        self._writer = writer
        self._observers = observers
        self._answers = answers
        self._shows_all = shows_all
        self._gone: deque[tuple[int, int]] = deque()
        self._doubles = Doubles()

    @property
    def open_runs(self) -> int:
        """How many runs have started and not ended."""
        self._end_gone()
        return len(self._runs)

    def start(  # noqa: C901 - the story of a start: each unusual case is one line
        self,
        run_id: UUID,
        parent_run_id: UUID | None,
        start: Start,
        content: Content,
        kind: RunKind | None = None,
    ) -> None:
        """Start a run, unless it was started before: a handler may be given twice.

        Args:
            run_id: of the run, as LangChain gives it.
            parent_run_id: of its parent, as LangChain gives it.
            start: what is reported of it.
            content: makes the content of what it is given.
            kind: what it is; None for a chain's run, which has to be looked at.
        """
        if self._gone:
            self._end_gone()
        if run_id.int in self._runs.by_id:
            own_id = self._another_id(run_id)
            if own_id is None:
                return
            run_id = own_id
        told_by, here, context = reporter(), Caller.here(), current()
        parent = self._parent(parent_run_id, start, context)
        if parent is None:
            look_at_frames()
        run = self._new_run(run_id, start, parent, kind, told_by, here)
        if parent is not None:
            self._place(run, parent)
        for evicted in self._runs.add(run, self._double):
            self.diagnostics.report(RUN_EVICTED)
            evicted.owner.close(evicted, Ending(run.started_at, Outcome.ABANDONED))
        if run.kind.is_call:
            claim_call(run)
        waits = run.kind is RunKind.ATTEMPTS and _waits_for_attempts(run)
        if run.kind is not RunKind.HIDDEN and not waits:
            try:
                self._open(run, content, context, told_by.frame)
            except INTERRUPTS as interrupt:
                # Its caller never learns that it has started, and reports no end.
                self.end_run(run, Ending.by(interrupt, perf_counter_ns()))
                raise
        elif self._writer.wants_content:
            run.keep(content)
        if run.kind in _RUN_IN_TASK_OF_START:
            self._watch_task(run)

    def show_graph(self, run: Run) -> None:
        """Take a run for a graph, as which it has shown itself."""
        self._revise(run, kind_of_shown_graph(run))

    def pass_by(
        self,
        parent_run_id: UUID | None,
        start: Start,
        attributes: Mapping[str, AttributeValue],
    ) -> None:
        """Record a run that did not take place, beneath one that is open."""
        if self._runs.get(parent_run_id) is not None:
            run_id = uuid4()
            self.start(run_id, parent_run_id, start, dict)
            self.end(run_id, Ending(perf_counter_ns(), attributes=lambda _: attributes))

    def end(self, run_id: UUID, ending: Ending) -> None:
        """End a run of this handler, if it is open."""
        if self._gone:
            self._end_gone()
        run = self._runs.by_id.get(run_id.int)
        if self._doubles.by_id and run_id.int in self._doubles.by_id:
            own_id = self._doubles.take(run_id, is_first_open=run is not None)
            run = self._runs.get(own_id) if own_id is not None else run
        if run is not None and run.owner is self:
            self.end_run(run, ending)

    def _another_id(self, run_id: UUID) -> UUID | None:
        """Return the id of a run whose own is known; None for one whose start is known."""
        known = self._runs.get(run_id)
        if known is None:
            return run_id
        if known.owner is self and known.caller.is_elsewhere:
            return self._double(run_id.int)
        known.add_reporter()
        return None

    def _double(self, run_id: int) -> UUID:
        """Return an id of our own for a call that was given one that another open call has."""
        self.diagnostics.report(SAME_RUN_ID)
        return self._doubles.add(run_id)

    def end_run(self, run: Run, ending: Ending) -> None:
        """End a run and, before it, whatever is still open beneath it."""
        taken = self._runs.take(run, lambda beneath: outlives_parent(beneath, ending))
        if not taken:
            return
        if len(taken) > 1:
            ending = _end_beneath(run, taken[:-1], ending)
        decided: Ending | None = ending
        if run.kind is RunKind.NODE:
            decided = self._attempt_ended(run, ending)
        if decided is None:
            run.leave_body()
            return
        if run.is_interrupted and decided.outcome is None:
            # LangGraph reports one that waits for a person as simply ended.
            decided = replace(decided, outcome=Outcome.INTERRUPTED)
        self.close(run, decided)

    def end_all(self, outcome: Outcome) -> None:
        """End every run of this handler that is open."""
        for run in self._runs:
            if run.owner is self:
                self.end_run(run, Ending(perf_counter_ns(), outcome))

    def close(  # noqa: C901, PLR0912 - the story of an end: each unusual case is one line
        self, run: Run, ending: Ending
    ) -> None:
        """End the span of a run that was taken out of the open ones."""
        if run in self._runs.retries.of_graphs:
            for node, cancelled in self._runs.retries.close(run).items():
                node.owner.close(node, ending_of(node, ending, cancelled.at))
        if run.body is not None:
            run.body.end()
        if run.chunks is not None:
            run.chunks.clock.end(ending.at)
            if ending.outcome is not None:
                ending = self._with_what_was_told(ending, run.chunks)
        failure = signature(ending.error) if ending.error is not None else None
        is_known = failure in run.failures
        has_failed = ending.outcome is Outcome.ERROR and not is_known
        if run.span is not None:
            try:
                self._writer.close(run, ending, records_exception=not is_known)
            except INTERRUPTS:
                raise
            except BaseException as error:  # noqa: BLE001 - the application goes on
                self.diagnostics.report("span could not be ended", error)
            if (has_failed or run.kind.is_model or run.kind.is_tool) and self._adds_up(run):
                self._add_up(run, ending, has_failed=has_failed)
            for observer in self._observers:
                try:
                    observer.closed(run, ending)
                except INTERRUPTS:
                    raise
                except BaseException as error:  # noqa: BLE001 - as above, and the others learn of it
                    self.diagnostics.report(f"{type(observer).__name__} missed an end", error)
        if run.parent is not None and failure is not None and (run.span is not None or is_known):
            run.parent.add_failure(failure)
        if run.parent is not None and ending.outcome is Outcome.ABANDONED:
            run.parent.note_abandoned()
        if run.kind.is_leaf:
            self._runs.remember_leaf(run)
        else:
            self._runs.remember(run)

    def _with_what_was_told(self, ending: Ending, chunks: ChunkCounter) -> Ending:
        with self.diagnostics.contains("a broken answer could not be read"):
            return self._answers.as_far_as_told(ending, chunks)
        return ending

    def _adds_up(self, run: Run) -> bool:
        """Say whether anybody will read what the runs beneath another have used."""
        if run.parent is None:
            return False
        return run.is_recorded_above or any(each.reads_totals for each in self._observers)

    def _add_up(self, run: Run, ending: Ending, *, has_failed: bool) -> None:
        chunks = run.chunks
        stalls = chunks.clock.stall_count if chunks is not None and chunks.has_anything else 0
        result = self._result(run, ending)
        self._runs.add_up(run, Totals.of(run.kind, result, stalls=stalls, has_failed=has_failed))

    def _result(self, run: Run, ending: Ending) -> Mapping[str, AttributeValue]:
        try:
            return ending.result_attributes(run.start)
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001 - as above
            self.diagnostics.report("result could not be read", error)
            return {}

    def _parent(self, parent_run_id: UUID | None, start: Start, context: Context) -> Run | None:
        """Return the run that a run belongs to, of which LangChain reports one, or none."""
        config, open_runs = config_around(), self._runs.by_id
        around_id = getattr(config.get("callbacks") if config else None, "parent_run_id", None)
        told_id = parent_run_id or around_id
        reported = open_runs.get(told_id.int) if told_id is not None else None
        if told_id is not None and around_id is not None and around_id is not told_id:
            reported = self._parent_beside(told_id, around_id, start)
        elif reported is None and told_id is not None:
            reported = self._runs.parent(told_id, self)
        around = run_id_around(context)
        inside = open_runs.get(around) if around is not None else None
        return inside if inside is not None and inside.is_beneath(reported) else reported

    def _parent_beside(self, told_id: UUID, around_id: UUID, start: Start) -> Run | None:
        # `with_fallbacks` hands its children the outer config: of itself it tells here alone.
        around = self._runs.get(around_id)
        if around is not None and is_attempt_beside(around, told_id.int, start):
            return around
        return self._runs.parent(told_id, self)

    def _new_run(  # noqa: PLR0913, PLR0917 - all that is known of a run that starts
        self,
        run_id: UUID,
        start: Start,
        parent: Run | None,
        kind: RunKind | None,
        told_by: Reporter,
        here: Caller,
    ) -> Run:
        """Return a run that starts, with its own name and that of the agent that it belongs to."""
        now = perf_counter_ns()
        epoch = parent.epoch if parent is not None else time_ns() - now
        if kind is not None:
            start = _named(start, kind)
        elif told_by.graph is not None:
            start = start.called(told_by.graph.get_name())
        agent = parent
        while agent is not None and not agent.kind.is_agent:
            agent = agent.parent
        if agent is not None:
            start.belong_to(own_agent_name(agent.start) or "")
        if kind is None:
            kind = kind_of_chain(start, parent, told_by.graph, shows_all=self._shows_all)
        waiting = here.task if told_by.waits_for_body and kind in _AWAITED else None
        watch = watch_id(run_id, self._note_gone) if told_by.is_manager else None
        return Run(run_id.int, kind, start, self, here, parent, now, epoch, waiting, watch)

    def _place(self, run: Run, parent: Run) -> None:
        """Say which attempt a run is, and what it shows of runs that have started before."""
        if parent.kind.is_undecided:
            self._show(parent, kind_shown_by(run, parent))
        if run.kind is RunKind.NODE and self._runs.by_id.get(parent.run_id) is parent:
            attempts = self._runs.retries.of_graphs.get(parent) or self._runs.retries.new(parent)
            for earlier, ending in attempts.begin(run):
                earlier.owner.close(earlier, ending)
        elif run.kind is RunKind.NODE:
            run.number(1)
        elif parent.kind is RunKind.ATTEMPTS:
            run.number(parent.started + 1)
        elif parent.span is None:
            run.number(parent.attempt)
        is_shown = parent.span is not None and (
            parent.parent is None or parent.parent.span is not None
        )
        if not is_shown and (run.kind is not RunKind.HIDDEN or parent.started):
            self._open_attempts(parent)

    def _attempt_ended(self, run: Run, ending: Ending) -> Ending | None:
        """Return how a node's run ended; None where only the graph above it can tell why."""
        graph = run.parent
        if graph is None or self._runs.by_id.get(graph.run_id) is not graph:
            return ending
        attempts = self._runs.retries.of_graphs.get(graph)
        return attempts.end(run, ending) if attempts is not None else ending

    def _show(self, run: Run, kind: RunKind | None) -> None:
        """Take a run for what one beneath it shows it to be."""
        if kind is RunKind.ATTEMPTS and run.parent is not None and run.span is None:
            run.revise(kind)
        else:
            self._revise(run, kind)

    def _open_attempts(self, run: Run) -> None:
        """Start the spans of attempts of which there is something to see: there are several."""
        if run.parent is not None and run.parent.span is None:
            self._open_attempts(run.parent)
        if _waits_for_attempts(run) and run in self._runs:
            self._open(run, run.given)

    def _revise(self, run: Run, kind: RunKind | None) -> None:
        """Take a run for what it has shown itself to be, and give it a span, or a new name."""
        if kind is None:
            return
        run.revise(kind)
        if run.span is None:
            self._open(run, run.given)
        else:
            run.rename(self._writer.rename(run))

    def _open(
        self,
        run: Run,
        content: Content,
        context: Context | None = None,
        frame: int | None = None,
    ) -> None:
        self._writer.open(run, content, current() if context is None else context, frame)
        if run.chunks is not None:
            self._runs.count_with(run, run.chunks)
        for observer in self._observers:
            try:
                observer.opened(run, content)
            except INTERRUPTS:
                raise
            except BaseException as error:  # noqa: BLE001 - the application goes on, and the others
                self.diagnostics.report(f"{type(observer).__name__} missed a start", error)

    def _watch_task(self, run: Run) -> None:
        """Watch the task of a root, of whose cancellation nobody else would tell."""
        is_root = run.parent is None or run.parent not in self._runs
        if is_root and run.body is not None:
            run.body.task_watch = watch_current_task(partial(self._end_with_task, run))

    @guarded
    def _end_with_task(self, run: Run) -> None:
        self.end_run(run, Ending(perf_counter_ns(), Outcome.CANCELLED))

    def _note_gone(self, watch: IdWatch) -> None:
        run = self._runs.find(watch.run_id)
        if run is not None and run.body is not None:
            run.body.leave()
        self._gone.append((watch.run_id, perf_counter_ns()))
        watch.soon(self._end_gone)

    def _end_gone(self) -> None:
        """End the runs of which nobody will report the end."""
        while self._gone:
            with suppress(IndexError):  # another thread was faster
                run_id, at = self._gone.popleft()
                self._end_unreported(run_id, at)

    @guarded
    def _end_unreported(self, run_id: int, at: int) -> None:
        run = self._runs.find(run_id)
        if run is not None:
            self.end_run(run, ending_of(run, Ending(at), at))


def _end_beneath(run: Run, beneath: list[Run], ending: Ending) -> Ending:
    """End what is open beneath a run that has ended; return how that has, by what was open."""
    if ending.outcome is None and was_abandoned(run, beneath):
        ending = replace(ending, outcome=Outcome.ABANDONED)
    for left in beneath:
        left.owner.close(left, ending_of(left, ending, ending.at))
    return ending


def _named(start: Start, kind: RunKind) -> Start:
    """Return the start of a model, a tool or a retriever with the name that is its own."""
    if kind.is_model:
        is_named = start.name is not None and start.name != start.class_name
        return replace(start, run_name=start.name) if is_named else start
    own = own_name(kind, start)
    return start.called(own) if own is not None else start


def _waits_for_attempts(run: Run) -> bool:
    """Say whether a run is of attempts beneath which nothing is to be seen yet."""
    return run.kind is RunKind.ATTEMPTS and run.span is None and run.parent is not None
