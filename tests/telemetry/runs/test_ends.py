"""Every span ends exactly once, with a truthful end time and outcome."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from textwrap import dedent
from time import time_ns
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.language_models import FakeListLLM
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import LLMResult
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import StructuredTool
from langgraph.errors import GraphRecursionError, InvalidUpdateError, NodeCancelledError
from langgraph.graph import StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import TimeoutPolicy

from nodespan.telemetry.testing import capture_spans, span_tree
from support.processes import TESTS, environment_of_programs
from support.strangers import (
    AEVENTS_V3,
    AINVOKE,
    ASTREAM,
    EVENTS_V2,
    EVENTS_V3,
    INVOKE,
    MODEL_CALLS,
    STREAM,
    Call,
    State,
    Talker,
    drain,
    unchanged_context,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from support.traced import Traced

pytestmark = [
    # LangChain says so of each of its v3 streams.
    pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning"),
]

GREETING = {"messages": ["hello"]}
CALLS = (INVOKE, AINVOKE, STREAM, ASTREAM)
FOREVER = 60.0
SOON_NS = 10_000_000_000


def graph_of(node: Any, anode: Any = None, **settings: Any) -> Any:
    """Return a graph of one node, native in both ways where it is given twice."""
    graph = StateGraph(State)
    bound = RunnableLambda(node, anode) if anode is not None else node
    graph.add_node("ask", bound, **settings)
    graph.set_entry_point("ask")
    return graph.compile()


def asking(model: Any) -> Any:
    """Return a graph whose node calls a model."""

    def ask(_: State) -> State:
        return {"messages": [model.invoke("hello")]}

    async def aask(_: State) -> State:
        return {"messages": [await model.ainvoke("hello")]}

    return graph_of(ask, aask)


class Waits:
    """Waits for longer than any test does, and says when it is reached.

    Attributes:
        reached: whether somebody waits.
        then: called when somebody does.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self, then: Callable[[], None] = lambda: None) -> None:
        """Forget that anybody has waited."""
        self.reached, self.then = asyncio.Event(), then

    async def __call__(self, *_: Any) -> None:
        """Wait."""
        self.reached.set()
        self.then()
        await asyncio.sleep(FOREVER)


wait = Waits()


@pytest.fixture(autouse=True)
def _nobody_waits() -> None:
    wait.begin()


async def wait_in_stream(_body: str, given: int) -> None:
    """Wait once a chunk is out."""
    if given:
        await wait()


def time_limit() -> asyncio.Timeout:
    """Limit the time of what is inside, until somebody waits in it."""
    loop, limit = asyncio.get_running_loop(), asyncio.timeout(None)
    wait.begin(lambda: limit.reschedule(loop.time()))
    return limit


def exceptions(traced: Traced) -> list[tuple[str, Any]]:
    """Return which span recorded which type of exception."""
    return [
        (span.name, event.attributes["exception.type"])
        for span in traced.spans
        for event in span.events
        if event.name == "exception"
    ]


# Exceptions


@pytest.mark.parametrize("call", [*CALLS, EVENTS_V2, EVENTS_V3, AEVENTS_V3], ids=str)
def test_an_exception_is_an_error_on_each_span_that_it_leaves(traced: Traced, call: Call) -> None:
    """It has its type on each, is recorded where it arose, and reaches the application as it is."""
    error = ValueError("wrong")
    with pytest.raises(ValueError, match="wrong") as raised:
        call.run(asking(Talker(fails_with=error)), GREETING, traced.config())
    assert raised.value is error
    assert traced.tree == [
        "invoke_workflow LangGraph [error: ValueError]",
        "  node ask [error: ValueError]",
        "    chat talker [error: ValueError]",
    ]
    assert exceptions(traced) == [("chat talker", "ValueError")]


