"""What goes on now can be read at any time, is bounded, and is told once."""

from __future__ import annotations

import os
import sys
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.graph import StateGraph
from opentelemetry.sdk import metrics as sdk
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

from nodespan.telemetry import ConfigurationError, OpenTelemetryCallbackHandler
from nodespan.telemetry._metrics.attribute_sets import AttributeSet
from nodespan.telemetry._metrics.live import LiveRun, LiveRuns
from nodespan.telemetry._metrics.series import MAX_VALUES, OTHER, SeriesLimit
from nodespan.telemetry._stream.clock import StreamClock
from support.meters import collected, metered
from support.strangers import State, Talker

if TYPE_CHECKING:
    from collections.abc import Callable
    from subprocess import CompletedProcess

    from support.meters import Metered

    RunPython = Callable[..., CompletedProcess[str]]

OPEN = "nodespan.runs.open"
OLDEST = "nodespan.runs.oldest.age"
CHUNKS = "nodespan.stream.chunks"
STALLED = "nodespan.streams.stalled"
STALLS = "nodespan.stream.stalls"
DURATION = "gen_ai.client.operation.duration"
TOOL_DURATION = "gen_ai.execute_tool.duration"


def open_runs(meter: Metered) -> dict[str, int]:
    """Return how many runs are open, by kind, where any are."""
    points = meter.points(OPEN)
    return {p.attributes["nodespan.run.kind"]: p.value for p in points if p.value}


def test_open_runs_are_told_by_kind() -> None:
    """A run counts from its start to its end, under the operation that it is."""
    seen: list[dict[str, int]] = []
    with metered() as meter:
        model = Talker(looks=lambda _, given: seen.append(open_runs(meter)) if given else None)
        graph = StateGraph(State)
        graph.add_node("ask", lambda _: list(model.stream("hello")) and {})
        graph.set_entry_point("ask")
        graph.compile().invoke({"messages": []}, meter.config)
        assert seen[0] == {"workflow": 1, "node": 1, "chat": 1}
        assert open_runs(meter) == {}
        operations = {
            point.attributes["nodespan.run.kind"]: point.attributes.get("gen_ai.operation.name")
            for point in meter.points(OPEN)
        }
    assert operations == {"workflow": "invoke_workflow", "node": None, "chat": "chat"}


def test_the_age_of_the_oldest_open_run_is_told_by_kind() -> None:
    """It grows while the run goes on, is that of the oldest of them, and then nothing."""
    seen: list[dict[str, float]] = []

    def ages() -> dict[str, float]:
        return {p.attributes["nodespan.run.kind"]: p.value for p in meter.points(OLDEST)}

    with metered() as meter:
        graph = StateGraph(State)
        graph.add_node("wait", lambda _: seen.extend((ages(), ages())))
        graph.set_entry_point("wait")
        graph.compile().invoke({"messages": []}, meter.config)
        first, second = seen
        assert 0 < first["node"] < first["workflow"] < second["workflow"]
        assert ages() == {"workflow": 0, "node": 0}


def test_chunks_are_told_while_they_come() -> None:
    """The sum grows in mid-stream, and stays where it is afterwards."""
    with metered() as meter:
        stream = Talker(answer="word " * 500).stream("hello", meter.config)
        for chunks in range(1, 200):
            next(stream)
            if chunks % 50 == 0:
                assert meter.only(CHUNKS).value == chunks
        list(stream)
        assert meter.only(CHUNKS).value == 500
        list(Talker(answer="one two").stream("hello", meter.config))
        assert meter.only(CHUNKS).value == 502


def test_a_sum_never_shrinks() -> None:
    """A clock that is read in mid-fold tells too few chunks; the sum does not go back to them."""
    live, clock, series = LiveRuns(), StreamClock(0), (("m", "x"),)
    attributes = AttributeSet(dict(series), SeriesLimit())
    live.open(1, LiveRun(attributes, attributes, clock))
    for now in range(10):
        clock.tick(now)
    assert live.chunks() == {series: 10}
    del clock.pending[:]
    assert live.chunks() == {series: 10}


