"""A run's life: started once, ended once, and all that is beneath it ended with it."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import replace
from functools import partial
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING, Final, Protocol
from uuid import uuid4

from langchain_core.runnables.config import var_child_runnable_config

from .._context.callers import Caller
from .._context.current import run_id_around
from .._context.stack import started_graph, waits_for_body
from .._context.watches import watch_current_task, watch_id
from .._diagnostics import RUN_EVICTED
from .._guard import guarded
from .._translation.ending import Ending
from .._translation.exceptions import signature
from .._translation.outcome import Outcome
from .._translation.spans import RunKind, graph_kind, is_graph_step, is_hidden, nested_graph_kind
from .calls import claim_call
from .orphans import ending_of, goes_on, was_abandoned
from .retries import NodeAttempts, is_attempt_beside, makes_attempts
from .runs import OpenRuns, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from .._content.door import Content
    from .._context.watches import IdWatch
    from .._diagnostics import Diagnostics
    from .._traces.writer import SpanWriter
    from .._translation.start import Start
    from .._values.attributes import AttributeValue

    KindOf = Callable[[Start, Start | None], RunKind]

_MAX_FAILURES: Final = 16
_CALLS: Final = (RunKind.CHAT, RunKind.TEXT_COMPLETION, RunKind.TOOL, RunKind.RETRIEVER)
# What a run is that nothing has told yet.
_UNTOLD: Final = (RunKind.HIDDEN, RunKind.RUNNABLE)
_AWAITED: Final = (RunKind.CHAT, RunKind.TOOL)
# A completion model's start is reported in a task of its own.
_RUN_IN_TASK_OF_START: Final = (RunKind.CHAT, RunKind.TOOL, RunKind.RETRIEVER)


class RunObserver(Protocol):
    """Is told of every run that has a span, beside the span's writer: metrics and logs."""

    def opened(self, run: Run, content: Content) -> None:
        """Take note of a run whose span has started; *content* is what the run is given."""

    def closed(self, run: Run, ending: Ending) -> None:
        """Take note of a run whose span has ended."""


