"""A run's life: started once, ended once, and all that is beneath it ended with it."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING, Final, Protocol

from langchain_core.runnables.config import var_child_runnable_config
from langgraph.errors import NodeTimeoutError

from ._calls import claim_call
from ._exceptions import signature
from ._outcome import Outcome, error_type, outcome_of
from ._runs import Cancelled, OpenRuns, Run
from ._spans import RunKind, graph_kind
from ._task_watch import watch_current_task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from ._attributes import AttributeValue
    from ._content import Content
    from ._diagnostics import Diagnostics
    from ._span_writer import SpanWriter
    from ._start import Start

    KindOf = Callable[[Start, Start | None], RunKind]

_MAX_FAILURES: Final = 16
_UNREPORTED_WHEN_CANCELLED: Final = (
    RunKind.CHAT,
    RunKind.TEXT_COMPLETION,
    RunKind.TOOL,
    RunKind.RETRIEVER,
)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended.

    Attributes:
        at: when, in ns of the monotonic clock.
        outcome: None for a run that simply ended.
        error: what left the run's body, where that is a failure.
        error_type: of that failure; known at times where the exception is not.
        attributes: makes what the run's result says, of its start; called only for a span that
            is recorded.
        content: makes the result's content, by attribute; called only where it may pass.
    """

    at: int
    outcome: Outcome | None = None
    error: BaseException | None = None
    error_type: str | None = None
    attributes: Callable[[Start], Mapping[str, AttributeValue]] = lambda _start: {}
    content: Content = dict

    @classmethod
    def by(cls, error: BaseException, at: int) -> Ending:
        """Return the ending of a run that an exception left."""
        outcome = outcome_of(error)
        if outcome is not Outcome.ERROR:
            return cls(at, outcome)
        return cls(at, outcome, error, error_type(error))


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
    """

    def __init__(
        self,
        runs: OpenRuns,
        writer: SpanWriter,
        diagnostics: Diagnostics,
        observers: Sequence[RunObserver] = (),
    ) -> None:
        self._runs = runs
        self._writer = writer
        self._diagnostics = diagnostics
        self._observers = observers

    def start(
        self,
        run_id: UUID,
        parent_run_id: UUID | None,
        start: Start,
        kind_of: KindOf,
        content: Content,
    ) -> None:
        """Start a run, unless it was started before: a handler may be given twice."""
        if self._runs.get(run_id) is not None:
            return
        parent = self._parent(parent_run_id)
        run = self._new_run(run_id, start, parent, kind_of)
        if run.kind is RunKind.NODE and parent is not None:
            self._show_graph(parent)
            self._settle_retried(parent, run)
        for evicted in self._runs.add(run):
            self._diagnostics.report("open run evicted")
            evicted.owner.close(evicted, Ending(run.started_at, Outcome.ABANDONED))
        if run.kind in _UNREPORTED_WHEN_CANCELLED:
            claim_call(run)
        if run.kind is not RunKind.HIDDEN:
            self._writer.open(run, content)
        if run.chunks is not None:
            self._runs.counters[run_id.int] = run.chunks
        if parent is None and run.kind in _UNREPORTED_WHEN_CANCELLED:
            run.watch = watch_current_task(lambda: self._end_with_task(run_id))
        self._tell_opened(run, content)

    def end(self, run_id: UUID, ending: Ending) -> None:
        """End a run of this handler and, before it, whatever is still open beneath it."""
        run = self._runs.get(run_id)
        taken = self._runs.take(run_id) if run is not None and run.owner is self else []
        if not taken:
            return
        *beneath, run = taken
        for left in beneath:
            left.owner.close(left, _left_open(left, ending, ending.at))
        if _may_have_timed_out(run, ending):
            run.leave_body()
            run.parent.undecided.append(Cancelled(run, ending.at))  # type: ignore[union-attr]  # it has one: see there
        else:
            self.close(run, ending)

    def end_all(self, outcome: Outcome) -> None:
        """End every run of this handler that is open."""
        for run in self._runs:
            if run.parent is None or run.parent.owner is not self:
                self.end(run.run_id, Ending(perf_counter_ns(), outcome))

    def _parent(self, parent_run_id: UUID | None) -> Run | None:
        if parent_run_id is not None:
            return self._runs.get(parent_run_id)
        # `with_fallbacks` hands its children the outer config; what runs is told here alone.
        config = var_child_runnable_config.get()
        callbacks = config.get("callbacks") if config else None
        return self._runs.get(getattr(callbacks, "parent_run_id", None))

    def _new_run(self, run_id: UUID, start: Start, parent: Run | None, kind_of: KindOf) -> Run:
        now = perf_counter_ns()
        epoch = parent.epoch if parent is not None else time_ns() - now
        kind = kind_of(start, parent.start if parent is not None else None)
        return Run(run_id, kind, start, self, parent, now, epoch)

    def _show_graph(self, run: Run) -> None:
        """Give a graph its span once its first node tells that it is one."""
        if run.kind is RunKind.HIDDEN:
            run.kind = graph_kind(run.start, run.parent.start if run.parent else None)
            self._writer.open(run, dict)
            self._tell_opened(run, dict)

    def _settle_retried(self, graph: Run, attempt: Run) -> None:
        """End nodes that were cancelled and now run again: a time limit stopped them."""
        place = _place(attempt)
        again = [cancelled for cancelled in graph.undecided if _place(cancelled.run) == place]
        for cancelled in again:
            graph.undecided.remove(cancelled)
            told = Ending(cancelled.at, Outcome.ERROR, error_type=NodeTimeoutError.__qualname__)
            cancelled.run.owner.close(cancelled.run, told)

    def _end_with_task(self, run_id: UUID) -> None:
        self.end(run_id, Ending(perf_counter_ns(), Outcome.CANCELLED))

    def close(self, run: Run, ending: Ending) -> None:
        """End the span of a run that was taken out of the open ones."""
        for cancelled in run.undecided:
            told = _left_open(cancelled.run, ending, cancelled.at)
            cancelled.run.owner.close(cancelled.run, told)
        run.leave_body()
        failure = signature(ending.error) if ending.error is not None else None
        is_known = failure in run.failures
        self._writer.close(run, ending, records_exception=not is_known)
        self._tell_closed(run, ending)
        if failure is not None and run.parent is not None and (run.span is not None or is_known):
            run.parent.failures = (*run.parent.failures[1 - _MAX_FAILURES :], failure)

    def _tell_opened(self, run: Run, content: Content) -> None:
        for observer in self._observers if run.span is not None else ():
            try:
                observer.opened(run, content)
            except Exception as error:  # noqa: BLE001 - the run and the other observers go on
                self._diagnostics.report(f"{type(observer).__name__} missed a start", error)

    def _tell_closed(self, run: Run, ending: Ending) -> None:
        for observer in self._observers if run.span is not None else ():
            try:
                observer.closed(run, ending)
            except Exception as error:  # noqa: BLE001 - as above
                self._diagnostics.report(f"{type(observer).__name__} missed an end", error)


def _may_have_timed_out(run: Run, ending: Ending) -> bool:
    """Say whether only the graph above can tell why a node was cancelled."""
    is_cancelled = ending.outcome is Outcome.CANCELLED
    return is_cancelled and run.kind is RunKind.NODE and run.parent is not None


def _left_open(run: Run, above: Ending, at: int) -> Ending:
    """Return the ending of a run that nobody reports, told from that of a run above it."""
    error = above.error
    if isinstance(error, NodeTimeoutError) and _is_node(run, error.node):
        return Ending(at, Outcome.ERROR, error, above.error_type)
    is_stream = run.chunks is not None and run.chunks.begun
    if above.outcome is Outcome.ABANDONED or (above.outcome is None and is_stream):
        return Ending(at, Outcome.ABANDONED)
    return Ending(at, Outcome.CANCELLED)


def _is_node(run: Run, name: str) -> bool:
    return run.kind is RunKind.NODE and run.start.metadata.get("langgraph_node") == name


def _place(run: Run) -> object:
    """Return what a node's attempts share."""
    return run.start.metadata.get("langgraph_checkpoint_ns")
