"""Exceptions: which spans they fail, and where they are recorded."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import StructuredTool
from langgraph.errors import GraphRecursionError, InvalidUpdateError, NodeCancelledError
from langgraph.graph import StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import TimeoutPolicy

from nodespan.telemetry.testing import span_tree
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
)
from support.waiting import (
    CALLS,
    FOREVER,
    GREETING,
    asking,
    exceptions,
    graph_of,
    wait,
)

if TYPE_CHECKING:
    from support.traced import Traced

pytestmark = [
    # LangChain says so of each of its v3 streams.
    pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning"),
]


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
