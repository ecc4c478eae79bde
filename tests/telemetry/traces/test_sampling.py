"""Runs that are not sampled cost next to nothing, leak nothing, and keep their places."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import StateGraph
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
)
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

from nodespan.telemetry import (
    OpenTelemetryCallbackHandler,
    SpanCollector,
    instrument,
    uninstrument,
)
from nodespan.telemetry.testing import CapturedSpans
from support import everything
from support.reporters import Completer, Nameless, Reporter
from support.strangers import AINVOKE, ASTREAM, EVENTS_V2, INVOKE, STREAM, Call, State, Talker

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_core.runnables import RunnableConfig
    from opentelemetry.util.types import Attributes

CALLS = (INVOKE, AINVOKE, STREAM, ASTREAM, EVENTS_V2)


class Choosing(Sampler):
    """Writes down what it sees, and takes what it is told to.

    Args:
        taken: beginnings of the names of the spans that are taken.
    """

    def __init__(self, *taken: str) -> None:
        self.taken = taken
        self.seen: list[tuple[str, SpanKind | None, dict[str, Any]]] = []

    def should_sample(  # noqa: PLR0913, PLR0917 - the SDK's signature
        self,
        parent_context: Any,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Any] | None = None,
    ) -> SamplingResult:
        """Take a span by its name."""
        del parent_context, trace_id, links
        self.seen.append((name, kind, dict(attributes or {})))
        is_taken = name.startswith(self.taken) if self.taken else False
        return SamplingResult(Decision.RECORD_AND_SAMPLE if is_taken else Decision.DROP)

    def get_description(self) -> str:
        """Return its name."""
        return "choosing"


@contextmanager
def sampled_by(sampler: Sampler, way_in: str = "handler", **settings: Any) -> Iterator[Any]:
    """Trace with a sampler, by one of the ways in."""
    collector = SpanCollector()
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(collector)
    make = instrument if way_in == "instrument" else OpenTelemetryCallbackHandler
    handler = make(tracer_provider=provider, **settings)
    handler.raise_error = True
    try:
        yield CapturedSpans(handler, provider, collector)
        assert handler.open_runs == 0
        assert handler.diagnostics.counts == {}
    finally:
        uninstrument()
        provider.shutdown()


def config_of(captured: CapturedSpans, way_in: str = "handler") -> RunnableConfig:
    """Return the config of a call."""
    return {"callbacks": [captured.handler]} if way_in == "handler" else {}


def talking(model: Any) -> Any:
    """Return a graph that calls a model."""
    graph = StateGraph(State)
    graph.add_node("talk", lambda state: {"messages": [model.invoke(state["messages"])]})
    graph.set_entry_point("talk")
    return graph.compile(name="talks")


class TestWhatSamplersSee:
    """What is known of a span when it starts."""

    def test_of_a_model(self) -> None:
        """A sampler sees a model's operation, its name, its provider and its server."""
        sampler = Choosing()
        params = {"model": "tiny-1", "base_url": "https://acme.dev/v1", "temperature": 1}
        with sampled_by(sampler) as captured:
            model = Reporter(params=params, ls_params={"ls_provider": "acme"})
            model.invoke("x", config_of(captured))
        assert sampler.seen == [
            (
                "chat tiny-1",
                SpanKind.CLIENT,
                {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.request.model": "tiny-1",
                    "gen_ai.provider.name": "acme",
                    "server.address": "acme.dev",
                    "server.port": 443,
                },
            )
        ]

    def test_of_the_others(self) -> None:
        """A sampler sees the operation of everything that has one, and whose it is."""
        sampler = Choosing("invoke", "node")
        with sampled_by(sampler) as captured:
            for scenario in everything.SYNC:
                if scenario.name in ("agent", "workflow", "retriever", "tool", "completion"):
                    scenario.run(INVOKE, everything.config_of(config_of(captured)))
        told = {name: attributes for name, _, attributes in sampler.seen}
        assert told["invoke_agent forecaster"]["gen_ai.operation.name"] == "invoke_agent"
        assert told["invoke_agent forecaster"]["gen_ai.agent.name"] == "forecaster"
        assert told["invoke_workflow writer"]["gen_ai.operation.name"] == "invoke_workflow"
        assert told["execute_tool weather"]["gen_ai.tool.name"] == "weather"
        assert told["execute_tool weather"]["gen_ai.tool.type"] == "function"
        assert told["retrieval Library"]["gen_ai.operation.name"] == "retrieval"
        assert told["text_completion Completer"]["gen_ai.provider.name"] == "completing"
        assert "planted" not in str(sampler.seen)


