"""However many runs there are, and however they end, what is held has a bound."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.tools import StructuredTool
from langgraph.graph import StateGraph
from langgraph.types import RetryPolicy
from opentelemetry import trace

from nodespan.model import EchoChatModel
from nodespan.telemetry.testing import CapturedSpans, capture_spans
from support.strangers import Count, State, Talker

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.traced import Traced

KINDS = ("Run", "RunContext", "Body", "IdWatch", "TaskWatch", "ChunkCounter", "_Span")


@pytest.fixture
def only_new_objects() -> None:
    """Leave out, of what is counted, the half million objects that were there before."""
    gc.collect()
    gc.freeze()


def held() -> Counter[str]:
    """Count the objects of a run that are alive."""
    gc.collect()
    counted = Counter(type(each).__name__ for each in gc.get_objects())
    return Counter({kind: counted[kind] for kind in KINDS})


def graph_of(node: Any) -> Any:
    """Return a graph of one node."""
    graph = StateGraph(State)
    graph.add_node("ask", node)
    graph.set_entry_point("ask")
    return graph.compile()


async def wait(*_: Any) -> None:
    """Wait for longer than the test does."""
    await asyncio.sleep(60)


async def asking(_: State) -> State:
    """Ask a model."""
    return {"messages": [await Talker().ainvoke("hello")]}


async def waiting(_: State) -> State:
    """Ask a model that does not answer."""
    return {"messages": [await Talker(waits=wait).ainvoke("hello")]}


class Work:
    """All ways in which a run may go.

    Args:
        config: of each call.
    """

    def __init__(self, config: Any) -> None:
        self._config = config
        self._graph, self._stuck = graph_of(asking), graph_of(waiting)
        self._tool = StructuredTool.from_function(coroutine=waiting_tool)

    async def calls(self) -> None:
        """Make ten runs of models and tools, of which seven end badly."""
        await Talker().ainvoke("hello", self._config)
        [_ async for _ in Talker().astream("hello", self._config)]
        Talker().invoke("hello", self._config)
        with suppress(ValueError):
            await Talker(fails_with=ValueError("wrong")).ainvoke("hello", self._config)
        for call in (Talker(waits=wait).ainvoke("hi", self._config), self._use_tool()):
            with suppress(TimeoutError):
                async with asyncio.timeout(0):
                    await call
        await cancelled(Talker(waits=wait).ainvoke("hi", self._config))
        await cancelled(self._use_tool())
        stream = Talker().astream("hello", self._config)
        await anext(stream)
        await stream.aclose()
        for _ in Talker().stream("hello", self._config):
            break

    async def graphs(self) -> None:
        """Make nine runs of graphs and what is in them, of which six end badly."""
        given = {"messages": ["hello"]}
        await self._graph.ainvoke(given, self._config)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.001):
                await self._stuck.ainvoke(given, self._config)
        await cancelled(self._stuck.ainvoke(given, self._config))

    def _use_tool(self) -> Any:
        return self._tool.ainvoke({"word": "owl"}, self._config)


async def waiting_tool(word: str) -> str:
    """Wait."""
    await wait()
    return word


async def cancelled(call: Any) -> None:
    """Start a call in a task, and cancel it."""
    task = asyncio.create_task(call)
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def objects_after(work: Any, rounds: int, captured: CapturedSpans) -> int:
    """Return how many objects are alive after so many rounds of work."""

    async def run() -> None:
        for place in range(rounds):
            await work()
            if place % 50 == 0:
                captured.collector.clear()
        await asyncio.sleep(0.01)

    asyncio.run(run())
    captured.collector.clear()
    gc.collect()
    return len(gc.get_objects())


def remember_as_many_as_may_be(config: Any) -> None:
    """Make more tools and models than are remembered for what comes later: the last 1,024."""
    tool = StructuredTool.from_function(lambda word: word, name="echo", description="Echo.")
    model = EchoChatModel()
    for _ in range(1_100):
        tool.invoke({"word": "owl"}, config)
        model.invoke("owl", config)


@pytest.mark.slow
@pytest.mark.usefixtures("only_new_objects")
def test_nothing_is_held_after_many_calls(traced: Traced, caplog: pytest.LogCaptureFixture) -> None:
    """After hundreds of models and tools, most of them ended badly, no object is left of them."""
    caplog.set_level(logging.CRITICAL, "nodespan")  # pytest keeps every line
    work, rounds = Work(traced.config()).calls, 15
    remember_as_many_as_may_be(traced.config())
    counts = [objects_after(work, rounds, traced) for _ in range(4)]
    assert traced.handler.open_runs == 0
    # What leaks does so in each round; caches fill up once.
    assert min(late - early for early, late in pairwise(counts)) < rounds


@pytest.mark.usefixtures("only_new_objects")
@pytest.mark.slow
def test_nothing_is_held_after_many_graphs(traced: Traced) -> None:
    """After many graphs, most of them ended badly, nothing of them is alive."""
    before = held()
    objects_after(Work(traced.config()).graphs, 30, traced)
    assert traced.handler.open_runs == 0
    assert (held() - before) - Counter(RunContext=1, Body=1) == Counter()


@pytest.mark.end_to_end  # minutes; the tests above are the short way
def test_memory_is_flat_over_a_hundred_thousand_runs(
    traced: Traced, caplog: pytest.LogCaptureFixture
) -> None:
    """So it is after a hundred thousand runs of models, tools and graphs, most ended badly."""
    caplog.set_level(logging.CRITICAL, "nodespan")  # pytest keeps every line
    work = Work(traced.config())

    async def both() -> None:
        await work.calls()
        await work.graphs()

    remember_as_many_as_may_be(traced.config())
    objects_after(both, 100, traced)
    early = sys.getallocatedblocks()
    objects_after(both, 5_300, traced)
    late = sys.getallocatedblocks()
    assert traced.handler.open_runs == 0
    assert late - early < 5_300  # a block for each round of nineteen runs is what a leak leaves


@pytest.mark.usefixtures("only_new_objects")
def test_a_long_lived_context_holds_no_span(traced: Traced) -> None:
    """A task, or a thread, in which many models ran holds one empty layer of context."""
    before = held()

    async def run() -> None:
        for _ in range(50):
            await Talker().ainvoke("hello", traced.config())
        traced.collector.clear()
        assert (held() - before)["_Span"] == 0
        assert (held() - before)["RunContext"] <= 1

    asyncio.run(run())
    for _ in range(50):
        Talker().invoke("hello", traced.config())
    traced.collector.clear()
    assert (held() - before)["_Span"] == 0
    assert (held() - before)["RunContext"] <= 1
    assert trace.get_current_span() is trace.INVALID_SPAN


@pytest.mark.slow
@pytest.mark.usefixtures("only_new_objects")
def test_a_long_graph_holds_no_node_that_is_over(traced: Traced) -> None:
    """A graph of hundreds of steps, of which half are tried twice, holds what is open."""
    seen: list[int] = []

    def work(_: Count) -> Count:
        seen.append(1)
        if len(seen) % 3 == 0:
            raise ValueError("again")
        if len(seen) % 100 == 0:
            traced.collector.clear()
            counts.append(held()["Run"])
        return {"total": 1}

    counts: list[int] = []
    graph = StateGraph(Count)
    policy = RetryPolicy(initial_interval=0.0, jitter=False, retry_on=ValueError)
    graph.add_node("work", work, retry_policy=policy)
    graph.set_entry_point("work")
    graph.add_conditional_edges(
        "work", lambda state: "work" if state["total"] < 300 else "__end__", ["work", "__end__"]
    )
    graph.compile().invoke({"total": 0}, traced.config(recursion_limit=1_000))
    assert len(counts) >= 3
    assert max(counts) - min(counts) <= 2


def test_beyond_the_bound_the_oldest_runs_are_ended_and_counted() -> None:
    """Runs that nobody ends give way to new ones: oldest first, abandoned, and counted."""
    with capture_spans(max_open_runs=10) as captured:
        config: Any = {"callbacks": [captured.handler]}
        streams = [Talker(model_name=f"m{place}").stream("hi", config) for place in range(25)]
        for stream in streams:
            next(stream)
        assert captured.handler.open_runs == 10
        assert captured.tree == [f"chat m{place} [abandoned]" for place in range(15)]
        assert captured.handler.diagnostics.counts == {"open run evicted": 15}
        for stream in streams:
            stream.close()
        assert captured.handler.open_runs == 0
        assert len(captured.spans) == 25


def test_a_run_does_not_give_way_to_its_own_children() -> None:
    """The bound holds in one trace as well: what is above the newest run stays."""
    with capture_spans(max_open_runs=5) as captured:
        config: Any = {"callbacks": [captured.handler]}

        def ask(_: State) -> State:
            streams = [Talker(model_name=f"m{place}").stream("hi") for place in range(8)]
            for stream in streams:
                next(stream)
            return {"messages": ["done"]}

        graph_of(ask).invoke({"messages": ["hello"]}, config)
        assert captured.handler.open_runs == 0
        assert captured.tree == [
            "invoke_workflow LangGraph",
            "  node ask",
            *(f"    chat m{place} [abandoned]" for place in range(8)),
        ]
        assert captured.handler.diagnostics.counts == {"open run evicted": 5}


def test_an_evicted_graph_takes_what_is_beneath_it_along() -> None:
    """What ran beneath an evicted run is ended with it, and counted with it."""
    with capture_spans(max_open_runs=4) as captured:
        config: Any = {"callbacks": [captured.handler]}
        inner = graph_of(lambda _: {"messages": [Talker().invoke("hello")]})
        stream = inner.stream({"messages": ["hello"]}, config, stream_mode="messages")
        next(stream)
        others = [Talker(model_name="other").stream("hi", config) for _ in range(4)]
        for other in others:
            next(other)
        stream.close()
        for other in others:
            other.close()
        assert captured.handler.open_runs == 0
        assert captured.tree[0] == "invoke_workflow LangGraph [abandoned]"


@pytest.mark.slow
def test_sixty_four_threads_at_once(traced: Traced) -> None:
    """Threads that run graphs, models and tools at once make each their own trace."""

    def look_up(word: str) -> str:
        """Look a word up."""
        return word

    tool = StructuredTool.from_function(look_up)

    def ask(_: State) -> State:
        tool.invoke({"word": "owl"})
        return {"messages": [Talker().invoke("hello")]}

    graph, rounds, threads = graph_of(ask), 3, 64

    def call(place: int) -> None:
        for _ in range(rounds):
            with traced.tracer.start_as_current_span(f"thread {place:02}"):
                graph.invoke({"messages": ["hello"]}, traced.config())
            assert trace.get_current_span() is trace.INVALID_SPAN

    with ThreadPoolExecutor(threads) as workers:
        for done in [workers.submit(call, place) for place in range(threads)]:
            done.result()
    expected = [
        line
        for place in range(threads)
        for line in [
            f"thread {place:02}",
            "  invoke_workflow LangGraph",
            "    node ask",
            "      execute_tool look_up",
            "      chat talker",
        ]
        * rounds
    ]
    assert sorted(traced.tree) == sorted(expected)
    by_trace = Counter(span.trace_id for span in traced.spans)
    assert len(by_trace) == threads * rounds
    assert set(by_trace.values()) == {5}


@pytest.mark.slow
def test_threads_that_share_a_stream_of_runs_end_each_once(traced: Traced) -> None:
    """Runs that are started in one thread and ended in another, under load, end exactly once."""

    def take(_: int) -> None:
        streams = [Talker().stream("hello", traced.config()) for _ in range(20)]
        for stream in streams:
            next(stream)
        with ThreadPoolExecutor(4) as closers:
            list(closers.map(lambda stream: stream.close(), streams))

    with ThreadPoolExecutor(8) as workers:
        list(workers.map(take, range(8)))
    assert traced.tree == ["chat talker [abandoned]"] * 160


def ways_to_be_told() -> list[Callable[[Traced], Any]]:
    """Return the ways in which a handler is given twice, and one that is given once."""
    return [
        lambda traced: (Talker(), [traced.handler]),
        lambda traced: (Talker(), [traced.handler, traced.handler]),
        lambda traced: (Talker(callbacks=[traced.handler]), [traced.handler]),
        lambda traced: (Talker().with_config(callbacks=[traced.handler]), [traced.handler]),
    ]


@pytest.mark.parametrize("told", ways_to_be_told())
@pytest.mark.parametrize("way", ["stream", "astream", "own tokens"])
def test_each_chunk_counts_once(traced: Traced, told: Any, way: str) -> None:
    """A handler that is given twice counts each chunk, and each token without one, once."""
    model, callbacks = told(traced)
    config: Any = {"callbacks": callbacks}

    async def run() -> None:
        [_ async for _ in model.astream("hello", config)]

    if way == "own tokens":
        bound = getattr(model, "bound", model)
        bound.reports_tokens = True
        model.invoke("hello", config)
    elif way == "stream":
        list(model.stream("hello", config))
    else:
        asyncio.run(run())
    [span] = traced.spans
    assert span.attributes["nodespan.stream.chunks"] == 3
