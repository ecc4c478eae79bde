"""What a span has from its start is told in one, once one has shown that there is room for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import HumanMessage
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.trace import get_current_span

from nodespan.telemetry import CaptureContent, OpenTelemetryCallbackHandler, SpanCollector
from support import everything
from support.reporters import Reporter
from support.strangers import AINVOKE, INVOKE, STREAM

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

    from support.strangers import Call

pytestmark = [pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")]

# These are made anew for each run, or are times.
VARYING = ("langgraph.checkpoint_ns", "langgraph.checkpoint_id", "langgraph.interrupt.ids")
TIMES = ("nodespan.stream.", "gen_ai.response.time", "gen_ai.response.id")


class Starts(SpanProcessor):
    """Keeps what spans had when they started."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Keep what a span has by now."""
        del parent_context
        self.told.append(dict(span.attributes or {}))


def recorded(**settings: Any) -> tuple[OpenTelemetryCallbackHandler, SpanCollector, Starts]:
    """Return a handler, what keeps its spans, and what keeps their starts."""
    limits = {name: settings.pop(name) for name in list(settings) if name.startswith("max_")}
    provider = TracerProvider(span_limits=SpanLimits(**limits), shutdown_on_exit=False)
    collector, starts = SpanCollector(), Starts()
    provider.add_span_processor(collector)
    provider.add_span_processor(starts)
    return OpenTelemetryCallbackHandler(tracer_provider=provider, **settings), collector, starts


def told(span: ReadableSpan) -> dict[str, Any]:
    """Return what a span says that is the same for each run that is alike."""
    return {
        name: value
        for name, value in (span.attributes or {}).items()
        if name not in VARYING and not name.startswith(TIMES)
    }


def all_told(collector: SpanCollector) -> list[tuple[str, str]]:
    """Return the names of the spans and what they say, in an order of their own."""
    spans = [(span.name, repr(sorted(told(span).items()))) for span in collector.spans()]
    collector.clear()
    return sorted(spans)


@pytest.mark.parametrize("capture", [CaptureContent.NO_CONTENT, CaptureContent.SPAN_ONLY])
@pytest.mark.parametrize("call", [INVOKE, AINVOKE, STREAM], ids=str)
def test_what_is_told_early_is_what_is_told_late(call: Call, capture: CaptureContent) -> None:
    """Where a limit of values has each looked at late, spans say what they say without it."""
    found = []
    for limits in ({"max_span_attribute_length": 10**9}, {}):
        handler, collector, _ = recorded(
            capture_content=capture, tags=True, metadata_keys=["tenant"], **limits
        )
        Reporter().invoke("x", {"callbacks": [handler]})
        config: Any = {"callbacks": [handler]}
        for scenario in everything.scenarios(call):
            scenario.run(call, everything.config_of(config))
        found.append(all_told(collector))
    assert len(found[0]) > 20
    assert found[0] == found[1]


@pytest.mark.parametrize("limit", [8, 40, 60, 64, 128])
@pytest.mark.parametrize("many", [0, 10, 100])
def test_limits_hold_for_what_is_told_early(limit: int, many: int) -> None:
    """Whatever the limit, the second span of a model says what the first one says, whole."""
    params = {"model_name": "m", **{f"parameter_{number}": number for number in range(many)}}
    handler, collector, _ = recorded(max_span_attributes=limit)
    for _ in range(3):
        Reporter(params=params).invoke("x", {"callbacks": [handler]})
    first, *others = collector.spans()
    assert not any(span.dropped_attributes for span in (first, *others))
    assert all(told(span) == told(first) for span in others)


def test_what_the_application_adds_leaves_room_for_the_end() -> None:
    """Attributes that a body puts on its own span take none from what the end of it says."""

    class Adding(Reporter):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            """Fill the span, nearly."""
            for number in range(100):
                get_current_span().set_attribute(f"own.{number}", number)
            return super()._generate(*args, **kwargs)

    handler, collector, _ = recorded()
    for _ in range(2):
        Adding(params={"model_name": "m"}).invoke("x", {"callbacks": [handler]})
    for span in collector.spans():
        assert not span.dropped_attributes
        assert span.attributes["gen_ai.response.model"] == "m"
        assert span.attributes["own.0"] == 0


def test_processors_see_early_what_a_run_is_asked() -> None:
    """From the second run on all that a span has from its start is there when it starts."""
    handler, _, starts = recorded()
    for _ in range(2):
        model = Reporter(params={"model_name": "m", "temperature": 0.5})
        model.invoke([HumanMessage("x")], {"callbacks": [handler], "metadata": {"thread_id": "t"}})
    late, early = starts.told
    assert "gen_ai.request.temperature" not in late
    assert early["gen_ai.request.temperature"] == 0.5
    assert early["gen_ai.conversation.id"] == "t"
