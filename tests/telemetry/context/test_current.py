"""Spans of people's own hang where they were opened, and nothing is left current after a call."""

from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import StructuredTool
from langgraph.graph import StateGraph
from langgraph.prebuilt import ToolNode
from opentelemetry import baggage, context, trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from support.strangers import (
    AEVENTS_V3,
    AINVOKE,
    ASTREAM,
    EVENTS_V2,
    EVENTS_V3,
    GRAPH_CALLS,
    INVOKE,
    MODEL_CALLS,
    STREAM,
    Call,
    Completer,
    State,
    Talker,
    unchanged_context,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.runnables import Runnable

    from support.traced import Traced

pytestmark = [
    # LangChain says so of each of its v3 streams.
    pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning"),
]

GREETING = {"messages": ["hello"]}
BOTH = pytest.mark.parametrize("call", [INVOKE, AINVOKE], ids=str)
ASYNC_CALLS = (AINVOKE, ASTREAM, EVENTS_V2, AEVENTS_V3)


def graph_of(node: Any, anode: Any = None) -> Any:
    """Return a graph of one node, native in both ways where it is given twice."""
    graph = StateGraph(State)
    graph.add_node("ask", RunnableLambda(node, anode) if anode is not None else node)
    graph.set_entry_point("ask")
    return graph.compile()


def opens(traced: Traced, name: str = "own") -> None:
    """Open a span of the application and close it again."""
    with traced.tracer.start_as_current_span(name):
        pass


def looking_tool(look: Callable[[], None]) -> StructuredTool:
    """Return a tool that looks, natively in both ways."""

    def run(word: str) -> str:
        """Look a word up."""
        look()
        return word

    async def arun(word: str) -> str:
        await asyncio.sleep(0)
        look()
        return word

    return StructuredTool.from_function(run, arun, name="look_up")


@pytest.mark.parametrize("call", GRAPH_CALLS, ids=str)
def test_a_span_opened_in_a_node_is_beneath_it(traced: Traced, call: Call) -> None:
    """A span of the application inside a node, before and after a model's call, is its child."""

    def ask(_: State) -> State:
        opens(traced, "before")
        answer = Talker().invoke("hello")
        opens(traced, "after")
        return {"messages": [answer]}

    async def aask(_: State) -> State:
        await asyncio.sleep(0)
        opens(traced, "before")
        answer = await Talker().ainvoke("hello")
        opens(traced, "after")
        return {"messages": [answer]}

    graph = StateGraph(State)
    graph.add_node("ask", RunnableLambda(ask, aask))
    graph.set_entry_point("ask")
    call.run(graph.compile(), GREETING, traced.config())
    assert traced.tree == [
        "invoke_workflow LangGraph",
        "  node ask",
        "    before",
        "    chat talker",
        "    after",
    ]


@BOTH
def test_a_span_opened_in_a_tool_is_beneath_it(traced: Traced, call: Call) -> None:
    """A span of the application inside a tool is the tool's child, alone or in a tool node."""
    tool = looking_tool(lambda: opens(traced))
    call.run(tool, {"word": "owl"}, traced.config())
    graph = StateGraph(State)
    asked = {"name": "look_up", "args": {"word": "owl"}, "id": "call-1", "type": "tool_call"}
    message = AIMessageChunk("", tool_calls=[asked])
    graph.add_node("tools", ToolNode([tool]))
    graph.set_entry_point("tools")
    call.run(graph.compile(), {"messages": [message]}, traced.config())
    assert traced.tree == [
        "execute_tool look_up",
        "  own",
        "invoke_workflow LangGraph",
        "  node tools",
        "    execute_tool look_up",
        "      own",
    ]


BODIES = {
    INVOKE: "_generate",
    AINVOKE: "_agenerate",
    STREAM: "_stream",
    ASTREAM: "_astream",
    EVENTS_V2: "_astream",
    EVENTS_V3: "_stream",
    AEVENTS_V3: "_astream",
}


@pytest.mark.parametrize("call", MODEL_CALLS, ids=str)
def test_a_span_opened_in_a_models_body_is_beneath_it(traced: Traced, call: Call) -> None:
    """A span of the application in any of a model's bodies, before a chunk, is its child."""
    seen = []

    def look(body: str, given: int) -> None:
        seen.append(body)
        if given == 0:
            opens(traced, body)

    call.run(Talker(looks=look), "hello", traced.config())
    assert traced.tree == ["chat talker", f"  {BODIES[call]}"]
    assert set(seen) == {BODIES[call]}


COMPLETIONS = {INVOKE: "_call", AINVOKE: "_acall", STREAM: "_stream", ASTREAM: "_astream"}


@pytest.mark.parametrize("call", COMPLETIONS, ids=str)
@pytest.mark.parametrize("way", ["alone", "in a node"])
def test_a_span_opened_in_a_completion_models_body(traced: Traced, call: Call, way: str) -> None:
    """So it is with completion models; the start of an async call is told to `instrument` alone."""

    def look(body: str, given: int) -> None:
        if given == 0:
            opens(traced, body)

    model = Completer(looks=look)
    if way == "alone":
        call.run(model, "hello", traced.config())
    else:
        graph_of(lambda _: call.run(model, "hello", {}) and None).invoke(GREETING, traced.config())
    is_lost = call is AINVOKE and traced.way_in == "handler"
    expected = ["text_completion Completer", f"  {COMPLETIONS[call]}"]
    if way == "in a node":
        expected = [
            "invoke_workflow LangGraph",
            "  node ask",
            *(f"    {line}" for line in expected),
        ]
    assert (traced.tree == expected) is not is_lost
    assert sorted(line.strip() for line in traced.tree) == sorted(line.strip() for line in expected)


@pytest.mark.parametrize("call", MODEL_CALLS, ids=str)
def test_a_span_opened_in_a_models_body_inside_a_node(traced: Traced, call: Call) -> None:
    """So it is where the model is called by a node, in any way."""

    def look(body: str, given: int) -> None:
        if given == 0:
            opens(traced, body)

    def ask(_: State) -> State:
        call.run(Talker(looks=look), "hello", {})
        return {"messages": ["done"]}

    graph_of(ask).invoke(GREETING, traced.config())
    assert traced.tree == [
        "invoke_workflow LangGraph",
        "  node ask",
        "    chat talker",
        f"      {BODIES[call]}",
    ]


@pytest.mark.parametrize("call", [STREAM, ASTREAM], ids=str)
@pytest.mark.parametrize("traced", ["instrument"], indirect=True)
def test_a_span_opened_in_mid_stream_is_beneath_the_model(traced: Traced, call: Call) -> None:
    """With `instrument`, the body of a model has its span after the first chunk too."""
    model = Talker(looks=lambda _, given: opens(traced, f"after {given}"))
    call.run(model, "hello", traced.config())
    assert traced.tree == ["chat talker", *(f"  after {given}" for given in range(5))]


@pytest.mark.parametrize("call", [*MODEL_CALLS, *GRAPH_CALLS], ids=str)
def test_the_outer_span_is_the_parent_of_the_root(traced: Traced, call: Call) -> None:
    """The root of a call inside a span of the application is that span's child."""
    is_model = call in MODEL_CALLS
    runnable = Talker() if is_model else graph_of(lambda _: {"messages": ["done"]})
    with traced.tracer.start_as_current_span("GET /chat"):
        call.run(runnable, "hello" if is_model else GREETING, traced.config())
    first = "  chat talker" if is_model else "  invoke_workflow LangGraph"
    assert traced.tree[:2] == ["GET /chat", first]


def test_the_outer_span_is_found_from_worker_threads(traced: Traced) -> None:
    """A call in a thread that was given the context has the outer span as its parent."""
    with traced.tracer.start_as_current_span("GET /chat"), ThreadPoolExecutor() as workers:
        given = [contextvars.copy_context() for _ in range(4)]
        calls = [
            workers.submit(each.run, Talker().invoke, "hello", traced.config()) for each in given
        ]
    assert all(call.done() for call in calls)
    assert traced.tree == ["GET /chat", *["  chat talker"] * 4]


@BOTH
def test_a_remote_span_is_the_parent_of_the_root(traced: Traced, call: Call) -> None:
    """A parent in another process, as a propagator has extracted it, is the root's parent."""
    remote = SpanContext(0x1234, 0x5678, is_remote=True, trace_flags=TraceFlags(1))
    token = context.attach(trace.set_span_in_context(NonRecordingSpan(remote)))
    try:
        call.run(graph_of(lambda _: {"messages": ["done"]}), GREETING, traced.config())
    finally:
        context.detach(token)
    root = traced.span("invoke_workflow LangGraph")
    assert (root.trace_id, root.parent_id) == (f"{0x1234:032x}", f"{0x5678:016x}")
    assert {span.trace_id for span in traced.spans} == {root.trace_id}


def stream_of(kind: str) -> tuple[Any, Any, dict[str, Any]]:
    """Return what to stream: a model, a graph of a model, or that graph's messages."""
    if kind == "model":
        return Talker(), "hello", {}
    model = Talker()

    def ask(_: State) -> State:
        return {"messages": [model.invoke("hello")]}

    async def aask(_: State) -> State:
        return {"messages": [await model.ainvoke("hello")]}

    mode = {"stream_mode": ["messages", "values"]} if kind == "messages" else {}
    return graph_of(ask, aask), GREETING, mode


@pytest.mark.parametrize("kind", ["model", "graph", "messages"])
def test_a_consumers_spans_are_its_own(traced: Traced, kind: str) -> None:
    """What the consumer of a stream does between its chunks is not beneath the run."""
    runnable, given, mode = stream_of(kind)
    with traced.tracer.start_as_current_span("consumer"):
        for _ in runnable.stream(given, traced.config(), **mode):
            opens(traced)
    roots = [line for line in traced.tree if not line.startswith("    ")]
    assert set(roots) - {"  own"} == {"consumer", roots[1]}
    assert traced.tree.count("  own") == sum("own" in line for line in traced.tree) > 0


@pytest.mark.parametrize("kind", ["model", "graph", "messages"])
def test_an_async_consumers_spans_are_its_own(traced: Traced, kind: str) -> None:
    """So it is with async streams."""
    runnable, given, mode = stream_of(kind)

    async def consume() -> None:
        with traced.tracer.start_as_current_span("consumer"), unchanged_context():
            async for _ in runnable.astream(given, traced.config(), **mode):
                opens(traced)

    asyncio.run(consume())
    assert traced.tree.count("  own") == sum("own" in line for line in traced.tree) > 0


@BOTH
def test_calls_inside_the_applications_span_hang_under_it(traced: Traced, call: Call) -> None:
    """A model, a tool, a chain, a graph that a node calls inside a span of its own is beneath."""
    tool, inner = looking_tool(lambda: None), graph_of(lambda _: {"messages": ["done"]})

    def ask(_: State) -> State:
        with traced.tracer.start_as_current_span("own"):
            (RunnableLambda(lambda text: text) | Talker()).invoke("hello")
            tool.invoke({"word": "owl"})
            inner.invoke(GREETING)
            Talker().with_fallbacks([Talker()]).invoke("hello")
        return {"messages": [Talker(model_name="other").invoke("hello")]}

    async def aask(_: State) -> State:
        with traced.tracer.start_as_current_span("own"):
            await (RunnableLambda(lambda text: text) | Talker()).ainvoke("hello")
            await tool.ainvoke({"word": "owl"})
            await inner.ainvoke(GREETING)
            await Talker().with_fallbacks([Talker()]).ainvoke("hello")
        return {"messages": [await Talker(model_name="other").ainvoke("hello")]}

    call.run(graph_of(ask, aask), GREETING, traced.config())
    assert traced.tree == [
        "invoke_workflow LangGraph",
        "  node ask",
        "    own",
        "      chat talker",
        "      execute_tool look_up",
        "      invoke_workflow LangGraph",
        "        node ask",
        "      RunnableWithFallbacks",
        "        chat talker",
        "    chat other",
    ]


@BOTH
def test_a_models_own_calls_hang_under_its_spans(traced: Traced, call: Call) -> None:
    """A model that calls another in its body has it beneath, in its own span where it opens one."""

    def look(_body: str, _given: int) -> None:
        with traced.tracer.start_as_current_span("route"):
            Talker(model_name="inner").invoke("hello")

    call.run(
        graph_of(lambda _: {"messages": [Talker(looks=look).invoke("hi")]}),
        GREETING,
        traced.config(),
    )
    assert traced.tree[2:] == ["    chat talker", "      route", "        chat inner"]


@BOTH
@pytest.mark.parametrize("calls", [Talker(model_name="inner"), RunnableLambda(str) | Talker()])
def test_a_model_that_calls_another_has_it_beneath(
    traced: Traced, call: Call, calls: Runnable[Any, Any]
) -> None:
    """LangChain does not tell it so; a chain around the other is noise, here as elsewhere."""

    def look(_body: str, _given: int) -> None:
        calls.invoke("hello")

    outer = Talker(model_name="outer", looks=look)

    def ask(_: State) -> State:
        return {"messages": [outer.invoke("hi")]}

    async def aask(_: State) -> State:
        return {"messages": [await outer.ainvoke("hi")]}

    call.run(graph_of(ask, aask), GREETING, traced.config())
    model = getattr(calls, "model_name", "talker")
    assert traced.tree[2:] == ["    chat outer", f"      chat {model}"]


@pytest.mark.parametrize("around", ["root", "node"])
def test_models_that_one_call_starts_are_beside_each_other(traced: Traced, around: str) -> None:
    """One call takes several prompts, and starts a run for each before it executes the first."""

    def ask(_: State, config: RunnableConfig) -> State:
        prompts = [[HumanMessage("hello")], [HumanMessage("goodbye")]]
        Talker().generate(prompts, callbacks=config.get("callbacks"))
        return {"messages": []}

    if around == "root":
        ask({}, traced.config())
        assert traced.tree == ["chat talker", "chat talker"]
    else:
        graph_of(ask).invoke(GREETING, traced.config())
        assert traced.tree[2:] == ["    chat talker", "    chat talker"]


def test_concurrent_nodes_do_not_mix(traced: Traced) -> None:
    """Spans opened in models and tools that run at once are each beneath their own."""

    async def look(_body: str, _given: int) -> None:
        await asyncio.sleep(0.001)

    async def ask(_: State) -> State:
        async def one(place: int) -> None:
            with traced.tracer.start_as_current_span(f"own {place}"):
                await asyncio.sleep(0.001)
                await Talker(model_name=f"m{place}", waits=look).ainvoke("hello")

        await asyncio.gather(*(one(place) for place in range(5)))
        return {"messages": ["done"]}

    asyncio.run(graph_of(ask).ainvoke(GREETING, traced.config()))
    pairs = [pair for place in range(5) for pair in (f"    own {place}", f"      chat m{place}")]
    assert traced.tree[2:] == pairs


@BOTH
def test_baggage_is_seen_in_every_body_beneath(traced: Traced, call: Call) -> None:
    """What the caller, or a node, sets is visible beneath, and does not leak out."""
    seen: dict[str, tuple[Any, Any]] = {}

    def look(where: str) -> None:
        seen[where] = (baggage.get_baggage("user"), baggage.get_baggage("step"))

    tool = looking_tool(lambda: look("tool"))
    model = Talker(looks=lambda body, _: look(body))

    def ask(_: State) -> State:
        look("node")
        context.attach(baggage.set_baggage("step", "ask"))
        model.invoke("hello")
        tool.invoke({"word": "owl"})
        return {"messages": ["done"]}

    async def aask(_: State) -> State:
        look("node")
        context.attach(baggage.set_baggage("step", "ask"))
        await model.ainvoke("hello")
        await tool.ainvoke({"word": "owl"})
        return {"messages": ["done"]}

    async def outer() -> None:
        token = context.attach(baggage.set_baggage("user", "ada"))
        await graph_of(ask, aask).ainvoke(GREETING, traced.config())
        look("after")
        context.detach(token)

    if call is AINVOKE:
        asyncio.run(outer())
    else:
        token = context.attach(baggage.set_baggage("user", "ada"))
        graph_of(ask, aask).invoke(GREETING, traced.config())
        look("after")
        context.detach(token)
    body = "_agenerate" if call is AINVOKE else "_generate"
    inside = ("ada", "ask")
    assert seen == {"node": ("ada", None), body: inside, "tool": inside, "after": ("ada", None)}
    assert baggage.get_baggage("user") is None


def test_a_node_that_leaves_its_span_attached_leaves_nothing_current(traced: Traced) -> None:
    """A context that a node attaches and forgets is gone with the node."""

    def ask(_: State) -> State:
        span = traced.tracer.start_span("forgotten")
        context.attach(trace.set_span_in_context(span))
        span.end()
        return {"messages": ["done"]}

    INVOKE.run(graph_of(ask), GREETING, traced.config())
    opens(traced)
    assert traced.tree[-1] == "own"


def test_a_task_that_outlives_its_node_stays_beneath_it(traced: Traced) -> None:
    """A model that a node does not wait for ends when it ends, in the trace of the node."""
    tasks = []

    async def ask(_: State) -> State:
        async def wait(_body: str, _given: int) -> None:
            await done.wait()

        done = asyncio.Event()
        tasks.append((asyncio.create_task(Talker(waits=wait).ainvoke("hello")), done))
        await asyncio.sleep(0)
        return {"messages": ["done"]}

    async def run() -> None:
        await graph_of(ask).ainvoke(GREETING, traced.config())
        [(task, done)] = tasks
        done.set()
        await task

    asyncio.run(run())
    assert traced.tree == ["invoke_workflow LangGraph", "  node ask", "    chat talker"]
    chat, node = traced.span("chat talker"), traced.span("node ask")
    assert chat.end_ns is not None
    assert node.end_ns is not None
    assert chat.end_ns > node.end_ns


def test_a_task_that_starts_after_its_node_has_ended_is_beneath_it(traced: Traced) -> None:
    """The calls of a background task are in the trace of the node that started it."""
    tasks = []

    async def ask(_: State) -> State:
        async def later() -> None:
            await done.wait()
            await Talker().ainvoke("hello")

        done = asyncio.Event()
        tasks.append((asyncio.create_task(later()), done))
        return {"messages": ["done"]}

    async def run() -> None:
        await graph_of(ask).ainvoke(GREETING, traced.config())
        [(task, done)] = tasks
        done.set()
        await task

    asyncio.run(run())
    assert traced.tree == ["invoke_workflow LangGraph", "  node ask", "    chat talker"]


def test_a_thread_that_starts_after_its_node_has_ended_is_beneath_it(traced: Traced) -> None:
    """A thread that was given the node's config has its calls beneath the node."""
    threads = []

    def ask(_: State, config: RunnableConfig) -> State:
        model = Talker()
        threads.append(Thread(target=lambda: model.invoke("hello", config)))
        return {"messages": ["done"]}

    graph_of(ask).invoke(GREETING, traced.config())
    threads[0].start()
    threads[0].join()
    assert traced.tree == ["invoke_workflow LangGraph", "  node ask", "    chat talker"]