@pytest.mark.parametrize("call", MODEL_CALLS, ids=str)
def test_where_an_exception_of_a_model_arrives_nothing_of_it_is_current(
    traced: Traced, call: Call
) -> None:
    """However a model is called that fails before it speaks, its caller is in no body of it."""
    error = ValueError("wrong")
    with pytest.raises(ValueError, match="wrong") as raised:
        call.run(Talker(fails_with=error), "hello", traced.config())
    assert raised.value is error
    assert traced.tree == ["chat talker [error: ValueError]"]


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_an_exception_of_a_node_is_recorded_there(traced: Traced, call: Call) -> None:
    """An exception that arose in a node, also from that of a model, is recorded on the node."""

    def ask(_: State) -> State:
        try:
            Talker(fails_with=ValueError("wrong")).invoke("hello")
        except ValueError as error:
            raise LookupError("not found") from error
        return {}

    with pytest.raises(LookupError):
        call.run(graph_of(ask), GREETING, traced.config())
    assert traced.tree == [
        "invoke_workflow LangGraph [error: LookupError]",
        "  node ask [error: LookupError]",
        "    chat talker [error: ValueError]",
    ]
    assert exceptions(traced) == [("chat talker", "ValueError"), ("node ask", "LookupError")]


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_an_exception_that_is_handled_stays_where_it_was(traced: Traced, call: Call) -> None:
    """A node that catches its model's exception, and its graph, are clean."""

    def ask(_: State) -> State:
        with suppress(ValueError):
            Talker(fails_with=ValueError("wrong")).invoke("hello")
        return {"messages": ["sorry"]}

    call.run(graph_of(ask), GREETING, traced.config())
    assert traced.tree == [
        "invoke_workflow LangGraph",
        "  node ask",
        "    chat talker [error: ValueError]",
    ]


@pytest.mark.parametrize("call", [STREAM, ASTREAM], ids=str)
def test_a_stream_that_breaks_is_an_error_of_the_model(traced: Traced, call: Call) -> None:
    """An exception after some chunks is an error, with the chunks counted that came."""
    with pytest.raises(ValueError, match="wrong"):
        call.run(Talker(fails_with=ValueError("wrong"), fails_after=2), "hi", traced.config())
    tree = span_tree(traced.collector, "nodespan.stream.chunks")
    assert tree == ["chat talker [error: ValueError, nodespan.stream.chunks=2]"]


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_tools_exception_is_its_own_where_the_tool_node_answers_it(
    traced: Traced, call: Call
) -> None:
    """A tool node that tells the model of an exception is clean, and so is its graph."""

    def look_up(word: str) -> str:
        """Look a word up."""
        raise LookupError(word)

    asked = {"name": "look_up", "args": {"word": "owl"}, "id": "call-1", "type": "tool_call"}
    graph = StateGraph(State)
    tool = StructuredTool.from_function(look_up)
    graph.add_node("tools", ToolNode([tool], handle_tool_errors=True))
    graph.add_node("ask", lambda _: {"messages": [AIMessage("", tool_calls=[asked])]})
    graph.add_edge("__start__", "ask")
    graph.add_edge("ask", "tools")
    call.run(graph.compile(), GREETING, traced.config())
    assert traced.tree[-2:] == ["  node tools", "    execute_tool look_up [error: LookupError]"]
    assert traced.tree[0] == "invoke_workflow LangGraph"


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_graph_that_never_stops_is_an_error_of_the_graph(traced: Traced, call: Call) -> None:
    """A recursion limit is the graph's failure, not its nodes'."""
    graph = StateGraph(State)
    graph.add_node("again", lambda _: {"messages": ["again"]})
    graph.set_entry_point("again")
    graph.add_edge("again", "again")
    with pytest.raises(GraphRecursionError):
        call.run(graph.compile(), GREETING, traced.config(recursion_limit=3))
    assert traced.tree == [
        "invoke_workflow LangGraph [error: GraphRecursionError]",
        *["  node again"] * 3,
    ]
    assert exceptions(traced) == [
        ("invoke_workflow LangGraph", "langgraph.errors.GraphRecursionError")
    ]


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_state_that_cannot_be_is_an_error_of_the_graph(traced: Traced, call: Call) -> None:
    """Two nodes that write the same value fail their graph."""
    graph = StateGraph(dict)
    for name in ("left", "right"):
        graph.add_node(name, lambda _: {"total": 1})
        graph.add_edge("__start__", name)
    with pytest.raises(InvalidUpdateError):
        call.run(graph.compile(), {"total": 0}, traced.config())
    assert span_tree(traced.collector, in_order=False) == [
        "invoke_workflow LangGraph [error: InvalidUpdateError]",
        "  node left",
        "  node right",
    ]