def test_stalls_are_found_where_they_were() -> None:
    """A stream that waits is told at once; afterwards its span has the place of each stall."""
    with metered(stall_threshold=0.3) as meter:
        stream = Talker(answer="one two three four").stream("hello", meter.config)
        next(stream)
        assert meter.only(STALLED).value == 0
        waited = _wait_until_stalled(meter)
        list(stream)
        assert meter.only(STALLED).value == 0
        assert meter.only(STALLS).value == 1
        (span,) = meter.captured.spans
    assert span.attributes["nodespan.stream.stalls"] == 1
    (stall,) = [event for event in span.events if event.name == "nodespan.stream.stall"]
    assert stall.attributes["nodespan.stream.stall.chunk"] == 1
    assert 0.3 < stall.attributes["nodespan.stream.stall.duration"] >= waited
    first = span.start_ns + span.attributes["gen_ai.response.time_to_first_chunk"] * 1e9
    assert stall.time_ns == pytest.approx(first, abs=1_000)
    assert [event.time_ns for event in span.events] == sorted(e.time_ns for e in span.events)


def _wait_until_stalled(meter: Metered) -> float:
    from time import perf_counter, sleep  # noqa: PLC0415

    start = perf_counter()
    while meter.only(STALLED).value == 0:
        sleep(0.01)
        assert perf_counter() - start < 10
    return perf_counter() - start


@pytest.mark.parametrize("value", [0, -1, float("nan"), "2", True])
def test_a_threshold_must_be_a_time(value: Any) -> None:
    """A threshold that is no time above 0 is refused by name."""
    with pytest.raises(ConfigurationError, match=f"stall_threshold is {value!r}"):
        OpenTelemetryCallbackHandler(stall_threshold=value)


@pytest.mark.slow
def test_many_models_make_no_more_than_so_many_series() -> None:
    """Beyond a hundred values an attribute is told as another; no call is lost."""
    names = count()
    with metered() as meter:
        for _ in range(400):
            Talker(model_name=f"model-{next(names)}").invoke("hello", meter.config)
        points = meter.points(DURATION)
        assert len(points) == MAX_VALUES + 1
        assert sum(point.count for point in points) == 400
        rest = {"gen_ai.request.model": OTHER}
        assert meter.only(DURATION, rest).count == 400 - MAX_VALUES
        assert len(meter.points(CHUNKS)) <= MAX_VALUES + 1


@pytest.mark.slow
def test_many_errors_make_no_more_than_so_many_series() -> None:
    """The same holds for the types of errors, and the names of tools."""
    with metered() as meter:
        for number in range(150):
            error = type(f"Error{number}", (Exception,), {})

            @tool(f"tool-{number}")
            def fail(error: type[Exception] = error) -> None:
                """Fail."""
                raise error

            with pytest.raises(error):
                fail.invoke({}, meter.config)
        points = meter.points(TOOL_DURATION)
        assert len(points) <= MAX_VALUES + 1
        assert sum(point.count for point in points) == 150


def test_evictions_and_troubles_are_counted() -> None:
    """Runs that gave way, and what went wrong in telemetry, are metrics themselves."""
    with metered(max_open_runs=2) as meter:
        handler = meter.captured.handler
        handler.raise_error = False
        streams = [Talker().stream("hello", meter.config) for _ in range(4)]
        for stream in streams:
            next(stream)
        assert meter.only("nodespan.runs.evicted").value == 2
        for stream in streams:
            list(stream)
        handler.diagnostics.report("a test went wrong")
        trouble = {"nodespan.trouble": "a test went wrong"}
        assert meter.only("nodespan.telemetry.errors", trouble).value == 1
        assert len(meter.points("nodespan.telemetry.errors")) == 1
        handler.diagnostics._counts.clear()


