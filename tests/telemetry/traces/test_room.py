"""Within the limits of a span what tells most is there, and its JSON is whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import MemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from pydantic import Field

from nodespan.model import CustomChatModel, EchoChatModel
from nodespan.telemetry import OpenTelemetryCallbackHandler, SpanCollector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.messages import BaseMessage

MAIN = {"gen_ai.operation.name", "gen_ai.request.model", "gen_ai.provider.name"}
USAGE = {"gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"}
PARAMETER = "langchain.identifying_params."
LONG = 'He said: "\\ \u2028 \U0001f600" ' * 300


class Described(CustomChatModel):
    """Identifies itself by as many parameters as it is given."""

    many: int = 0
    nested: dict[str, Any] = Field(default_factory=dict)

    @property
    def _identifying_params(self) -> dict[str, Any]:
        more = {f"parameter_{number}": number for number in range(self.many)}
        return {"model_name": self.model_name, **more, "nested": self.nested}

    def respond(self, messages: list[BaseMessage]) -> Iterator[str]:
        """Repeat it."""
        yield messages[-1].text


def traced(model: Any, said: Any = "Hi", **settings: Any) -> tuple[Any, Any]:
    """Stream a model under limits; give its span and the handler."""
    limits = {name: settings.pop(name) for name in list(settings) if name.startswith("max_")}
    collector = SpanCollector()
    provider = TracerProvider(span_limits=SpanLimits(**limits), shutdown_on_exit=False)
    provider.add_span_processor(collector)
    handler = OpenTelemetryCallbackHandler(tracer_provider=provider, **settings)
    list(model.stream(said, {"callbacks": [handler], "metadata": {"thread_id": "t"}}))
    (span,) = collector.spans()
    return span, handler


@pytest.mark.parametrize("limit", [12, 20, 32, 64, 128])
@pytest.mark.parametrize("many", [0, 10, 200])
def test_parameters_give_way_first(limit: int, many: int) -> None:
    """Whatever there is of them, a span says what was called, of whom, and what was used."""
    model = Described(many=many)
    span, handler = traced(model, max_span_attributes=limit, prices={"described": PRICE})
    assert len(span.attributes) <= limit
    assert not span.dropped_attributes
    assert span.attributes.keys() >= (MAIN | USAGE)
    told = sum(name.startswith(PARAMETER) for name in span.attributes)
    others = len(span.attributes) - told
    complete, _ = traced(model, max_span_attributes=1_000, prices={"described": PRICE})
    all_others = {name for name in complete.attributes if not name.startswith(PARAMETER)}
    if others < len(all_others - {"langchain.more_identifying_params"}):
        assert not told
    gave_way = len(complete.attributes) > limit
    assert ("attributes gave way to the limit of a span" in handler.diagnostics.counts) is gave_way


PRICE = {"input": 1, "output": 1}


def test_parameters_are_there_while_a_run_goes_on() -> None:
    """Within the limit that spans have by default."""
    provider = TracerProvider(shutdown_on_exit=False)
    handler = OpenTelemetryCallbackHandler(tracer_provider=provider)
    model = Described(many=10)
    stream = model.stream("Hi", {"callbacks": [handler]})
    next(stream)
    run = next(iter(handler._runs))
    assert run.span is not None
    assert f"{PARAMETER}parameter_9" in run.span.attributes  # type: ignore[attr-defined]  # the SDK's
    stream.close()


def test_an_error_is_told_within_a_limit() -> None:
    """Before all that describes the model."""

    class Failing(Described):
        def respond(self, messages: list[BaseMessage]) -> Iterator[str]:
            yield messages[-1].text
            raise ValueError("no")

    collector = SpanCollector()
    provider = TracerProvider(span_limits=SpanLimits(max_span_attributes=8), shutdown_on_exit=False)
    provider.add_span_processor(collector)
    handler = OpenTelemetryCallbackHandler(tracer_provider=provider)
    with pytest.raises(ValueError, match="no"):
        Failing(many=50).invoke("Hi", {"callbacks": [handler]})
    (span,) = collector.spans()
    told = span.attributes or {}
    assert {*MAIN, "error.type", "nodespan.outcome"} <= told.keys()


@pytest.mark.parametrize("limit", [10, 100, 1_000, 5_000])
@pytest.mark.parametrize("of", ["max_span_attribute_length", "max_attribute_length"])
def test_json_stays_whole(limit: int, of: str) -> None:
    """Content and parameters alike are shortened before they are written as JSON."""
    nested = {"a": LONG, "b": [{"c": LONG}, 1, 2], "d": {"e": {"f": list(range(3_000))}}}
    span, _ = traced(
        Described(many=70, nested=nested),
        [HumanMessage(LONG), HumanMessage([{"type": "text", "text": LONG}])],
        capture_content="SPAN_ONLY",
        **{of: limit},
    )
    documents = [
        value
        for value in span.attributes.values()
        if isinstance(value, str) and value[:1] in ("{", "[")
    ]
    assert len(documents) >= 3
    for value in documents:
        assert len(value) <= limit
        json.loads(value)


def test_the_variable_for_values_holds_beside_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK reads it for a provider that has no limit in code."""
    monkeypatch.setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "200")
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "32")
    span, _ = traced(Described(many=50), LONG, capture_content="SPAN_ONLY")
    assert span.attributes.keys() >= (MAIN | USAGE)
    json.loads(span.attributes["gen_ai.input.messages"])


def test_the_values_of_an_interrupt_stay_whole() -> None:
    """They are JSON on an event."""

    def ask(_state: MessagesState) -> None:
        interrupt({"question": LONG})

    graph: Any = StateGraph(MessagesState)
    compiled = graph.add_node(ask).add_edge(START, "ask").compile(checkpointer=MemorySaver())
    collector = SpanCollector()
    limits = SpanLimits(max_attribute_length=120)
    provider = TracerProvider(span_limits=limits, shutdown_on_exit=False)
    provider.add_span_processor(collector)
    handler = OpenTelemetryCallbackHandler(tracer_provider=provider, capture_content="SPAN_ONLY")
    config: Any = {"callbacks": [handler], "configurable": {"thread_id": "1"}}
    compiled.invoke({"messages": []}, config)
    events = [event for span in collector.spans() for event in span.events]
    (told,) = [dict(event.attributes or {}) for event in events if event.name == "on_interrupt"]
    assert json.loads(str(told["langgraph.interrupt.values"]))


def test_a_span_without_limits_has_room() -> None:
    """Of another make, or with limits that are switched off."""
    span, handler = traced(EchoChatModel(), max_span_attributes=SpanLimits.UNSET)
    assert span.attributes.keys() >= MAIN
    assert not handler.diagnostics.counts
