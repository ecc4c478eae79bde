"""The callback handler: forwards what LangChain and LangGraph report, decides nothing."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from langgraph.callbacks import GraphCallbackHandler, GraphInterruptEvent, GraphResumeEvent
from opentelemetry import trace

from .._context.stack import is_handled_failure
from .._diagnostics import Diagnostics, guarded
from .._interrupts import INTERRUPTS
from .._logs.observers import log_observers
from .._logs.run_lines import RunLog
from .._metrics.observer import Metrics
from .._process import at_exit, in_forked_child
from .._runs.answers import AnswerReader
from .._runs.interrupts import Interrupts
from .._runs.lifecycle import Lifecycle
from .._runs.registry import open_runs_of
from .._semconv import names as semconv
from .._settings.configured import configured
from .._settings.keywords import lists, method_takes
from .._settings.prices import PriceTable
from .._settings.record import DEFAULT_MAX_OPEN_RUNS, HandlerSettings
from .._settings.slips import warn_of_slips
from .._stream.clock import FOLD_EVERY
from .._traces.evaluation import EvaluationWriter
from .._traces.memory import MemoryWriter
from .._translation import payload
from .._translation.ending import Ending
from .._translation.kinds import RunKind
from .._translation.outcome import Outcome
from .._translation.resends import resends_before
from .._translation.response import answer_before_error
from .._translation.start import Start
from .._translation.tool_result import TOOL_ERROR, tells_failure
from .._upstream.langgraph import config_of
from .._upstream.left_out import tell_left_out
from .._version import VERSION
from .assembly import content_door, span_writer, waits
from .living import join, known_handler

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self
    from uuid import UUID

    from langchain_core.documents import Document
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import LLMResult
    from opentelemetry.trace import SpanContext, TracerProvider

    from .._content.door import ContentDoor
    from .._runs.observers import RunObserver
    from .._traces.evaluation import Evaluation


@lists(HandlerSettings)
class OpenTelemetryCallbackHandler(GraphCallbackHandler):
    """Makes one OpenTelemetry trace of each call of a graph, a chain, a model or a tool.

    Pass it in a call's config, `{"callbacks": [handler]}`, or bind it with `with_config`. One
    handler serves any number of calls, threads and event loops at once.

    Args:
        settings: each by its keyword.

    Raises:
        ConfigurationError: an argument cannot work, or the variable has an unknown value.

    Source: https://github.com/open-telemetry/semantic-conventions-genai
    """

    # In the caller's own context, sync and async alike: elsewhere the context is lost.
    run_inline = True

    @method_takes(HandlerSettings, configured)
    def __init__(self, settings: HandlerSettings) -> None:
        self._set_up(settings.checked(os.environ))

    @classmethod
    def of(cls, settings: HandlerSettings) -> OpenTelemetryCallbackHandler:
        """Return a handler of settings that were checked."""
        handler = cls.__new__(cls)
        handler._set_up(settings)  # noqa: SLF001 - of this class
        return handler

    def _set_up(self, settings: HandlerSettings) -> None:
        super().__init__()
        warn_of_slips()
        self.diagnostics = Diagnostics()
        edition = semconv.edition_from(os.environ)
        door = content_door(settings, self.diagnostics)
        provider = settings.tracer_provider or trace.get_tracer_provider()
        tracer = trace.get_tracer(
            "nodespan.telemetry", VERSION, settings.tracer_provider, schema_url=edition.schema_url
        )
        self._tracer_provider = settings.tracer_provider
        self._runs = open_runs_of(provider, settings.max_open_runs or DEFAULT_MAX_OPEN_RUNS)
        self._counters = self._runs.counters
        self._answers = AnswerReader(edition, PriceTable.of(settings.prices))
        self._interrupts = Interrupts(self._runs.interrupted, door)
        self._evaluations = EvaluationWriter(
            tracer, door, settings.logger_provider, edition.schema_url
        )
        self.memory = MemoryWriter(tracer, door, self.diagnostics) if edition.is_newest else None
        observers = self._observers(settings, door, edition)
        self._lifecycle = Lifecycle(
            self._runs,
            span_writer(settings, tracer, door, edition, self.diagnostics),
            self.diagnostics,
            observers,
            answers=self._answers,
            shows_all=bool(settings.all_runnables),
        )
        self._join_the_process()

    def _observers(
        self, settings: HandlerSettings, door: ContentDoor, edition: semconv.Edition
    ) -> list[RunObserver]:
        """Return what makes log lines, metrics and log records of runs."""
        self._run_log = RunLog(
            self._runs, self.diagnostics, waits(settings), has_messages=door.capture.on_spans
        )
        metrics = Metrics(settings.meter_provider, edition, self.diagnostics)
        self._log_observers = log_observers(
            settings.logger_provider,
            door,
            self.diagnostics,
            log_events=bool(settings.log_events),
            schema_url=edition.schema_url,
        )
        return [self._run_log, metrics, *self._log_observers]

    def _join_the_process(self) -> None:
        """Be found by who unpickles the handler, and be told of the process's end and forks."""
        self._token = join(self)
        at_exit(self.close)
        in_forked_child(self._forget)

    def __copy__(self) -> Self:
        """Return the handler itself: its runs and its providers are those of this process."""
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        """Return the handler itself, as above."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle a name: this process and its forked children know the handler by it."""
        return known_handler, (self._token, os.getpid())

    @property
    def open_runs(self) -> int:
        """How many runs have started and not ended."""
        return self._lifecycle.open_runs

    def knows(self, run_id: int) -> bool:
        """Say whether a run, by the integer of its id, is open or remembered here."""
        return self._runs.span_of(run_id) is not None

    def writes_to(self, tracer_provider: TracerProvider | None) -> bool:
        """Say whether spans are made by that provider; None is the global one."""
        default = trace.get_tracer_provider()
        return (self._tracer_provider or default) is (tracer_provider or default)

    @guarded
    def evaluate(self, evaluation: Evaluation, judged: SpanContext) -> None:
        """Write an evaluation of a span; `record_evaluation` makes this call."""
        self._evaluations.write(evaluation, judged)

    def close(self) -> None:
        """End the runs that are open, as cancelled: the process is about to go."""
        self._lifecycle.end_all(Outcome.CANCELLED)

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Start the run of a chat model."""
        # Guarded in place, as all that is called often: a wrapper's call costs as much as the work.
        try:
            params, options = kwargs.get("invocation_params") or {}, kwargs.get("options") or {}
            name = kwargs.get("name")
            start = Start(serialized, name, tags or (), metadata or {}, params, options)
            content = partial(payload.chat_input, messages[0] if messages else [], params)
            self._lifecycle.start(run_id, parent_run_id, start, content, RunKind.CHAT)
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, the application goes on
            self.diagnostics.report("on_chat_model_start failed", error)

    @guarded
    def on_llm_start(
        self,
        serialized: dict[str, Any],
        prompts: list[str],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Start the run of a completion model."""
        tell_left_out(
            self,
            serialized,
            prompts,
            run_id=run_id,
            parent_run_id=parent_run_id,
            tags=tags,
            metadata=metadata,
            **kwargs,
        )
        params = kwargs.get("invocation_params") or {}
        start = Start(serialized, kwargs.get("name"), tags or (), metadata or {}, params)
        content = partial(payload.completion_input, prompts[0] if prompts else "", params)
        self._lifecycle.start(run_id, parent_run_id, start, content, RunKind.TEXT_COMPLETION)

    def on_llm_new_token(
        self,
        token: Any,
        *,
        chunk: Any = None,
        run_id: UUID,
        parent_run_id: UUID | None = None,  # noqa: ARG002 - else a dictionary a token
        tags: list[str] | None = None,  # noqa: ARG002 - as above
        **_: Any,
    ) -> None:
        """Count a chunk of a stream, or of a model that reports its own tokens."""
        try:
            counter = self._counters.get(run_id.int)
            if counter is None:
                return
            times = counter.plain
            if times is not None and len(times) < FOLD_EVERY and token and token.__class__ is str:
                # Nearly every token ends here: what `ChunkCounter.token` does, two calls less.
                times.append(perf_counter_ns())
            else:
                counter.token(token, chunk)
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001 - as above
            self.diagnostics.report("on_llm_new_token failed", error)

    def on_stream_event(
        self,
        event: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,  # noqa: ARG002 - as above
        tags: list[str] | None = None,  # noqa: ARG002 - as above
        **_: Any,
    ) -> None:
        """Count a chunk of a stream of events."""
        try:
            counter = self._counters.get(run_id.int)
            if counter is not None:
                counter.event(event)
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001 - as above
            self.diagnostics.report("on_stream_event failed", error)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_: Any) -> None:
        """End the run of a model."""
        try:
            self._lifecycle.end(run_id, self._answers.whole(response, perf_counter_ns()))
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001 - as above
            self.diagnostics.report("on_llm_end failed", error)

    @guarded
    def on_llm_error(
        self, error: BaseException, *, run_id: UUID, response: Any = None, **_: Any
    ) -> None:
        """End the run of a model that an exception left: what it had said by then is told."""
        ending = Ending.by(error, perf_counter_ns())
        resent, said = resends_before(error), answer_before_error(response)
        if resent:
            ending = replace(ending, attributes=lambda _start: resent)
        if said is not None:
            ending = self._answers.broken(ending, said)
        self._lifecycle.end(run_id, ending)

    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: dict[str, Any],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Start the run of a graph, a node or another runnable."""
        try:
            name = kwargs.get("name")
            start = Start(serialized, name, tags or (), metadata or {}, given=id(inputs))
            read = payload.state_input if parent_run_id is not None else payload.root_input
            self._lifecycle.start(run_id, parent_run_id, start, partial(read, inputs))
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001 - as above
            self.diagnostics.report("on_chain_start failed", error)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **_: Any) -> None:
        """End the run of a graph, a node or another runnable."""
        try:
            run = self._runs.by_id.get(run_id.int)
            read = payload.state_output
            if run is not None and run.kind.is_graph:
                read = payload.root_output if run.parent is None else payload.graph_output
            self._lifecycle.end(run_id, Ending(perf_counter_ns(), content=partial(read, outputs)))
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001 - as above
            self.diagnostics.report("on_chain_end failed", error)

    @guarded
    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """End the run of a graph, a node or another runnable that an exception left."""
        self._lifecycle.end(run_id, Ending.by(error, perf_counter_ns()))

    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        inputs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Start the run of a tool."""
        try:
            name, call_id = kwargs.get("name"), kwargs.get("tool_call_id")
            start = Start(serialized, name, tags or (), metadata or {}, tool_call_id=call_id)
            content = partial(payload.tool_input, inputs, input_str)
            self._lifecycle.start(run_id, parent_run_id, start, content, RunKind.TOOL)
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001 - as above
            self.diagnostics.report("on_tool_start failed", error)

    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        """End the run of a tool."""
        try:
            content = partial(payload.tool_output, output)
            at = perf_counter_ns()
            if tells_failure(output) or is_handled_failure():
                ending = Ending(at, Outcome.ERROR, error_type=TOOL_ERROR, content=content)
            else:
                ending = Ending(at, content=content)
            self._lifecycle.end(run_id, ending)
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001 - as above
            self.diagnostics.report("on_tool_end failed", error)

    @guarded
    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """End the run of a tool that an exception left."""
        self._lifecycle.end(run_id, Ending.by(error, perf_counter_ns()))

    @guarded
    def on_retriever_start(
        self,
        serialized: dict[str, Any],
        query: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Start the run of a retriever."""
        start = Start(serialized, kwargs.get("name"), tags or (), metadata or {})
        content = partial(payload.query, query)
        self._lifecycle.start(run_id, parent_run_id, start, content, RunKind.RETRIEVER)

    @guarded
    def on_retriever_end(self, documents: Sequence[Document], *, run_id: UUID, **_: Any) -> None:
        """End the run of a retriever."""
        content = partial(payload.found, documents)
        self._lifecycle.end(run_id, Ending(perf_counter_ns(), content=content))

    @guarded
    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """End the run of a retriever that an exception left."""
        self._lifecycle.end(run_id, Ending.by(error, perf_counter_ns()))

    @guarded
    def on_cached_node(self, task: Any, manager: Any) -> None:
        """Record a node that LangGraph took from its cache; `instrument` makes this call."""
        metadata = {**manager.metadata, **config_of(task).get("metadata", {})}
        start = Start(None, task.name, manager.tags, metadata)
        marked = {semconv.CACHED: True}
        self._lifecycle.pass_by(manager.parent_run_id, start, marked)

    @guarded
    def on_interrupt(self, event: GraphInterruptEvent) -> None:
        """Record that a graph waits for a person."""
        run = self._runs.get(event.run_id)
        if run is not None:
            run.owner.show_graph(run)
            self._interrupts.interrupt(run, event)

    @guarded
    def on_resume(self, event: GraphResumeEvent) -> None:
        """Record that a graph goes on where it was interrupted."""
        run = self._runs.get(event.run_id)
        if run is not None:
            run.owner.show_graph(run)
            self._interrupts.resume(run, event)

    def _forget(self) -> None:
        """Forget whom logs follow: this is a forked child, and they are its parent's."""
        for observer in (self._run_log, *self._log_observers):
            observer.forget()