def test_a_run_that_two_handlers_see_is_measured_once() -> None:
    """Handlers of one meter provider measure each run once, be they given twice or be they two."""
    with metered() as meter:
        other = OpenTelemetryCallbackHandler(
            tracer_provider=TracerProvider(shutdown_on_exit=False), meter_provider=meter.provider
        )
        handlers = [meter.captured.handler, other, meter.captured.handler]
        list(Talker(answer="one two three").stream("hello", {"callbacks": handlers}))
        assert meter.only(DURATION).count == 1
        assert meter.only("gen_ai.client.operation.time_per_output_chunk").count == 2
        assert meter.only(CHUNKS).value == 3


def test_a_handler_for_each_call_makes_one_sum() -> None:
    """Sums are the meter provider's: they outlive the handlers that have added to them."""
    reader = InMemoryMetricReader()
    provider = sdk.MeterProvider([reader], shutdown_on_exit=False)
    tracers = TracerProvider(shutdown_on_exit=False)
    for _ in range(3):
        handler = OpenTelemetryCallbackHandler(tracer_provider=tracers, meter_provider=provider)
        list(Talker(answer="one two").stream("hello", {"callbacks": [handler]}))
    (point,) = collected(reader)[CHUNKS].data.data_points
    assert point.value == 6


def test_runs_beneath_others_are_measured_with_them() -> None:
    """A chain's model is measured like any other."""
    with metered() as meter:
        chain = RunnableLambda(lambda text: text) | Talker()
        chain.invoke("hello", meter.config)
        assert meter.only(DURATION).count == 1


def test_a_global_provider_may_be_set_late(run_python: RunPython) -> None:
    """A handler measures from when on there is a global meter provider."""
    result = run_python("""
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from opentelemetry import metrics
from nodespan.telemetry import OpenTelemetryCallbackHandler

@tool
def weigh(word: str) -> int:
    "Weigh a word."
    return len(word)

config = {"callbacks": [OpenTelemetryCallbackHandler()]}
weigh.invoke({"word": "owl"}, config)
import sys
assert "opentelemetry.sdk.metrics" not in sys.modules
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
weigh.invoke({"word": "owl"}, config)
(of,) = reader.get_metrics_data().resource_metrics
names = {m.name: m for scope in of.scope_metrics for m in scope.metrics}
print([point.count for point in names["gen_ai.execute_tool.duration"].data.data_points])
""")
    assert (result.stdout, result.stderr) == ("[1]\n", "")


def test_a_disabled_sdk_measures_nothing(run_program: RunPython) -> None:
    """With `OTEL_SDK_DISABLED` runs are not kept for anybody."""
    code = """
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from langchain_core.runnables import RunnableLambda
from nodespan.telemetry import OpenTelemetryCallbackHandler

reader = InMemoryMetricReader()
handler = OpenTelemetryCallbackHandler(meter_provider=MeterProvider([reader]))
RunnableLambda(str).invoke(1, {"callbacks": [handler]})
print(reader.get_metrics_data())
"""
    result = run_program(code, OTEL_SDK_DISABLED="true")
    assert (result.stdout, result.stderr) == ("None\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python warns of forks with threads")
def test_a_forked_child_tells_only_of_itself() -> None:
    """What the parent has measured and has open is the parent's to tell."""
    with metered() as meter:
        stream = Talker(answer="one two").stream("hello", meter.config)
        list(Talker(answer="one two").stream("hello", meter.config))
        next(stream)
        child = os.fork()
        if child == 0:
            alone = open_runs(meter) == {} and meter.points(CHUNKS) == []
            list(Talker(answer="one two three").stream("hello", meter.config))
            os._exit(0 if alone and meter.only(CHUNKS).value == 3 else 1)
        _, status = os.waitpid(child, 0)
        assert status == 0
        list(stream)
        assert meter.only(CHUNKS).value == 4