class Lifecycle:
    """Starts and ends runs, in whatever order LangChain reports them.

    Args:
        runs: the open runs.
        writer: of their spans.
        diagnostics: counts what gave way.
        observers: are told of starts and ends.
        shows_all: whether every run has a span.
    """

    def __init__(
        self,
        runs: OpenRuns,
        writer: SpanWriter,
        diagnostics: Diagnostics,
        observers: Sequence[RunObserver] = (),
        *,
        shows_all: bool = False,
    ) -> None:
        self.diagnostics = diagnostics
        self._runs = runs
        self._writer = writer
        self._observers = observers
        self._shows_all = shows_all
        self._gone: deque[tuple[int, int]] = deque()

    @property
    def open_runs(self) -> int:
        """How many runs have started and not ended."""
        self._end_gone()
        return len(self._runs)

    def start(
        self,
        run_id: UUID,
        parent_run_id: UUID | None,
        start: Start,
        kind_of: KindOf,
        content: Content,
    ) -> None:
        """Start a run, unless it was started before: a handler may be given twice."""
        self._end_gone()
        if (known := self._runs.get(run_id)) is not None:
            known.is_told_again()
            return
        parent = self._parent(parent_run_id, start)
        run = self._new_run(run_id, start, parent, kind_of)
        if parent is not None:
            self._number(run, parent)
        for evicted in self._runs.add(run):
            self.diagnostics.report(RUN_EVICTED)
            evicted.owner.close(evicted, Ending(run.started_at, Outcome.ABANDONED))
        if run.kind in _CALLS:
            claim_call(run)
        if run.kind is not RunKind.HIDDEN:
            self._open(run, content)
        elif self._writer.wants_content:
            run.given = content
        self._watch(run, run_id)

    def show_graph(self, run: Run) -> None:
        """Take a run for a graph, as which it has shown itself."""
        self._show(run, graph_kind(run.start, _start_around(run.parent)))

    def pass_by(
        self,
        parent_run_id: UUID | None,
        start: Start,
        kind_of: KindOf,
        attributes: Mapping[str, AttributeValue],
    ) -> None:
        """Record a run that did not take place, beneath one that is open."""
        if self._runs.get(parent_run_id) is not None:
            run_id = uuid4()
            self.start(run_id, parent_run_id, start, kind_of, dict)
            self.end(run_id, Ending(perf_counter_ns(), attributes=lambda _: attributes))

    def end(self, run_id: UUID, ending: Ending) -> None:
        """End a run of this handler, if it is open."""
        self._end_gone()
        run = self._runs.get(run_id)
        if run is not None and run.owner is self:
            self.end_run(run, ending)

    def end_run(self, run: Run, ending: Ending) -> None:
        """End a run and, before it, whatever is still open beneath it."""
        taken = self._runs.take(run, lambda beneath: goes_on(beneath, ending))
        if not taken:
            return
        beneath = taken[:-1]
        if ending.outcome is None and was_abandoned(run, beneath):
            ending = replace(ending, outcome=Outcome.ABANDONED)
        for left in beneath:
            left.owner.close(left, ending_of(left, ending, ending.at))
        told = self._attempt_ended(run, ending)
        if told is None:
            run.leave_body()
        else:
            self.close(run, told)

    def end_all(self, outcome: Outcome) -> None:
        """End every run of this handler that is open."""
        for run in self._runs:
            if run.owner is self:
                self.end_run(run, Ending(perf_counter_ns(), outcome))

    def close(self, run: Run, ending: Ending) -> None:
        """End the span of a run that was taken out of the open ones."""
        if run.node_attempts is not None:
            for node, cancelled in run.node_attempts.close().items():
                node.owner.close(node, ending_of(node, ending, cancelled.at))
        run.leave_body()
        failure = signature(ending.error) if ending.error is not None else None
        is_known = failure in run.failures
        self._writer.close(run, ending, records_exception=not is_known)
        self._tell_closed(run, ending)
        if failure is not None and run.parent is not None and (run.span is not None or is_known):
            run.parent.failures = (*run.parent.failures[1 - _MAX_FAILURES :], failure)
        if ending.outcome is Outcome.ABANDONED and run.parent is not None:
            run.parent.had_abandoned = True
        if not run.kind.is_leaf:
            self._runs.remember(run)

    def _parent(self, parent_run_id: UUID | None, start: Start) -> Run | None:
        told = self._told_parent(parent_run_id, start)
        around = run_id_around()
        inside = self._runs.find(around) if around is not None else None
        return inside if inside is not None and inside.is_beneath(told) else told

    def _told_parent(self, parent_run_id: UUID | None, start: Start) -> Run | None:
        config = var_child_runnable_config.get()
        around_id = getattr(config.get("callbacks") if config else None, "parent_run_id", None)
        if parent_run_id is None or around_id is None or around_id is parent_run_id:
            return self._runs.parent(parent_run_id or around_id, self)
        # `with_fallbacks` hands its children the outer config: of itself it tells here alone.
        around = self._runs.get(around_id)
        if around is not None and is_attempt_beside(around, parent_run_id.int, start):
            return around
        return self._runs.parent(parent_run_id, self)

    def _new_run(self, run_id: UUID, start: Start, parent: Run | None, kind_of: KindOf) -> Run:
        now = perf_counter_ns()
        epoch = parent.epoch if parent is not None else time_ns() - now
        kind = kind_of(start, _start_around(parent))
        if kind is RunKind.HIDDEN:
            kind = self._kind_of_hidden(start, parent)
        caller = Caller.here()
        run = Run(run_id.int, kind, start, self, caller, parent, now, epoch)
        if kind in _AWAITED and caller.task is not None and waits_for_body():
            run.waiting = caller.task
        return run

    def _kind_of_hidden(self, start: Start, parent: Run | None) -> RunKind:
        graph = started_graph() if not is_hidden(start) else None
        if graph is not None:
            return nested_graph_kind(graph, start, _start_around(parent))
        return RunKind.RUNNABLE if self._shows_all else RunKind.HIDDEN

    def _number(self, run: Run, parent: Run) -> None:
        """Tell which attempt a run is, and what it shows of runs that have started before."""
        if run.kind is RunKind.NODE:
            if parent.kind in _UNTOLD and is_graph_step(run.start):
                self.show_graph(parent)
            parent.node_attempts = attempts = parent.node_attempts or NodeAttempts()
            for earlier, ending in attempts.begin(run):
                earlier.owner.close(earlier, ending)
        elif makes_attempts(parent, run):
            self._show(parent, RunKind.ATTEMPTS)
            run.attempt = parent.started + 1
        elif parent.span is None:
            run.attempt = parent.attempt

    def _attempt_ended(self, run: Run, ending: Ending) -> Ending | None:
        """Return how a run ended; None where only the graph above it can tell why."""
        graph = run.parent
        if run.kind is not RunKind.NODE or graph is None or graph not in self._runs:
            return ending
        return graph.node_attempts.end(run, ending) if graph.node_attempts else ending

    def _show(self, run: Run, kind: RunKind) -> None:
        """Take a run for what a child of it shows it to be, and give it a span."""
        if run.kind in _UNTOLD:
            was_hidden, run.kind = run.kind is RunKind.HIDDEN, kind
            if was_hidden:
                self._open(run, run.given)
                run.given = dict
            else:
                self._writer.rename(run)

    def _open(self, run: Run, content: Content) -> None:
        self._writer.open(run, content)
        if run.chunks is not None:
            self._runs.count_with(run, run.chunks)
        for observer in self._observers:
            try:
                observer.opened(run, content)
            except Exception as error:  # noqa: BLE001 - the run and the other observers go on
                self.diagnostics.report(f"{type(observer).__name__} missed a start", error)

    def _tell_closed(self, run: Run, ending: Ending) -> None:
        for observer in self._observers if run.span is not None else ():
            try:
                observer.closed(run, ending)
            except Exception as error:  # noqa: BLE001 - as above
                self.diagnostics.report(f"{type(observer).__name__} missed an end", error)

    def _watch(self, run: Run, run_id: UUID) -> None:
        run.id_watch = watch_id(run_id, self._note_gone)
        is_root = run.parent is None or run.parent not in self._runs
        if is_root and run.kind in _RUN_IN_TASK_OF_START:
            run.task_watch = watch_current_task(partial(self._end_with_task, run))

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


def _start_around(run: Run | None) -> Start | None:
    """Return the start of a run, or of what is around it: a model has not what is inherited."""
    while run is not None and run.kind.is_leaf and run.parent is not None:
        run = run.parent
    return run.start if run is not None else None
