"""What a run costs, counted: the calls of Python functions of our own."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from langgraph.graph import START, StateGraph
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

from nodespan import telemetry
from nodespan.telemetry import OpenTelemetryCallbackHandler
from support.strangers import State, Talker

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

OURS = str(Path(telemetry.__file__).parent)
# Values wait for each other to be counted, 32 at a time: over so many runs all have been.
RUNS = 32
ASKED: Any = {"messages": ["hello"]}
TALKER = Talker(reports_usage=True)


def five_spans() -> Any:
    """Return a graph of three nodes, of which one asks a model."""
    graph = StateGraph(State)
    graph.add_node("plan", lambda _: {})
    graph.add_node("answer", lambda state: {"messages": [TALKER.invoke(state["messages"])]})
    graph.add_node("check", lambda _: {})
    for before, after in ((START, "plan"), ("plan", "answer"), ("answer", "check")):
        graph.add_edge(before, after)
    return graph.compile()


def handler(*, is_sampled: bool, has_metrics: bool) -> OpenTelemetryCallbackHandler:
    """Return a handler whose spans go nowhere."""
    sampler = ALWAYS_ON if is_sampled else ALWAYS_OFF
    meters = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    return OpenTelemetryCallbackHandler(
        tracer_provider=TracerProvider(sampler=sampler, shutdown_on_exit=False),
        meter_provider=meters if has_metrics else NoOpMeterProvider(),
    )


def calls_of(run: Callable[[], object], config: Any) -> Counter[str]:
    """Return how often each function of ours is called, over many runs of a handler's."""
    counted: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(OURS):
            counted[frame.f_code.co_qualname] += 1

    # While a stream is open, the thread that looks for stalls runs: none of the runs starts it.
    stream = TALKER.stream("hello", config)
    next(stream)
    run()  # what is made once is made
    gc.collect()  # what others have left is none of these calls
    gc.disable()
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        for _ in range(RUNS):
            run()
    finally:
        sys.setprofile(before)
        gc.enable()
        stream.close()
    return counted


@pytest.mark.parametrize(
    ("is_sampled", "has_metrics", "most"),
    [(True, True, 337), (True, False, 301), (False, False, 225)],
    ids=["sampled", "sampled, without metrics", "not sampled"],
)
def test_a_run_of_five_spans_is_few_calls(
    *, is_sampled: bool, has_metrics: bool, most: int
) -> None:
    """A graph of three nodes with one call of a model: so many calls of ours, and no more."""
    graph, config = (
        five_spans(),
        {"callbacks": [handler(is_sampled=is_sampled, has_metrics=has_metrics)]},
    )
    counted = calls_of(lambda: graph.invoke(ASKED, config), config)
    assert counted.total() <= most * RUNS, counted.most_common(40)


def test_a_call_of_a_model_is_few_calls() -> None:
    """So with a model that is called by itself."""
    config: Any = {"callbacks": [handler(is_sampled=True, has_metrics=True)]}
    counted = calls_of(lambda: TALKER.invoke("hello", config), config)
    assert counted.total() <= 124 * RUNS, counted.most_common(40)
