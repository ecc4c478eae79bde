"""`instrument` is switched on for a process, once, and off without a trace."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import BaseTool
from langchain_core.tracers import context as tracers_context
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.pregel import main as pregel
from opentelemetry.sdk.trace import TracerProvider

from nodespan.telemetry import (
    OpenTelemetryCallbackHandler,
    SpanCollector,
    instrument,
    uninstrument,
)
from nodespan.telemetry.instrumentor import NodespanInstrumentor
from nodespan.telemetry.testing import span_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from subprocess import CompletedProcess

    from langchain_core.runnables import RunnableConfig

OWNERS = (BaseChatModel, BaseLLM, BaseRetriever, BaseTool, pregel)


@pytest.fixture
def collector() -> SpanCollector:
    """Where the spans go."""
    return SpanCollector()


@pytest.fixture
def provider(collector: SpanCollector) -> Iterator[TracerProvider]:
    """A provider of the test's own; whatever the test switches on is off after it."""
    provider = TracerProvider()
    provider.add_span_processor(collector)
    yield provider
    uninstrument()


def answering_graph() -> Any:
    """Return a graph of one node that calls a model."""
    model = FakeListChatModel(responses=["Meow!"])

    def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    return StateGraph(MessagesState).add_node(answer).add_edge(START, "answer").compile()


def state_of_langchain() -> list[Any]:
    """Return all that instrumenting changes."""
    return [*(dict(vars(owner)) for owner in OWNERS), list(tracers_context._configure_hooks)]


TREE = [
    "invoke_workflow LangGraph",
    "  node answer",
    "    chat FakeListChatModel",
]


def test_a_program_is_traced_without_a_handler(
    provider: TracerProvider, collector: SpanCollector
) -> None:
    """What is called after `instrument` has spans; after `uninstrument`, none."""
    instrument(tracer_provider=provider)
    answering_graph().invoke({"messages": ["Hi"]})
    assert span_tree(collector.spans()) == TREE
    collector.clear()
    uninstrument()
    answering_graph().invoke({"messages": ["Hi"]})
    assert span_tree(collector.spans()) == []


def test_uninstrumenting_leaves_nothing_behind(provider: TracerProvider) -> None:
    """LangChain and LangGraph are, attribute by attribute, what they were."""
    before = state_of_langchain()
    instrument(tracer_provider=provider)
    assert state_of_langchain() != before
    uninstrument()
    uninstrument()
    assert state_of_langchain() == before


def test_instrumenting_twice_is_once(provider: TracerProvider, collector: SpanCollector) -> None:
    """The second call gives the first one's handler, and every run has one span."""
    assert instrument(tracer_provider=provider) is instrument()
    answering_graph().invoke({"messages": ["Hi"]})
    assert span_tree(collector.spans()) == TREE


def test_other_settings_are_not_taken_in_silence(provider: TracerProvider) -> None:
    """What a second call cannot change is said and counted; what is as before is not."""
    handler = instrument(tracer_provider=provider, capture_content="SPAN_ONLY")
    assert instrument(tracer_provider=provider, capture_content="SPAN_ONLY") is handler
    assert handler.diagnostics.counts == {}
    assert instrument(tracer_provider=provider, capture_content="NO_CONTENT") is handler
    (trouble,) = handler.diagnostics.counts
    assert trouble.startswith("instrument was called again with other settings")


@pytest.mark.parametrize("where", ["call", "graph", "inner call", "everywhere"])
def test_a_handler_beside_it_changes_nothing(
    provider: TracerProvider, collector: SpanCollector, where: str
) -> None:
    """With a handler bound to the graph, passed to the call, or within, a run has one span."""
    instrument(tracer_provider=provider)
    handler = OpenTelemetryCallbackHandler(tracer_provider=provider)
    config: RunnableConfig = {"callbacks": [handler]}
    model = FakeListChatModel(responses=["Meow!"])

    def answer(state: MessagesState) -> dict[str, Any]:
        inner = config if where in ("inner call", "everywhere") else None
        return {"messages": [model.invoke(state["messages"], inner)]}

    graph: Any = StateGraph(MessagesState).add_node(answer).add_edge(START, "answer").compile()
    if where in ("graph", "everywhere"):
        graph = graph.with_config(config)
    graph.invoke({"messages": ["Hi"]}, config if where in ("call", "everywhere") else None)
    assert span_tree(collector.spans()) == TREE


def test_the_official_instrumentor_does_the_same(
    provider: TracerProvider, collector: SpanCollector
) -> None:
    """`NodespanInstrumentor` switches on and off as OpenTelemetry's tools expect it."""
    before = state_of_langchain()
    NodespanInstrumentor().instrument(tracer_provider=provider)
    answering_graph().invoke({"messages": ["Hi"]})
    NodespanInstrumentor().uninstrument()
    assert span_tree(collector.spans()) == TREE
    assert state_of_langchain() == before


APPLICATION = """
from langchain_core.language_models.fake_chat_models import FakeListChatModel

print(FakeListChatModel(responses=["Meow!"]).invoke("Hi").text)
"""


def test_opentelemetry_instrument_traces_a_program_that_knows_nothing(
    run_python: Callable[..., CompletedProcess[str]], otlp_receiver: Any, tmp_path: Any
) -> None:
    """`opentelemetry-instrument python app.py` sends the program's spans."""
    app = tmp_path / "app.py"
    app.write_text(APPLICATION)
    command = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"
    result = run_python(
        command,
        sys.executable,
        str(app),
        OTEL_EXPORTER_OTLP_ENDPOINT=otlp_receiver.endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_METRICS_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
    )
    assert (result.returncode, result.stdout) == (0, "Meow!\n"), result.stderr
    assert [span.name for span in otlp_receiver.spans] == ["chat FakeListChatModel"]
