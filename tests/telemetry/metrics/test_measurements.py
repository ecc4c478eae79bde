"""What is measured of runs is what happened, by the names that the conventions give it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import StateGraph
from langgraph.types import interrupt

from support.conventions import REGISTRY
from support.meters import metered
from support.reporters import Completer, Reporter, StreamingReporter
from support.strangers import ASTREAM, INVOKE, MODEL_CALLS, STREAM, Call, State, Talker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.documents import Document
    from langchain_core.messages import ToolCall

    from support.meters import Metered

# LangChain says so of each of its v3 streams.
pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")

NS = 10**9
USAGE: Any = {
    "input_tokens": 10,
    "output_tokens": 20,
    "total_tokens": 30,
    "input_token_details": {"cache_read": 4, "cache_creation": 3, "audio": 2},
    "output_token_details": {"reasoning": 7, "image": 5},
}

RELEASED = {
    "gen_ai.client.operation.duration",
    "gen_ai.client.operation.time_to_first_chunk",
    "gen_ai.client.operation.time_per_output_chunk",
    "gen_ai.client.token.usage",
    "gen_ai.client.inference.usage.cache_read.input_tokens",
    "gen_ai.client.inference.usage.cache_write.input_tokens",
    "gen_ai.client.inference.usage.reasoning.output_tokens",
    "gen_ai.invoke_agent.duration",
    "gen_ai.invoke_agent.inference_calls",
    "gen_ai.invoke_agent.tool_calls",
    "gen_ai.invoke_workflow.duration",
    "gen_ai.execute_tool.duration",
}
NEWEST = {
    "gen_ai.client.inference.duration",
    "gen_ai.client.inference.time_to_first_chunk",
    "gen_ai.client.inference.time_per_output_chunk",
    "gen_ai.client.inference.usage.input_tokens",
    "gen_ai.client.inference.usage.output_tokens",
    "gen_ai.client.inference.usage.cache_read.input_tokens",
    "gen_ai.client.inference.usage.cache_write.input_tokens",
    "gen_ai.client.inference.usage.reasoning.output_tokens",
    "gen_ai.client.inference.operation.input_tokens",
    "gen_ai.client.inference.operation.output_tokens",
    "gen_ai.client.operation.duration",
    "gen_ai.invoke_agent.duration",
    "gen_ai.invoke_agent.inference_calls",
    "gen_ai.invoke_agent.tool_calls",
    "gen_ai.invoke_workflow.duration",
    "gen_ai.execute_tool.duration",
}
OURS = {
    "nodespan.runs.oldest.age",
    "nodespan.runs.open",
    "nodespan.stream.chunks",
    "nodespan.stream.tokens_per_second",
    "nodespan.streams.stalled",
}

DURATION = "gen_ai.client.operation.duration"
FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
PER_CHUNK = "gen_ai.client.operation.time_per_output_chunk"
TOKENS = "gen_ai.client.token.usage"
INPUT = {"gen_ai.token.type": "input"}
OUTPUT = {"gen_ai.token.type": "output"}
TOKENS_PER_SECOND = "nodespan.stream.tokens_per_second"
CHUNKS = "nodespan.stream.chunks"
ASKS = "gen_ai.invoke_agent.inference_calls"
ACTS = "gen_ai.invoke_agent.tool_calls"


@tool
def weigh(word: str) -> int:
    """Weigh a word."""
    return len(word)


@tool
def fail(word: str) -> int:
    """Fail at weighing a word."""
    raise LookupError(word)


class Shelf(BaseRetriever):
    """A retriever that finds nothing."""

    def _get_relevant_documents(self, *_: Any, **__: Any) -> list[Document]:
        return []


def calling(name: str) -> list[list[ToolCall]]:
    """Return one answer that calls a tool."""
    return [[{"name": name, "args": {"word": "owl"}, "id": "call-1", "type": "tool_call"}]]


def of_one_node(node: Any, **settings: Any) -> Any:
    """Return a graph of one node."""
    graph = StateGraph(State)
    graph.add_node("ask", node)
    graph.set_entry_point("ask")
    return graph.compile(**settings)


def use_everything(metered: Metered) -> None:
    """Run something of every kind that is measured."""
    reply = AIMessage("so it is", usage_metadata=USAGE)
    params = {"model_name": "m", "base_url": "https://example.org/v1"}
    model = StreamingReporter(replies=[reply], params=params)
    agent = create_agent(Talker(calls=calling("weigh")), tools=[weigh], name="weigher")
    for runnable in (model, Completer(), Shelf()):
        runnable.invoke("hello", metered.config)
    list(model.stream("hello", metered.config))
    of_one_node(lambda _: {}, name="shop").invoke({"messages": []}, metered.config)
    agent.invoke({"messages": ["hello"]}, metered.config)


@pytest.fixture
def meter() -> Iterator[Metered]:
    """Measure a test's runs."""
    with metered() as measured:
        yield measured