@pytest.mark.parametrize("call", [AINVOKE, ASTREAM], ids=str)
def test_what_is_torn_down_with_a_failure_is_cancelled(traced: Traced, call: Call) -> None:
    """A node that fails is an error; those beside it that LangGraph stops for it are not."""

    async def fail(_: State) -> State:
        await wait.reached.wait()
        raise ValueError("wrong")

    async def ask(_: State) -> State:
        return {"messages": [await Talker(waits=wait).ainvoke("hello")]}

    graph = StateGraph(State)
    for name, node in (("fails", fail), ("waits", ask)):
        graph.add_node(name, node)
        graph.add_edge("__start__", name)
    with pytest.raises(ValueError, match="wrong"):
        call.run(graph.compile(), GREETING, traced.config())
    assert span_tree(traced.collector, in_order=False) == [
        "invoke_workflow LangGraph [error: ValueError]",
        "  node fails [error: ValueError]",
        "  node waits [cancelled]",
        "    chat talker [cancelled]",
    ]


@pytest.mark.parametrize("call", [AINVOKE, ASTREAM], ids=str)
def test_of_several_nodes_one_that_times_out_is_the_error(traced: Traced, call: Call) -> None:
    """A node that LangGraph timed out is an error; those beside it were cancelled."""

    async def ask(_: State) -> State:
        await wait()
        return {}

    graph = StateGraph(State)
    for name, limit in (("slow", 0.02), ("slower", FOREVER)):
        graph.add_node(name, ask, timeout=TimeoutPolicy(run_timeout=limit))
        graph.add_edge("__start__", name)
    with pytest.raises(Exception, match="slow"):
        call.run(graph.compile(), GREETING, traced.config())
    assert span_tree(traced.collector, in_order=False) == [
        "invoke_workflow LangGraph [error: NodeTimeoutError]",
        "  node slow [error: NodeTimeoutError]",
        "  node slower [cancelled]",
    ]


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_node_that_raises_cancelled_itself_is_an_error(traced: Traced, call: Call) -> None:
    """LangGraph takes a node that raises `CancelledError` for one that failed."""

    def ask(_: State) -> State:
        raise asyncio.CancelledError

    async def aask(_: State) -> State:
        raise asyncio.CancelledError

    graph = graph_of(ask if call.sync else aask)
    with pytest.raises(NodeCancelledError):
        call.run(graph, GREETING, traced.config())
    assert traced.tree == [
        "invoke_workflow LangGraph [error: NodeCancelledError]",
        "  node ask [error: NodeCancelledError]",
    ]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)], ids=repr)
@pytest.mark.parametrize("call", [INVOKE, STREAM], ids=str)
def test_an_interrupt_at_the_keyboard_is_not_an_error(
    traced: Traced, call: Call, error: BaseException
) -> None:
    """Ctrl-C, and a process that is told to go, cancel the runs that are open."""
    with pytest.raises(type(error)):
        call.run(asking(Talker(fails_with=error)), GREETING, traced.config())
    assert traced.tree == [
        "invoke_workflow LangGraph [cancelled]",
        "  node ask [cancelled]",
        "    chat talker [cancelled]",
    ]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)], ids=repr)
def test_an_interrupt_at_the_keyboard_leaves_an_event_loop(
    traced: Traced, error: BaseException
) -> None:
    """Ctrl-C in an async body leaves the loop at once; whatever is open there is cancelled."""
    with pytest.raises(type(error)):
        AINVOKE.run(asking(Talker(fails_with=error)), GREETING, traced.config())
    assert traced.tree == [
        "invoke_workflow LangGraph [cancelled]",
        "  node ask [cancelled]",
        "    chat talker [cancelled]",
    ]


