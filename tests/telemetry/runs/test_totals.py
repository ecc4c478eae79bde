"""A root, and each agent, carries the sums of what was used beneath it; all signals agree."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.messages import ToolCall
from langchain_core.tools import ToolException, tool
from langgraph.graph import StateGraph
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, Sampler, SamplingResult

from nodespan.graph import build_agent
from nodespan.telemetry import OpenTelemetryCallbackHandler
from support.everything import QUESTION
from support.signals import Signals, record_signals
from support.strangers import AINVOKE, ASTREAM, INVOKE, STREAM, Call, State, Talker

PRICES = {
    "cheap": {"input": 1, "output": 2},
    "dear": {"input": 100, "output": 200, "currency": "CHF"},
}
TOTAL = "nodespan.total."


def calling(name: str) -> Any:
    """Return a call of a tool."""
    return ToolCall(name=name, args={"question": "why"}, id=f"call-{name}", type="tool_call")


def program() -> Any:
    """Return a workflow of an agent, with an agent in one of its tools, and a plain model."""
    inner_model = Talker(model_name="dear", reports_usage=True, calls=[[calling("fail")]])

    @tool
    def fail(question: str) -> str:
        """Fail."""
        raise ToolException(question)

    fail.handle_tool_error = True
    helper = build_agent(inner_model, [fail], name="helper")

    @tool
    def ask(question: str) -> str:
        """Ask another."""
        helper.invoke({"messages": [question]})
        return "so it is"

    outer_model = Talker(model_name="cheap", reports_usage=True, calls=[[calling("ask")]])
    agent = build_agent(outer_model, [ask], name="clerk")
    plain = Talker(model_name="cheap", reports_usage=True)

    def broken(_state: State) -> State:
        try:
            Talker(fails_with=ValueError("no")).invoke("hello")
        except ValueError:
            return {"messages": [plain.invoke("hello")]}
        return {}

    graph = StateGraph(State)
    graph.add_node("agent", agent)
    graph.add_node("plain", broken)
    graph.set_entry_point("agent")
    graph.add_edge("agent", "plain")
    return graph.compile(name="whole")


def totals(signals: Signals, name: str) -> dict[str, Any]:
    """Return the sums on a span."""
    (span,) = [each for each in signals.spans if each.name == name]
    return {
        key.removeprefix(TOTAL): value
        for key, value in span.attributes.items()
        if key.startswith(TOTAL)
    }


@pytest.mark.parametrize("call", [INVOKE, STREAM, AINVOKE, ASTREAM], ids=str)
def test_a_root_and_each_agent_have_their_sums(call: Call) -> None:
    """They are of all that is beneath, and no other span has any."""
    with record_signals(prices=PRICES) as signals:
        call.run(program(), QUESTION, signals.config)
        cheap, dear = (1 + 2 * 3) / 1e6, (100 + 200 * 3) / 1e6
        assert totals(signals, "invoke_agent helper") == {
            "inference_calls": 2,
            "tool_calls": 1,
            "input_tokens": 2,
            "output_tokens": 6,
            "errors": 1,
            "cost.CHF": pytest.approx(2 * dear),
        }
        assert totals(signals, "invoke_agent clerk") == {
            "inference_calls": 4,
            "tool_calls": 2,
            "input_tokens": 4,
            "output_tokens": 12,
            "errors": 1,
            "cost.CHF": pytest.approx(2 * dear),
            "cost.USD": pytest.approx(2 * cheap),
        }
        assert totals(signals, "invoke_workflow whole") == {
            "inference_calls": 6,
            "tool_calls": 2,
            "input_tokens": 5,
            "output_tokens": 15,
            "errors": 2,
            "cost.CHF": pytest.approx(2 * dear),
            "cost.USD": pytest.approx(3 * cheap),
        }
        carriers = [s.name for s in signals.spans if any(k.startswith(TOTAL) for k in s.attributes)]
        assert len(carriers) == 3


def points(signals: Signals, name: str) -> list[Any]:
    """Return what a metric has."""
    found = [metric for metric in signals.metrics if metric.name == name]
    return list(found[0].data.data_points) if found else []


def test_all_signals_agree() -> None:
    """Sums of the root's span, of its descendants' spans, of metrics and of log records."""
    with record_signals(prices=PRICES) as signals:
        for _ in range(3):
            program().invoke(QUESTION, signals.config)
        asyncio.run(AINVOKE._run_async(program(), QUESTION, signals.config))
        roots = [span for span in signals.spans if span.parent_id is None]
        models = [span for span in signals.spans if span.name.startswith("chat ")]
        for side in ("input", "output"):
            key = f"gen_ai.usage.{side}_tokens"
            of_spans = sum(span.attributes.get(key, 0) for span in models)
            assert sum(root.attributes[f"{TOTAL}{side}_tokens"] for root in roots) == of_spans
            usage = points(signals, "gen_ai.client.token.usage")
            told = [point for point in usage if point.attributes["gen_ai.token.type"] == side]
            assert sum(point.sum for point in told) == of_spans
            logged = [record.attributes.get(key, 0) for record in signals.log_records]
            assert sum(logged) == of_spans
        for currency in ("USD", "CHF"):
            paid = sum(root.attributes[f"{TOTAL}cost.{currency}"] for root in roots)
            costs = points(signals, "nodespan.cost")
            metered = [p.value for p in costs if p.attributes["nodespan.currency"] == currency]
            assert sum(metered) == pytest.approx(paid)
        calls = sum(root.attributes[f"{TOTAL}inference_calls"] for root in roots)
        assert calls == len(models)
        failures = [p for p in points(signals, "gen_ai.execute_tool.duration")
                    if "error.type" in p.attributes]  # fmt: skip
        assert sum(point.count for point in failures) == len(
            [s for s in signals.spans if s.name == "execute_tool fail"]
        )


def test_a_model_has_no_sums() -> None:
    """There is nothing beneath it."""
    with record_signals() as signals:
        Talker(reports_usage=True).invoke("hello", signals.config)
        assert totals(signals, "chat talker") == {}


class DropsModels(Sampler):
    """Records every span but those of models."""

    def should_sample(self, _parent: Any, _trace_id: int, name: str, *_: Any, **__: Any) -> Any:
        """Decide by the name of a span."""
        dropped = name.startswith("chat ")
        return SamplingResult(Decision.DROP if dropped else Decision.RECORD_AND_SAMPLE)

    def get_description(self) -> str:
        """Say what it does."""
        return "drops models"


def test_a_root_sums_up_models_whose_spans_are_dropped() -> None:
    """Sums are of what was used, and not of what was recorded."""
    provider = TracerProvider(sampler=DropsModels(), shutdown_on_exit=False)
    spans = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    handler = OpenTelemetryCallbackHandler(tracer_provider=provider)
    program().invoke(QUESTION, {"callbacks": [handler]})
    names = [span.name for span in spans.get_finished_spans()]
    assert not any(name.startswith("chat ") for name in names)
    (root,) = [span for span in spans.get_finished_spans() if span.parent is None]
    assert root.attributes is not None
    assert root.attributes[f"{TOTAL}inference_calls"] == 6
    assert root.attributes[f"{TOTAL}output_tokens"] == 15


def test_metrics_count_the_calls_of_agents_that_are_not_sampled() -> None:
    """What an agent has called is counted where no span is recorded."""
    with record_signals(sampler=ALWAYS_OFF) as signals:
        program().invoke(QUESTION, signals.config)
        calls = points(signals, "gen_ai.invoke_agent.inference_calls")
        assert {p.attributes["gen_ai.agent.name"]: p.sum for p in calls} == {
            "clerk": 2,
            "helper": 2,
        }
        assert signals.spans == []