@pytest.mark.parametrize(
    ("opt_in", "expected"),
    [("", RELEASED), ("http,gen_ai_latest_experimental", NEWEST)],
    ids=["released", "newest"],
)
def test_metrics_are_those_of_the_edition(
    monkeypatch: pytest.MonkeyPatch, opt_in: str, expected: set[str]
) -> None:
    """Every name is the edition's, or our own."""
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", opt_in)
    with metered() as measured:
        use_everything(measured)
        assert set(measured.metrics()) == expected | OURS


@pytest.mark.parametrize("opt_in", ["", "gen_ai_latest_experimental"])
def test_units_buckets_and_attributes_are_the_conventions(
    monkeypatch: pytest.MonkeyPatch, opt_in: str
) -> None:
    """What the conventions say of a metric is so, and all that they require is there."""
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", opt_in)
    facts = REGISTRY["legacy"]["metrics"] | REGISTRY["metrics"]
    common = REGISTRY["metrics"]["gen_ai.client.inference.duration"]["attributes"]
    with metered() as measured:
        use_everything(measured)
        told = {name: metric for name, metric in measured.metrics().items() if name in facts}
        assert len(told) >= len(RELEASED)
        for name, metric in told.items():
            fact = facts[name]
            known = fact.get("attributes", common | {"gen_ai.token.type": {"level": "required"}})
            assert metric.unit == fact["unit"]
            for point in metric.data.data_points:
                if fact["instrument"] == "histogram":
                    assert list(point.explicit_bounds) == fact["explicit_bucket_boundaries"]
                else:
                    assert metric.data.is_monotonic
                assert set(point.attributes) <= set(known)
                for key, rule in known.items():
                    is_due = rule["level"] == "required" and "retrieval" not in str(point)
                    is_due = is_due and not (key == "gen_ai.token.type" and name != TOKENS)
                    assert key in point.attributes or not is_due, (name, key)


def test_attributes_of_a_model_call(meter: Metered) -> None:
    """Operation, provider, both models and the server are told; nothing of what was said is."""
    use_everything(meter)
    assert dict(meter.only(PER_CHUNK).attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "nameless-type",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m",
        "server.address": "example.org",
        "server.port": 443,
    }
    assert dict(meter.only("gen_ai.execute_tool.duration").attributes) == {
        "gen_ai.tool.name": "weigh",
        "gen_ai.tool.type": "function",
        "gen_ai.agent.name": "weigher",
    }
    assert dict(meter.only("gen_ai.invoke_agent.duration").attributes) == {
        "gen_ai.agent.name": "weigher"
    }
    assert dict(meter.only("gen_ai.invoke_workflow.duration").attributes) == {
        "gen_ai.workflow.name": "shop"
    }


@pytest.mark.parametrize("call", MODEL_CALLS, ids=str)
def test_a_stream_has_one_gap_less_than_chunks(meter: Metered, call: Call) -> None:
    """By every way to stream, each chunk after the first is recorded once, and only then."""
    call.run(Talker(answer="one two three four five"), "hello", meter.config)
    (span,) = meter.captured.spans
    chunks = span.attributes.get("nodespan.stream.chunks", 0)
    if call.name in ("invoke", "ainvoke"):
        assert chunks == 0
        assert (meter.points(PER_CHUNK), meter.points(FIRST_CHUNK)) == ([], [])
        return
    assert chunks == 5
    assert meter.only(PER_CHUNK).count == 4
    assert meter.only(FIRST_CHUNK).count == 1
    assert meter.only(CHUNKS).value == 5