# Cancellation


def waiting_tool() -> StructuredTool:
    """Return a tool that waits."""

    async def look_up(word: str) -> str:
        """Look a word up."""
        await wait()
        return word

    return StructuredTool.from_function(coroutine=look_up)


async def invoke_model(config: Any) -> Any:
    """Wait for a model."""
    return await Talker(waits=wait).ainvoke("hello", config)


async def stream_model(config: Any) -> Any:
    """Wait for a model's first chunk."""
    return await drain(Talker(waits=wait).astream("hello", config))


async def stream_model_on(config: Any) -> Any:
    """Wait for a model's second chunk."""
    return await drain(Talker(waits=wait_in_stream).astream("hello", config))


async def events_of_model(config: Any) -> Any:
    """Wait for a model's second chunk in a stream of events."""
    return await drain(Talker(waits=wait_in_stream).astream_events("hello", config, version="v2"))


async def invoke_completion(config: Any) -> Any:
    """Wait for a completion model."""

    class Slow(FakeListLLM):
        async def _acall(self, *_: Any, **__: Any) -> str:
            await wait()
            return ""

    return await Slow(responses=["yes"]).ainvoke("hello", config)


async def invoke_tool(config: Any) -> Any:
    """Wait for a tool."""
    return await waiting_tool().ainvoke({"word": "owl"}, config)


async def invoke_graph(config: Any) -> Any:
    """Wait for a graph's model."""
    return await asking(Talker(waits=wait)).ainvoke(GREETING, config)


async def stream_graph(config: Any) -> Any:
    """Wait for a graph's model, in a stream."""
    return await drain(asking(Talker(waits=wait)).astream(GREETING, config))


async def stream_messages(config: Any) -> Any:
    """Wait for the second chunk of a graph's model, in a stream of messages."""
    graph = asking(Talker(waits=wait_in_stream))
    return await drain(graph.astream(GREETING, config, stream_mode="messages"))


async def invoke_chain(config: Any) -> Any:
    """Wait for a chain's model."""
    return await (RunnableLambda(lambda text: text) | Talker(waits=wait)).ainvoke("hi", config)


async def invoke_nested(config: Any) -> Any:
    """Wait for the model of a graph that a tool calls, which a node calls."""
    inner = asking(Talker(waits=wait))

    async def look_up(word: str) -> str:
        """Look a word up."""
        return str(await inner.ainvoke({"messages": [word]}))

    tool = StructuredTool.from_function(coroutine=look_up)

    async def ask(_: State) -> State:
        return {"messages": [str(await tool.ainvoke({"word": "owl"}))]}

    return await graph_of(ask).ainvoke(GREETING, config)


GRAPH_CANCELLED = [
    "invoke_workflow LangGraph [cancelled]",
    "  node ask [cancelled]",
    "    chat talker [cancelled]",
]
CANCELLED: dict[Callable[[Any], Any], list[str]] = {
    invoke_model: ["chat talker [cancelled]"],
    stream_model: ["chat talker [cancelled]"],
    stream_model_on: ["chat talker [cancelled]"],
    events_of_model: ["chat talker [cancelled]"],
    invoke_completion: ["text_completion FakeListLLM [cancelled]"],
    invoke_tool: ["execute_tool look_up [cancelled]"],
    invoke_graph: GRAPH_CANCELLED,
    stream_graph: GRAPH_CANCELLED,
    stream_messages: GRAPH_CANCELLED,
    invoke_chain: ["RunnableSequence [cancelled]", "  chat talker [cancelled]"],
    invoke_nested: [
        "invoke_workflow LangGraph [cancelled]",
        "  node ask [cancelled]",
        "    execute_tool look_up [cancelled]",
        *[f"      {line}" for line in GRAPH_CANCELLED],
    ],
}
EACH_WAIT = pytest.mark.parametrize("call", CANCELLED, ids=lambda call: call.__name__)


def told(traced: Traced) -> list[str]:
    """Return the tree, with a completion model named by its base."""
    return [line.replace("Slow", "FakeListLLM") for line in traced.tree]


