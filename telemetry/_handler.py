"""The callback handler: forwards what LangChain and LangGraph report, decides nothing."""

from __future__ import annotations

import os
from functools import partial
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from langgraph.callbacks import GraphCallbackHandler, GraphInterruptEvent, GraphResumeEvent
from opentelemetry import trace

from ._content.door import (
    DEFAULT_MAX_CHARACTERS,
    CaptureContent,
    ContentDoor,
    within_sdk_limit,
)
from ._diagnostics import Diagnostics, guarded
from ._logs.observers import log_observers
from ._logs.run_lines import RunLog
from ._metrics.observer import Metrics
from ._process import at_exit, in_forked_child
from ._runs.interrupts import Interrupts
from ._runs.lifecycle import Lifecycle, RunObserver
from ._runs.registry import open_runs_of
from ._semconv import names as semconv
from ._settings.checks import capable_of, few_names, positive, redaction, seconds, switch
from ._settings.config import DEFAULT_MAX_OPEN_RUNS, DEFAULT_STALL_THRESHOLD
from ._settings.prices import PriceTable
from ._traces.writer import SpanWriter
from ._translation import payload
from ._translation.ending import Ending
from ._translation.kinds import RunKind
from ._translation.outcome import Outcome
from ._translation.request import model_name
from ._translation.response import response_attributes
from ._translation.start import Start
from ._version import VERSION

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from langchain_core.documents import Document
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import LLMResult
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from ._content.door import Redact
    from ._settings.prices import Prices
    from ._values.attributes import Attributes