def test_durations_are_those_of_the_spans(meter: Metered) -> None:
    """A metric's duration is its span's, to the nanosecond."""
    Talker().invoke("hello", meter.config)
    list(Talker().stream("hello", meter.config))
    spans = meter.captured.spans
    took = [(span.end_ns or 0) - span.start_ns for span in spans]
    point = meter.only(DURATION)
    assert (point.count, point.sum) == (2, pytest.approx(sum(took) / NS))
    assert (point.min, point.max) == (min(took) / NS, max(took) / NS)
    waited = spans[1].attributes["gen_ai.response.time_to_first_chunk"]
    assert meter.only(FIRST_CHUNK).sum == pytest.approx(waited)


def test_tokens_by_the_released_conventions(meter: Metered) -> None:
    """Input and output are one histogram; what is part of them has counters of its own."""
    reply = AIMessage("so it is", usage_metadata=USAGE)
    Reporter(replies=[reply]).invoke("hello", meter.config)
    assert meter.only(TOKENS, INPUT).sum == 10
    assert meter.only(TOKENS, OUTPUT).sum == 20
    usage = "gen_ai.client.inference.usage."
    assert meter.only(f"{usage}cache_read.input_tokens").value == 4
    assert meter.only(f"{usage}cache_write.input_tokens").value == 3
    assert meter.only(f"{usage}reasoning.output_tokens").value == 7


def test_tokens_by_the_newest_conventions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counters tell tokens by modality, and histograms tell those of each call."""
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental")
    usage = "gen_ai.client.inference.usage."
    with metered() as meter:
        reply = AIMessage("so it is", usage_metadata=USAGE)
        Reporter(replies=[reply]).invoke("hello", meter.config)
        for name, modality, tokens in (
            ("input_tokens", "audio", 2),
            ("input_tokens", "unknown", 8),
            ("output_tokens", "image", 5),
            ("output_tokens", "unknown", 15),
            ("cache_read.input_tokens", "unknown", 4),
            ("cache_write.input_tokens", "unknown", 3),
            ("reasoning.output_tokens", "unknown", 7),
        ):
            assert meter.only(usage + name, {"gen_ai.token.modality": modality}).value == tokens
        assert meter.only("gen_ai.client.inference.operation.input_tokens").sum == 10
        assert meter.only("gen_ai.client.inference.operation.output_tokens").sum == 20


def test_what_a_model_does_not_report_is_not_made_up(meter: Metered) -> None:
    """Without usage there are no tokens, and without tokens no speed."""
    list(Talker().stream("hello", meter.config))
    assert (meter.points(TOKENS), meter.points(TOKENS_PER_SECOND)) == ([], [])


def test_a_cached_answer_counts_no_tokens(meter: Metered) -> None:
    """LangChain's cache repeats the usage of the answer; it was used but once."""
    reply = AIMessage("so it is", usage_metadata=USAGE)
    model = Reporter(replies=[reply], cache=InMemoryCache())
    for _ in range(3):
        model.invoke("hello", meter.config)
    assert meter.only(DURATION).count == 3
    assert meter.only(TOKENS, OUTPUT).count == 1


def test_speed_is_tokens_by_time_between_chunks(meter: Metered) -> None:
    """Tokens per second are those after the first chunk, in the time from first to last."""
    model = Talker(answer="one two three four", reports_usage=True)
    list(model.stream("hello", meter.config))
    (span,) = meter.captured.spans
    speed = 3 / span.attributes["nodespan.stream.duration"]
    assert span.attributes["nodespan.stream.tokens_per_second"] == pytest.approx(speed)
    assert meter.only(TOKENS_PER_SECOND).sum == pytest.approx(speed, abs=0.001)


def failing(meter: Metered) -> None:
    """Have a model fail in mid-stream."""
    with suppress(ValueError):
        list(Talker(fails_with=ValueError("x"), fails_after=2).stream("hello", meter.config))


def cancelling(meter: Metered) -> None:
    """Cancel a model in mid-stream."""
    said_two = asyncio.Event()

    async def wait(_: str, given: int) -> None:
        if given == 2:
            said_two.set()
            await asyncio.sleep(30)

    async def run() -> None:
        task = asyncio.create_task(ASTREAM.async_(Talker(waits=wait), "hello", meter.config))
        await said_two.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