@EACH_WAIT
def test_a_task_that_is_cancelled_ends_its_runs(traced: Traced, call: Any) -> None:
    """Cancellation, at any moment, ends every run then and there, and is not an error."""
    cancelled_at = 0

    async def run() -> None:
        nonlocal cancelled_at
        task = asyncio.create_task(call(traced.config()))
        await wait.reached.wait()
        cancelled_at = time_ns()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert told(traced) == CANCELLED[call]
    assert all(0 <= (span.end_ns or 0) - cancelled_at < SOON_NS for span in traced.spans)


@EACH_WAIT
def test_a_time_limit_around_a_call_ends_its_runs(traced: Traced, call: Any) -> None:
    """`asyncio.timeout` cancels what it is around: the task itself goes on."""

    async def run() -> None:
        before = len(asyncio.all_tasks())
        with suppress(TimeoutError):
            async with time_limit():
                await call(traced.config())
        limit_at = time_ns()
        await asyncio.sleep(0.01)
        assert told(traced) == CANCELLED[call]
        assert all((span.end_ns or 0) - limit_at < SOON_NS for span in traced.spans)
        assert len(asyncio.all_tasks()) == before

    asyncio.run(run())


@EACH_WAIT
def test_a_time_limit_leaves_nothing_current(traced: Traced, call: Any) -> None:
    """Where the limit is handled, what is current is already what it was."""

    async def run() -> None:
        with unchanged_context():
            try:
                async with time_limit():
                    await call(traced.config())
            except TimeoutError:
                with unchanged_context(), traced.tracer.start_as_current_span("own"):
                    pass

    asyncio.run(run())
    assert traced.tree[-1] == "own"


@EACH_WAIT
def test_a_loop_that_shuts_down_ends_the_runs(traced: Traced, call: Any) -> None:
    """An event loop whose main task returns, with calls under way, leaves no run open."""

    async def run() -> None:
        tasks.append(asyncio.create_task(call(traced.config())))
        await wait.reached.wait()

    tasks: list[Any] = []
    asyncio.run(run())
    assert told(traced) == CANCELLED[call]


def test_a_time_limit_inside_a_node_is_the_nodes_to_handle(traced: Traced) -> None:
    """A node that gives up on one model and asks another is fine; the first was cancelled."""

    async def ask(_: State) -> State:
        try:
            async with time_limit():
                await Talker(waits=wait).ainvoke("hello")
        except TimeoutError:
            return {"messages": [await Talker(model_name="other").ainvoke("hello")]}
        return {}

    asyncio.run(graph_of(ask).ainvoke(GREETING, traced.config()))
    assert traced.tree == [
        "invoke_workflow LangGraph",
        "  node ask",
        "    chat talker [cancelled]",
        "    chat other",
    ]
    first, second = traced.span("chat talker"), traced.span("chat other")
    assert (first.end_ns or 0) < (second.end_ns or 0) + SOON_NS


class Dawdler(AsyncCallbackHandler):
    """Another handler, which takes its time with one event."""

    def __init__(self, event: str) -> None:
        self.reached = asyncio.Event()

        async def dawdle(*_: Any, **__: Any) -> None:
            self.reached.set()
            await asyncio.sleep(0.05)

        setattr(self, event, dawdle)


@pytest.mark.parametrize(
    ("event", "is_over"),
    [
        ("on_chain_start", False),
        ("on_chat_model_start", False),
        ("on_llm_end", True),
        ("on_tool_start", False),
        ("on_tool_end", True),
        ("on_chain_end", True),
    ],
)
def test_a_cancellation_while_a_callback_runs(traced: Traced, event: str, *, is_over: bool) -> None:
    """While another handler is busy with a run's start or end, a cancellation ends the rest."""

    async def look_up(word: str) -> str:
        """Look a word up."""
        return word

    tool = StructuredTool.from_function(coroutine=look_up)

    async def ask(_: State) -> State:
        await tool.ainvoke({"word": "owl"})
        return {"messages": [await Talker().ainvoke("hello")]}

    async def run() -> None:
        dawdler = Dawdler(event)
        config = traced.config()
        config["callbacks"] = [*config.get("callbacks", ()), dawdler]
        task = asyncio.create_task(graph_of(ask).ainvoke(GREETING, config))
        await dawdler.reached.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.1)

    asyncio.run(run())
    assert traced.handler.open_runs == 0
    assert traced.tree
    assert is_over or "cancelled" in traced.tree[-1]