class OpenTelemetryCallbackHandler(GraphCallbackHandler):
    """Makes one OpenTelemetry trace of each call of a graph, a chain, a model or a tool.

    Pass it in a call's config, `{"callbacks": [handler]}`, or bind it with `with_config`. One
    handler serves any number of calls, threads and event loops at once.

    Args:
        tracer_provider: makes the spans; by default the global one.
        meter_provider: takes the metrics; by default the global one, once one is set.
        logger_provider: takes the log records that are asked for; by default the global one,
            once one is set.
        capture_content: where content may go; by default what
            `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` says, and nowhere without it.
        redact: called with an attribute's name and its content as plain data (what JSON has);
            what it returns is recorded instead. When it returns None or raises, nothing is.
        max_content_characters: how long one attribute may be; its JSON stays valid.
        metadata_keys: which of a call's metadata spans carry, as `langchain.metadata.<key>`; by
            default none. What looks like a credential is never carried.
        max_open_runs: how many runs may be open; beyond it the oldest are ended as abandoned.
            Handlers of one tracer provider share their open runs, and the first one's limit.
        stall_threshold: how long a chunk may be waited for in mid-stream, in seconds, before the
            stream counts as stalled.
        prices: what a million tokens of each model cost: a mapping of model names such as
            `{"a-model": {"input": 2.5, "output": 10, "cached": 1.25}}`, or the path of a TOML
            file of the same. A model may have a `currency` of its own, and so may the table;
            else it is USD. Without `cached` and `cache_write` those tokens cost as input.
        log_events: whether a log record is emitted when a model starts, once a second while it
            streams, and when it ends, so that it can be followed while it goes on.
        all_runnables: whether every runnable has a span, such as the steps of a chain and what
            LangGraph runs beside a node's own work; else only a root has one.

    Raises:
        ConfigurationError: an argument cannot work, or the variable has an unknown value.

    Source: https://github.com/open-telemetry/semantic-conventions-genai
    """

    # In the caller's own context, sync and async alike: elsewhere the context is lost.
    run_inline = True

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        capture_content: CaptureContent | str | None = None,
        redact: Redact | None = None,
        max_content_characters: int = DEFAULT_MAX_CHARACTERS,
        metadata_keys: Collection[str] = (),
        max_open_runs: int = DEFAULT_MAX_OPEN_RUNS,
        stall_threshold: float = DEFAULT_STALL_THRESHOLD,
        prices: Prices | None = None,
        log_events: bool = False,
        all_runnables: bool = False,
    ) -> None:
        super().__init__()
        _check_providers(tracer_provider, meter_provider, logger_provider)
        edition = semconv.edition_from(os.environ)
        self.diagnostics = Diagnostics()
        door = _door(capture_content, redact, max_content_characters, self.diagnostics)
        tracer = trace.get_tracer(
            "nodespan.telemetry", VERSION, tracer_provider, schema_url=edition.schema_url
        )
        self._edition = edition
        self._prices = PriceTable.of(prices)
        provider = tracer_provider or trace.get_tracer_provider()
        self._runs = open_runs_of(provider, positive("max_open_runs", max_open_runs))
        self._counters = self._runs.counters
        writer = SpanWriter(
            tracer,
            door,
            edition,
            self.diagnostics,
            stall_threshold=seconds("stall_threshold", stall_threshold) * 1e9,
            metadata_keys=few_names("metadata_keys", metadata_keys),
        )
        self._log_observers = log_observers(
            logger_provider,
            door,
            self.diagnostics,
            log_events=switch("log_events", log_events),
            schema_url=edition.schema_url,
        )
        observers: list[RunObserver] = [
            RunLog(self._runs, self.diagnostics),
            Metrics(meter_provider, edition, self.diagnostics, self._runs),
            *self._log_observers,
        ]
        self._lifecycle = Lifecycle(
            self._runs,
            writer,
            self.diagnostics,
            observers,
            shows_all=switch("all_runnables", all_runnables),
        )
        self._interrupts = Interrupts(self._runs.interrupted, door)
        at_exit(self.close)
        # The parent ends its own runs; a child that ended them again would export them twice.
        in_forked_child(self._forget)

    @property
    def open_runs(self) -> int:
        """How many runs have started and not ended."""
        return self._lifecycle.open_runs

    def close(self) -> None:
        """End the runs that are open, as cancelled: the process is about to go."""
        self._lifecycle.end_all(Outcome.CANCELLED)

    @guarded
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
        params, options = kwargs.get("invocation_params") or {}, kwargs.get("options") or {}
        start = Start(serialized, kwargs.get("name"), tags or (), metadata or {}, params, options)
        content = partial(payload.chat_input, messages[0] if messages else [], params)
        self._lifecycle.start(run_id, parent_run_id, start, content, RunKind.CHAT)

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
        params = kwargs.get("invocation_params") or {}
        start = Start(serialized, kwargs.get("name"), tags or (), metadata or {}, params)
        content = partial(payload.completion_input, prompts[0] if prompts else "", params)
        self._lifecycle.start(run_id, parent_run_id, start, content, RunKind.TEXT_COMPLETION)

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, run_id: UUID, **_: Any) -> None:
        """Count a chunk of a stream, or of a model that reports its own tokens."""
        # Guarded in place: on this path a wrapper's call would cost as much as the work.
        try:
            counter = self._counters.get(run_id.int)
            if counter is not None:
                counter.token(token, chunk)
        except Exception as error:  # noqa: BLE001 - whatever it is, the application goes on
            self.diagnostics.report("on_llm_new_token failed", error)

    def on_stream_event(self, event: Any, *, run_id: UUID, **_: Any) -> None:
        """Count a chunk of a stream of events."""
        try:
            counter = self._counters.get(run_id.int)
            if counter is not None:
                counter.event(event)
        except Exception as error:  # noqa: BLE001 - as above
            self.diagnostics.report("on_stream_event failed", error)

    @guarded
    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_: Any) -> None:
        """End the run of a model."""
        attributes = partial(_answer_attributes, response, self._edition, self._prices)
        content = partial(payload.model_output, response)
        ending = Ending(perf_counter_ns(), attributes=attributes, content=content)
        self._lifecycle.end(run_id, ending)

    @guarded
    def on_llm_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """End the run of a model that an exception left."""
        self._lifecycle.end(run_id, Ending.by(error, perf_counter_ns()))

    @guarded
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
        name = kwargs.get("name")
        start = Start(serialized, name, tags or (), metadata or {}, given=id(inputs))
        content = partial(payload.state_input, inputs)
        self._lifecycle.start(run_id, parent_run_id, start, content)

    @guarded
    def on_chain_end(self, outputs: Any, *, run_id: UUID, **_: Any) -> None:
        """End the run of a graph, a node or another runnable."""
        run = self._runs.get(run_id)
        is_graph = run is not None and run.kind.is_graph
        content = partial(payload.graph_output if is_graph else payload.state_output, outputs)
        self._lifecycle.end(run_id, Ending(perf_counter_ns(), content=content))

    @guarded
    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """End the run of a graph, a node or another runnable that an exception left."""
        self._lifecycle.end(run_id, Ending.by(error, perf_counter_ns()))

    @guarded
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
        name, call_id = kwargs.get("name"), kwargs.get("tool_call_id")
        start = Start(serialized, name, tags or (), metadata or {}, tool_call_id=call_id)
        content = partial(payload.tool_input, inputs, input_str)
        self._lifecycle.start(run_id, parent_run_id, start, content, RunKind.TOOL)

    @guarded
    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        """End the run of a tool."""
        content = partial(payload.tool_output, output)
        self._lifecycle.end(run_id, Ending(perf_counter_ns(), content=content))

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
        """Record a node that LangGraph did not run; `instrument` has it told."""
        metadata = {**manager.metadata, **task.config.get("metadata", {})}
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
        """Forget the runs that are open: this is a forked child, and they are its parent's."""
        self._runs.clear()
        for observer in self._log_observers:
            observer.forget()


def _check_providers(
    tracer_provider: object, meter_provider: object, logger_provider: object
) -> None:
    capable_of("tracer_provider", tracer_provider, "get_tracer", "a TracerProvider")
    capable_of("meter_provider", meter_provider, "get_meter", "a MeterProvider")
    capable_of("logger_provider", logger_provider, "get_logger", "a LoggerProvider")


def _door(
    capture_content: CaptureContent | str | None,
    redact: Redact | None,
    max_characters: int,
    diagnostics: Diagnostics,
) -> ContentDoor:
    redaction(redact)
    capture = CaptureContent.chosen(capture_content, os.environ)
    limit = within_sdk_limit(positive("max_content_characters", max_characters), os.environ)
    return ContentDoor(capture, redact, limit, diagnostics.report)


def _answer_attributes(
    response: LLMResult, edition: semconv.Edition, prices: PriceTable, start: Start
) -> Attributes:
    told = response_attributes(response, edition, start)
    return told | prices.attributes(told, model_name(start), edition)