def abandoning(meter: Metered) -> None:
    """Walk away from a model in mid-stream."""
    stream = Talker().stream("hello", meter.config)
    next(stream), next(stream)
    stream.close()


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (failing, {"nodespan.outcome": "error", "error.type": "ValueError"}),
        (cancelling, {"nodespan.outcome": "cancelled"}),
        (abandoning, {"nodespan.outcome": "abandoned"}),
    ],
    ids=["failed", "cancelled", "abandoned"],
)
def test_a_call_is_counted_as_what_it_came_to(
    meter: Metered, end: Any, told: dict[str, str]
) -> None:
    """A failure has its type; a cancelled or abandoned call is no failure; gaps are theirs all."""
    end(meter)
    attributes = meter.only(DURATION).attributes
    ended = {
        key: attributes[key] for key in ("nodespan.outcome", "error.type") if key in attributes
    }
    assert ended == told
    assert (meter.only(PER_CHUNK).count, meter.only(CHUNKS).value) == (1, 2)
    assert all(point.value == 0 for point in meter.points("nodespan.runs.open"))


def test_tools_and_graphs_fail_and_wait_as_what_they_are(meter: Metered) -> None:
    """A tool's failure is the tool's and the graph's; an interrupt is no failure."""
    with suppress(LookupError):
        of_one_node(lambda _: fail.invoke({"word": "owl"}), name="shop").invoke({}, meter.config)
    desk = of_one_node(lambda _: interrupt("well?"), name="desk", checkpointer=InMemorySaver())
    desk.invoke({}, {**meter.config, "configurable": {"thread_id": "1"}})
    assert meter.only("gen_ai.execute_tool.duration").attributes["error.type"] == "LookupError"
    workflow = "gen_ai.invoke_workflow.duration"
    failed = meter.only(workflow, {"gen_ai.workflow.name": "shop"})
    assert failed.attributes["error.type"] == "LookupError"
    waiting = meter.only(workflow, {"gen_ai.workflow.name": "desk"})
    assert waiting.attributes["nodespan.outcome"] == "interrupted"
    assert "error.type" not in waiting.attributes


def test_an_agent_tells_how_often_it_asks_and_acts(meter: Metered) -> None:
    """Its own calls count, failed ones too; an agent that a tool asks counts its own."""
    friend = create_agent(Talker(), tools=[], name="friend")

    @tool
    def ask_friend(word: str) -> str:
        """Ask a friend about a word."""
        return str(friend.invoke({"messages": [word]})["messages"][-1].content)

    calls = [*calling("ask_friend"), *calling("fail")]
    agent = create_agent(Talker(calls=calls), tools=[ask_friend, fail], name="weigher")
    with suppress(LookupError):
        agent.invoke({"messages": ["hello"]}, meter.config)
    for name, sums in (("weigher", (2, 2)), ("friend", (1, 0))):
        points = [meter.only(metric, {"gen_ai.agent.name": name}) for metric in (ASKS, ACTS)]
        assert [point.sum for point in points] == list(sums)
        assert [point.count for point in points] == [1, 1]


def test_an_agent_that_the_cache_answers_has_not_asked(meter: Metered) -> None:
    """LangChain's cache answers in the place of the model."""
    agent = create_agent(Talker(cache=InMemoryCache()), tools=[], name="weigher")
    for _ in range(2):
        agent.invoke({"messages": [HumanMessage("hello", id="1")]}, meter.config)
    point = meter.only(ASKS)
    assert (point.count, point.sum) == (2, 1)


@pytest.mark.parametrize("call", [INVOKE, STREAM], ids=str)
def test_exemplars_lead_to_the_trace(meter: Metered, call: Call) -> None:
    """A histogram's exemplars carry the ids of spans in which their values were measured."""
    call.run(Talker(reports_usage=True), "hello", meter.config)
    (span,) = meter.captured.spans
    for name, metric in meter.metrics().items():
        if not name.startswith("gen_ai."):
            continue
        for point in metric.data.data_points:
            (exemplar,) = point.exemplars
            assert f"{exemplar.trace_id:032x}" == span.trace_id
            assert f"{exemplar.span_id:016x}" == span.span_id
            assert point.min <= exemplar.value <= point.max