# Consumers that walk away


def abandon_sync(runnable: Any, given: Any, config: Any, **mode: Any) -> None:
    """Take one chunk of a stream, and close it."""
    stream = runnable.stream(given, config, **mode)
    next(stream)
    stream.close()


def drop_sync(runnable: Any, given: Any, config: Any, **mode: Any) -> None:
    """Take one chunk of a stream, and leave it to the garbage collector."""
    for _ in runnable.stream(given, config, **mode):
        break


def drop_in_thread(runnable: Any, given: Any, config: Any, **mode: Any) -> None:
    """Take one chunk of a stream, and drop it in another thread."""
    streams = [runnable.stream(given, config, **mode)]
    next(streams[0])
    thread = threading.Thread(target=streams.clear)
    thread.start()
    thread.join()


def abandon_async(runnable: Any, given: Any, config: Any, **mode: Any) -> None:
    """Take one chunk of an async stream, and close it."""

    async def run() -> None:
        with unchanged_context():
            stream = runnable.astream(given, config, **mode)
            await anext(stream)
            await stream.aclose()

    asyncio.run(run())


def drop_async(runnable: Any, given: Any, config: Any, **mode: Any) -> None:
    """Take one chunk of an async stream, and leave it to the garbage collector."""

    async def run() -> None:
        with unchanged_context():
            async for _ in runnable.astream(given, config, **mode):
                break
            await asyncio.sleep(0.02)

    asyncio.run(run())


def drop_last(runnable: Any, given: Any, config: Any, **mode: Any) -> None:
    """Take one chunk of an async stream as the last thing that is done in an event loop."""

    async def run() -> None:
        async for _ in runnable.astream(given, config, **mode):
            break

    asyncio.run(run())


ABANDONMENTS = (abandon_sync, drop_sync, drop_in_thread, abandon_async, drop_async)
EACH_ABANDONMENT = pytest.mark.parametrize("abandon", ABANDONMENTS, ids=lambda way: way.__name__)


@EACH_ABANDONMENT
def test_a_models_stream_that_is_abandoned(traced: Traced, abandon: Any) -> None:
    """A consumer that walks away from a model's stream ends it as abandoned."""
    with unchanged_context():
        abandon(Talker(), "hello", traced.config())
    assert traced.tree == ["chat talker [abandoned]"]


async def takes_its_time(_body: str, _given: int) -> None:
    """Wait a little in the body of a model."""
    await asyncio.sleep(0.005)


