"""Every line of a log that is written inside a run tells the run."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph

from nodespan.telemetry import add_run_context
from support.strangers import MODEL_CALLS, PLAIN_CALLS, Call, State, Talker

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from support.traced import Traced

Line = dict[str, Any]


def line() -> Line:
    """Return what a line that is written here is given."""
    return dict(add_run_context(None, "info", {}))


def spans_by_id(traced: Traced) -> dict[str, str]:
    """Return the names of the spans by `trace_id` and `span_id`."""
    return {f"{span.trace_id}/{span.span_id}": span.name for span in traced.spans}


def places(traced: Traced, lines: list[Line]) -> list[str]:
    """Return the names of the spans in which lines were written."""
    known = spans_by_id(traced)
    return [known[f"{told['trace_id']}/{told['span_id']}"] for told in lines]


@pytest.mark.parametrize("call", PLAIN_CALLS, ids=str)
def test_a_line_tells_trace_span_run_thread_and_node(traced: Traced, call: Call) -> None:
    """In a node, called in any way, all five are there, and are those of its span."""
    lines: list[Line] = []
    runs: list[str] = []

    def ask(_state: State, config: RunnableConfig) -> State:
        lines.append(line())
        runs.append(str(config["callbacks"].parent_run_id))
        return {}

    graph = StateGraph(State)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    call.run(graph.compile(InMemorySaver()), {"messages": []}, traced.thread("t-1"))
    assert places(traced, lines) == ["node ask"]
    told = lines[0]
    assert (told["thread_id"], told["node"], told["run_id"]) == ("t-1", "ask", runs[0])
    assert set(told) == {"trace_id", "span_id", "run_id", "thread_id", "node"}


def test_parallel_nodes_in_worker_threads_do_not_mix(traced: Traced) -> None:
    """Each node that runs in a thread of its own tells itself."""
    together = threading.Barrier(3, timeout=10)
    lines: dict[str, Line] = {}

    def node(name: str) -> Any:
        def body(_state: State) -> State:
            together.wait()
            lines[name] = line()
            together.wait()
            return {}

        return body

    graph = StateGraph(State)
    for name in ("a", "b", "c"):
        graph.add_node(name, node(name))
        graph.add_edge(START, name)
    graph.compile().invoke({"messages": []}, traced.config())
    assert {name: told["node"] for name, told in lines.items()} == {"a": "a", "b": "b", "c": "c"}
    assert places(traced, [lines["a"], lines["b"], lines["c"]]) == ["node a", "node b", "node c"]


def test_parallel_nodes_in_one_event_loop_do_not_mix(traced: Traced) -> None:
    """Each async node tells itself, before and after others have run."""
    lines: dict[str, list[Line]] = {"a": [], "b": []}

    def node(name: str) -> Any:
        async def body(_state: State) -> State:
            for _ in range(3):
                lines[name].append(line())
                await asyncio.sleep(0)
            return {}

        return body

    graph = StateGraph(State)
    for name in lines:
        graph.add_node(name, node(name))
        graph.add_edge(START, name)
    asyncio.run(graph.compile().ainvoke({"messages": []}, traced.config()))
    assert {told["node"] for told in lines["a"]} == {"a"}
    assert {told["node"] for told in lines["b"]} == {"b"}


def test_a_worker_thread_that_is_given_the_context_tells_the_run(traced: Traced) -> None:
    """A pool of the application's own, handed the context, writes lines of the run."""
    lines: list[Line] = []

    def ask(_state: State) -> State:
        with ThreadPoolExecutor() as pool:
            lines.append(pool.submit(copy_context().run, line).result())
        return {}

    graph = StateGraph(State)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    graph.compile().invoke({"messages": []}, traced.config())
    assert places(traced, lines) == ["node ask"]


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
@pytest.mark.parametrize("call", MODEL_CALLS, ids=str)
def test_a_line_in_a_models_body_tells_the_models_run(traced: Traced, call: Call) -> None:
    """Until the first chunk, and in every way to call a model, its own run is told."""
    lines: list[Line] = []

    def looks(_body: str, given: int) -> None:
        if not given:
            lines.append(line())

    call.run(Talker(looks=looks), "hello", traced.config())
    assert set(places(traced, lines)) == {"chat talker"}