class TestUnsampled:
    """What is not sampled."""

    @pytest.mark.parametrize("way_in", ["handler", "instrument"])
    @pytest.mark.parametrize("call", CALLS, ids=str)
    def test_nothing_is_left_behind(self, call: Call, way_in: str) -> None:
        """Without sampling everything runs as ever; no span is made, and no run is kept."""
        with sampled_by(ALWAYS_OFF, way_in) as captured:
            config = config_of(captured, way_in)
            for scenario in everything.scenarios(call):
                scenario.run(call, everything.config_of(config))
        assert captured.spans == []
        assert not trace.get_current_span().get_span_context().is_valid

    def test_attributes_are_not_made(self, caplog: pytest.LogCaptureFixture) -> None:
        """What only a recorded span would carry is not even looked at, where nobody logs runs."""
        caplog.set_level(logging.CRITICAL, logger="nodespan.telemetry.runs")

        class Untouched(dict[str, Any]):
            def items(self) -> Any:
                raise AssertionError("an identifying parameter was read")

        def redact(_name: str, _content: Any) -> Any:
            raise AssertionError("content was read")

        class Watched(AIMessage):
            def __getattribute__(self, name: str) -> Any:
                if name in ("usage_metadata", "response_metadata") and armed:
                    raise AssertionError("an answer was read")
                return super().__getattribute__(name)

        armed: list[bool] = []
        with sampled_by(ALWAYS_OFF, capture_content="SPAN_ONLY", redact=redact) as captured:
            handler = captured.handler
            run_id = uuid4()
            params = Untouched(model_name="m", temperature=1)
            handler.on_chat_model_start(
                {}, [[HumanMessage("x")]], run_id=run_id, invocation_params=params
            )
            result = Nameless().generate([[HumanMessage("x")]])
            (choice,) = result.generations[0]
            choice.message = Watched("x")  # type: ignore[attr-defined]  # of a chat model
            armed.append(True)
            handler.on_llm_end(result, run_id=run_id)

    def test_remote_parents_decide(self) -> None:
        """A parent that was not sampled elsewhere keeps what is beneath it from being sampled."""
        for flags, count in ((TraceFlags.DEFAULT, 0), (TraceFlags.SAMPLED, 3)):
            remote = SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(flags))
            with sampled_by(ParentBased(ALWAYS_ON)) as captured:
                with trace.use_span(trace.NonRecordingSpan(remote)):
                    talking(Talker()).invoke({"messages": ["x"]}, config_of(captured))
                assert len(captured.spans) == count
                assert {span.trace_id for span in captured.spans} <= {f"{7:032x}"}

    def test_propagation_goes_on(self) -> None:
        """What the application sends from an unsampled run carries that run's trace, unsampled."""
        seen: list[SpanContext] = []

        def look(_body: str, _given: int) -> None:
            seen.append(trace.get_current_span().get_span_context())

        with sampled_by(ALWAYS_OFF) as captured:
            Talker(looks=look).invoke("x", config_of(captured))
        (context,) = seen
        assert context.is_valid
        assert not context.trace_flags.sampled


class TestParents:
    """Where sampled runs hang among unsampled ones."""

    @pytest.mark.parametrize("call", CALLS, ids=str)
    def test_a_trace_in_which_a_node_is_left_out(self, call: Call) -> None:
        """What is beneath a span that was not taken is in the same trace, with it as its parent."""
        with sampled_by(Choosing("invoke_workflow", "chat")) as captured:
            call.run(talking(Talker()), {"messages": ["x"]}, config_of(captured))
        chat, root = captured.spans
        assert (chat.name, root.name) == ("chat talker", "invoke_workflow talks")
        assert chat.trace_id == root.trace_id
        assert chat.parent_id is not None
        assert chat.parent_id != root.span_id

    def test_calls_beside_each_other(self) -> None:
        """Sampled and unsampled calls at the same time do not get into each other's traces."""
        with sampled_by(Choosing("chat even")) as captured:

            async def talk(number: int) -> None:
                name = "even" if number % 2 == 0 else "odd"
                await Talker(model_name=name).ainvoke("x", config_of(captured))

            async def all_at_once() -> None:
                await asyncio.gather(*(talk(number) for number in range(20)))

            asyncio.run(all_at_once())
        assert [span.name for span in captured.spans] == ["chat even"] * 10
        assert len({span.trace_id for span in captured.spans}) == 10
        assert all(span.parent_id is None for span in captured.spans)

    def test_spans_that_are_recorded_only(self) -> None:
        """A span that is recorded and not sampled has its attributes all the same."""

        class Recording(Choosing):
            def should_sample(self, *_: Any, **__: Any) -> SamplingResult:
                return SamplingResult(Decision.RECORD_ONLY)

        with sampled_by(Recording()) as captured:
            Completer(params={"model_name": "c"}).invoke("x", config_of(captured))
        (span,) = captured.spans
        assert span.attributes["langchain.identifying_params.model_name"] == "c"