@pytest.mark.parametrize("make", [lambda it: it, lambda it: it | StrOutputParser()])
def test_a_stream_left_at_the_end_of_its_loop(
    traced: Traced, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The loop closes it as it closes any stream, and has nothing to complain of."""
    drop_last(make(Talker(waits=takes_its_time)), "hello", traced.config())
    assert caplog.messages == []
    assert "chat talker" in traced.tree[-1]


@EACH_ABANDONMENT
def test_a_chains_stream_that_is_abandoned(traced: Traced, abandon: Any) -> None:
    """So it is with a chain, and with the model in it."""
    with unchanged_context():
        abandon(RunnableLambda(lambda text: text) | Talker(), "hello", traced.config())
    assert traced.tree == ["RunnableSequence [abandoned]", "  chat talker [abandoned]"]


@pytest.mark.parametrize("abandon", [abandon_sync, drop_sync, drop_async])
def test_a_stream_with_fallbacks_that_is_abandoned(traced: Traced, abandon: Any) -> None:
    """So it is with one that has fallbacks, of whose end nobody is told."""
    abandon(Talker().with_fallbacks([Talker()]), "hello", traced.config())
    assert traced.handler.open_runs == 0
    assert traced.tree == ["RunnableWithFallbacks [abandoned]", "  chat talker [abandoned]"]


@EACH_ABANDONMENT
def test_a_graphs_stream_that_is_abandoned(traced: Traced, abandon: Any) -> None:
    """A graph that is abandoned between its nodes has not failed, and they have not."""
    graph = StateGraph(State)
    for name in ("first", "second"):
        graph.add_node(name, lambda _: {"messages": ["done"]})
    graph.add_edge("__start__", "first")
    graph.add_edge("first", "second")
    with unchanged_context():
        abandon(graph.compile(), GREETING, traced.config())
    assert traced.tree[:2] == ["invoke_workflow LangGraph [abandoned]", "  node first"]


@pytest.mark.parametrize("abandon", [abandon_async, drop_async], ids=lambda way: way.__name__)
def test_a_graphs_stream_that_is_abandoned_in_mid_node(traced: Traced, abandon: Any) -> None:
    """A graph that is abandoned while its model speaks takes its node and the model along."""
    graph = asking(Talker(waits=wait_in_stream))
    abandon(graph, GREETING, traced.config(), stream_mode="messages")
    tree = traced.tree
    assert tree[0] == "invoke_workflow LangGraph [abandoned]"
    assert tree[1] in ("  node ask [abandoned]", "  node ask [cancelled]")
    assert tree[2] in ("    chat talker [abandoned]", "    chat talker [cancelled]")


def test_a_stream_of_events_that_is_dropped(traced: Traced) -> None:
    """A model's stream of events, of whose end nobody is told, ends when it is dropped."""
    for _ in Talker().stream_events("hello", traced.config(), version="v3"):
        break
    gc.collect()
    assert traced.handler.open_runs == 0
    assert traced.tree == ["chat talker [abandoned]"]


def test_a_start_that_a_program_reports_is_its_own_to_end() -> None:
    """Whoever calls the handler itself need not keep the id that it was called with."""
    with capture_spans() as captured:
        run_id = uuid4()
        captured.handler.on_chat_model_start({}, [[]], run_id=UUID(int=run_id.int))
        gc.collect()
        assert captured.handler.open_runs == 1
        captured.handler.on_llm_end(LLMResult(generations=[[]]), run_id=run_id)
    assert captured.tree == ["chat model"]


# Streams that are driven from everywhere


def test_each_step_of_a_stream_from_another_task(traced: Traced) -> None:
    """A stream of which each step is a task of its own ends as any other."""

    async def run() -> None:
        with unchanged_context():
            stream = Talker().astream("hello", traced.config())
            with suppress(StopAsyncIteration):
                while True:
                    await asyncio.create_task(step(stream))

    async def step(stream: AsyncIterator[Any]) -> Any:
        return await anext(stream)

    asyncio.run(run())
    tree = span_tree(traced.collector, "nodespan.stream.chunks")
    assert tree == ["chat talker [nodespan.stream.chunks=3]"]


def test_each_step_of_a_graphs_stream_from_another_task(traced: Traced) -> None:
    """So it is with the stream of a graph."""

    async def run() -> None:
        with unchanged_context():
            stream = asking(Talker()).astream(GREETING, traced.config(), stream_mode="messages")
            with suppress(StopAsyncIteration):
                while True:
                    await asyncio.create_task(step(stream))

    async def step(stream: AsyncIterator[Any]) -> Any:
        return await anext(stream)

    asyncio.run(run())
    assert traced.tree == ["invoke_workflow LangGraph", "  node ask", "    chat talker"]


def test_each_step_of_a_stream_from_another_thread(traced: Traced) -> None:
    """A stream of which each step is taken in another thread ends as any other."""
    stream = Talker().stream("hello", traced.config())
    chunks: list[Any] = []
    for _ in range(5):
        thread = threading.Thread(target=lambda: chunks.extend([next(stream, None)]))
        thread.start()
        thread.join()
    assert chunks[-1] is None
    tree = span_tree(traced.collector, "nodespan.stream.chunks")
    assert tree == ["chat talker [nodespan.stream.chunks=3]"]


def test_a_first_step_that_is_given_up_ends_the_stream(traced: Traced) -> None:
    """A consumer that does not wait for the first chunk cancels the stream."""

    async def run() -> None:
        stream = Talker(waits=wait).astream("hello", traced.config())
        step = asyncio.create_task(anext(stream))
        await wait.reached.wait()
        with suppress(TimeoutError):
            await asyncio.wait_for(step, 0)

    asyncio.run(run())
    assert traced.tree == ["chat talker [cancelled]"]


def test_a_stream_that_is_finished_in_another_loop(traced: Traced) -> None:
    """A sync generator over an async stream, as bridges make it, ends as any other."""

    def chunks(stream: AsyncIterator[Any]) -> Iterator[Any]:
        loop = asyncio.new_event_loop()
        try:
            while True:
                try:
                    yield loop.run_until_complete(anext(stream))
                except StopAsyncIteration:
                    return
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    assert len(list(chunks(Talker().astream("hello", traced.config())))) == 4
    assert traced.tree == ["chat talker"]


@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
def test_a_stream_whose_loop_is_gone(traced: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that nobody can close any more ends when it is dropped."""
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)  # pytest's keeps the stream alive
    loop = asyncio.new_event_loop()
    stream = Talker().astream("hello", traced.config())
    loop.run_until_complete(anext(stream))
    loop.close()
    assert traced.handler.open_runs == 1
    del stream
    gc.collect()
    assert traced.handler.open_runs == 0
    assert traced.tree == ["chat talker [abandoned]"]


# The process


@dataclass(frozen=True, slots=True)
class Exit:
    """A program that goes with a run open, and what its exporter has printed by then."""

    name: str
    program: str
    lines: list[str]

    def __str__(self) -> str:
        return self.name


PREPARE = """
    import asyncio, os, sys, threading, time
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
    from support.strangers import Talker
    from nodespan.telemetry import OpenTelemetryCallbackHandler

    class Printer(SpanExporter):
        def export(self, spans):
            for span in spans:
                print(span.name, span.attributes.get("nodespan.outcome"), flush=True)

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Printer()))
    handler = OpenTelemetryCallbackHandler(tracer_provider=provider)
    config = {"callbacks": [handler]}
    started = threading.Event()