def test_a_line_in_a_tool_tells_the_tools_run_and_the_node(traced: Traced) -> None:
    """A tool that a node calls has a run of its own, in the node."""
    lines: list[Line] = []

    @tool
    def look() -> str:
        """Look."""
        lines.append(line())
        return ""

    def ask(_state: State) -> State:
        look.invoke({})
        lines.append(line())
        return {}

    graph = StateGraph(State)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    graph.compile().invoke({"messages": []}, traced.config())
    assert places(traced, lines) == ["execute_tool look", "node ask"]
    assert lines[0]["node"] == lines[1]["node"] == "ask"
    assert lines[0]["run_id"] != lines[1]["run_id"]


@pytest.mark.parametrize("call", PLAIN_CALLS, ids=str)
def test_a_line_in_a_plain_chain_tells_its_root(traced: Traced, call: Call) -> None:
    """A function that is its own root, and one inside a chain, tell the run with the span."""
    lines: list[Line] = []

    def note(text: str) -> str:
        lines.append(line())
        return text

    call.run(RunnableLambda(note, name="alone"), "hello", traced.config())
    chain = (RunnableLambda(note) | RunnableLambda(note)).with_config(run_name="both")
    call.run(chain, "hello", traced.config())
    assert places(traced, lines) == ["alone", "both", "both"]
    assert lines[1]["run_id"] == lines[2]["run_id"]


def test_the_applications_own_span_is_told_with_the_run(traced: Traced) -> None:
    """In a span of the application inside a node, the line has that span, and the node's run."""
    lines: list[Line] = []

    def ask(_state: State) -> State:
        with traced.tracer.start_as_current_span("own"):
            lines.append(line())
        return {}

    graph = StateGraph(State)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    graph.compile().invoke({"messages": []}, traced.config())
    assert places(traced, lines) == ["own"]
    assert lines[0]["node"] == "ask"


def test_a_line_outside_of_runs_tells_none(traced: Traced) -> None:
    """Before, between and after runs there is no run; a span of the application is told."""
    config = traced.config()
    lines = [line()]
    for _ in Talker().stream("hello", config):
        lines.append(line())  # noqa: PERF401 - between the chunks
    lines.append(line())
    assert lines == [{}] * len(lines)
    with traced.tracer.start_as_current_span("own"):
        assert set(line()) == {"trace_id", "span_id"}


def test_a_task_that_outlives_its_node_tells_it_no_longer(traced: Traced) -> None:
    """A background task writes lines of the run for as long as the run is open."""
    lines: list[Line] = []
    tasks: list[asyncio.Task[None]] = []
    is_over = asyncio.Event()

    async def background() -> None:
        lines.append(line())
        await is_over.wait()
        lines.append(line())

    async def ask(_state: State) -> State:
        tasks.append(asyncio.create_task(background()))
        await asyncio.sleep(0)
        return {}

    async def main() -> None:
        graph = StateGraph(State)
        graph.add_node("ask", ask)
        graph.add_edge(START, "ask")
        await graph.compile().ainvoke({"messages": []}, traced.config())
        is_over.set()
        await tasks[0]

    asyncio.run(main())
    assert (lines[0].get("node"), lines[1]) == ("ask", {})


def test_what_a_line_has_already_stays(traced: Traced) -> None:
    """A field that the application sets under one of the names is the application's."""
    with traced.tracer.start_as_current_span("own"):
        told = add_run_context(None, "info", {"trace_id": "mine", "event": "e"})
    assert (told["trace_id"], told["event"]) == ("mine", "e")
    assert "span_id" in told