"""

EXITS = [
    Exit(
        "it returns, and leaves a thread, a stream and an event loop as they are",
        """
    def look(*_):
        started.set()
        time.sleep(60)
    call = Talker(model_name="thread", looks=look).invoke
    threading.Thread(target=call, args=("hi", config), daemon=True).start()
    started.wait()

    stream = Talker(model_name="stream").stream("hi", config)
    next(stream)
    sys.kept = stream

    async def wait(*_):
        await asyncio.sleep(60)
    loop = asyncio.new_event_loop()
    task = loop.create_task(Talker(model_name="loop", waits=wait).ainvoke("hi", config))
    loop.run_until_complete(asyncio.sleep(0.05))
    task._log_destroy_pending = False
        """,
        ["chat thread cancelled", "chat stream cancelled", "chat loop cancelled"],
    ),
    Exit(
        "it forks while a run is open, and exits in the middle of another",
        """
    stream = Talker(model_name="parent").stream("hi", config)
    next(stream)
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        list(stream)
        Talker(model_name="exit", looks=lambda *_: sys.exit(0)).invoke("hi", config)
    else:
        assert handler.open_runs == 0
        Talker(model_name="child").invoke("hi", config)
        provider.force_flush()
        os._exit(0)
        """,
        ["chat child None", "chat parent None", "chat exit cancelled"],
    ),
]


@pytest.mark.parametrize("case", EXITS, ids=str)
def test_a_process_that_goes_ends_its_runs(case: Exit) -> None:
    """An interpreter that shuts down with runs open ends and exports them, once."""
    program = dedent(PREPARE) + dedent(case.program)
    done = subprocess.run(
        # From Python 3.12 on, a process with threads that forks is warned of what that may do.
        [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", program],
        env=environment_of_programs(PYTHONPATH=str(TESTS)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == case.lines
