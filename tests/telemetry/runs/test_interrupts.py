"""An interrupt is never an error, and the run that goes on is linked to the one that waits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphDrained
from langgraph.func import entrypoint, task
from langgraph.graph import StateGraph
from langgraph.runtime import RunControl
from langgraph.types import Command, interrupt

from nodespan.telemetry import OpenTelemetryCallbackHandler
from nodespan.telemetry.testing import capture_spans, span_tree
from support.strangers import AINVOKE, ASTREAM, INVOKE, STREAM, Call, State, Talker, streaming

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.runnables import RunnableConfig

    from support.traced import Traced

GREETING = {"messages": ["hello"]}
CALLS = (INVOKE, AINVOKE, STREAM, ASTREAM, *streaming(stream_mode=["messages", "values"]))


def asks(_: Any) -> State:
    """Ask a person."""
    return {"messages": [interrupt("SECRET question")]}


def goes_on(_: Any) -> State:
    """Do a node's work."""
    return {"messages": ["done"]}


def graph_of(*nodes: tuple[str, Any], **settings: Any) -> Any:
    """Return a graph of nodes one after another, with a checkpointer."""
    graph = StateGraph(State)
    graph.add_sequence([(name, node) for name, node in nodes])
    graph.set_entry_point(nodes[0][0])
    return graph.compile(checkpointer=InMemorySaver(), **settings)


def inner() -> Any:
    """Return a subgraph that asks."""
    graph = StateGraph(State)
    graph.add_node("ask", asks)
    graph.set_entry_point("ask")
    return graph.compile(name="inner")


def side_by_side() -> Any:
    """Return a graph of two nodes that both ask."""
    graph = StateGraph(State)
    for name in ("left", "right"):
        graph.add_node(name, asks)
        graph.add_edge("__start__", name)
    return graph.compile(checkpointer=InMemorySaver())


@tool
def confirm(word: str) -> str:
    """Confirm a word."""
    return str(interrupt(word))


def talker() -> Talker:
    """Return a model that has a word confirmed before it speaks."""
    call = {"name": "confirm", "args": {"word": "owl"}, "id": "call-1", "type": "tool_call"}
    return Talker(calls=[[call]])


def approving() -> Any:
    """Return an agent whose tools a person approves."""

    @tool
    def confirm(word: str) -> str:
        """Confirm a word."""
        return word

    middleware = HumanInTheLoopMiddleware(interrupt_on={"confirm": True})
    return create_agent(
        talker(), [confirm], name="helper", middleware=[middleware], checkpointer=InMemorySaver()
    )


def functional() -> Any:
    """Return an entrypoint that has a task ask."""

    @task
    def ask(question: str) -> str:
        return str(interrupt(question))

    @entrypoint(checkpointer=InMemorySaver())
    def flow(given: Any) -> str:
        return ask("SECRET question").result() + str(given)

    return flow


@dataclass(frozen=True, slots=True)
class Case:
    """What asks a person, and the trees of the run that asks and of that which goes on."""

    name: str
    build: Callable[[], Any]
    asked: list[str]
    resumed: list[str]
    answer: Any = "yes"
    in_order: bool = True

    def __str__(self) -> str:
        return self.name


CASES = [
    Case(
        "in a node",
        lambda: graph_of(("ask", asks), ("after", goes_on)),
        ["invoke_workflow LangGraph [interrupted]", "  node ask [interrupted]"],
        ["invoke_workflow LangGraph", "  node ask", "  node after"],
    ),
    Case(
        "interrupt_before",
        lambda: graph_of(("first", goes_on), ("second", goes_on), interrupt_before=["second"]),
        ["invoke_workflow LangGraph [interrupted]", "  node first"],
        ["invoke_workflow LangGraph", "  node second"],
        answer=None,
    ),
    Case(
        "interrupt_after",
        lambda: graph_of(("first", goes_on), ("second", goes_on), interrupt_after=["first"]),
        ["invoke_workflow LangGraph [interrupted]", "  node first"],
        ["invoke_workflow LangGraph", "  node second"],
        answer=None,
    ),
    Case(
        "in a subgraph",
        lambda: graph_of(("sub", inner()), ("after", goes_on)),
        [
            "invoke_workflow LangGraph [interrupted]",
            "  node sub [interrupted]",
            "    invoke_workflow inner [interrupted]",
            "      node ask [interrupted]",
        ],
        [
            "invoke_workflow LangGraph",
            "  node sub",
            "    invoke_workflow inner",
            "      node ask",
            "  node after",
        ],
    ),
    Case(
        "in two nodes at once",
        side_by_side,
        [
            "invoke_workflow LangGraph [interrupted]",
            "  node left [interrupted]",
            "  node right [interrupted]",
        ],
        ["invoke_workflow LangGraph", "  node left", "  node right"],
        in_order=False,
    ),
    Case(
        "in a tool",
        lambda: create_agent(talker(), [confirm], name="helper", checkpointer=InMemorySaver()),
        [
            "invoke_agent helper [interrupted]",
            "  node model",
            "    chat talker",
            "  node tools [interrupted]",
            "    execute_tool confirm [interrupted]",
        ],
        [
            "invoke_agent helper",
            "  node tools",
            "    execute_tool confirm",
            "  node model",
            "    chat talker",
        ],
    ),
    Case(
        "before a tool",
        approving,
        [
            "invoke_agent helper [interrupted]",
            "  node model",
            "    chat talker",
            "  node HumanInTheLoopMiddleware.after_model [interrupted]",
        ],
        [
            "invoke_agent helper",
            "  node HumanInTheLoopMiddleware.after_model",
            "  node tools",
            "    execute_tool confirm",
            "  node model",
            "    chat talker",
            "  node HumanInTheLoopMiddleware.after_model",
        ],
        answer={"decisions": [{"type": "approve"}]},
    ),
    Case(
        "in a task of the functional API",
        functional,
        [
            "invoke_workflow LangGraph [interrupted]",
            "  node flow [interrupted]",
            "    node ask [interrupted]",
        ],
        ["invoke_workflow LangGraph", "  node flow", "    node ask"],
    ),
]


def resumption(graph: Any, config: Any, answer: Any) -> Command[Any] | None:
    """Return what answers every question that a graph waits with."""
    asked = [item.id for waiting in graph.get_state(config).tasks for item in waiting.interrupts]
    return Command(resume=dict.fromkeys(asked, answer)) if asked else None


@pytest.mark.parametrize("call", CALLS, ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_run_that_goes_on_is_linked_to_the_one_that_waits(
    traced: Traced, case: Case, call: Call
) -> None:
    """Neither is an error; both are of one conversation, at the same checkpoint."""
    graph, config = case.build(), traced.thread("thread-1")
    call.run(graph, GREETING, config)
    asked_tree = span_tree(traced.collector, in_order=case.in_order)
    asked_spans = traced.spans
    traced.collector.clear()
    call.run(graph, resumption(graph, config, case.answer), config)
    assert asked_tree == case.asked
    assert span_tree(traced.collector, in_order=case.in_order) == case.resumed

    [asked], [resumed] = (
        [span for span in spans if span.parent_id is None] for spans in (asked_spans, traced.spans)
    )
    [told] = [event for event in asked.events if event.name == "on_interrupt"]
    [told_again] = [event for event in resumed.events if event.name == "on_resume"]
    [link] = resumed.links
    assert (link.trace_id, link.span_id) == (asked.trace_id, asked.span_id)
    places = [each.attributes["langgraph.checkpoint_id"] for each in (told, told_again, link)]
    assert places == [places[0]] * 3
    of_thread = {
        span.attributes["gen_ai.conversation.id"] for span in [*asked_spans, *traced.spans]
    }
    assert of_thread == {"thread-1"}
    assert "SECRET" not in str(asked_spans)


def test_the_event_has_the_ids_of_the_interrupts(traced: Traced) -> None:
    """The ids are those that a resumption names; the values are content, and not there."""
    graph, config = side_by_side(), traced.thread("thread-1")
    result = graph.invoke(GREETING, config)
    [told] = traced.span("invoke_workflow LangGraph").events
    ids = tuple(item.id for item in result["__interrupt__"])
    assert sorted(told.attributes["langgraph.interrupt.ids"]) == sorted(ids)
    assert set(told.attributes) == {"langgraph.checkpoint_id", "langgraph.interrupt.ids"}


def test_with_content_the_event_has_the_values() -> None:
    """The values of the interrupts are on the event where content may be on spans."""
    with capture_spans(capture_content="SPAN_ONLY") as captured:
        config = {"callbacks": [captured.handler], "configurable": {"thread_id": "thread-1"}}
        graph_of(("ask", asks)).invoke(GREETING, config)
    [told] = captured.span("invoke_workflow LangGraph").events
    assert told.attributes["langgraph.interrupt.values"] == '["SECRET question"]'


def test_a_question_that_is_answered_alone_leaves_the_other(traced: Traced) -> None:
    """Each resumption is linked to the run before it that was interrupted there."""
    graph, config = side_by_side(), traced.thread("thread-1")
    first = graph.invoke(GREETING, config)["__interrupt__"]
    graph.invoke(Command(resume={first[0].id: "yes"}), config)
    graph.invoke(Command(resume={first[1].id: "yes"}), config)
    roots = sorted(
        (span for span in traced.spans if span.parent_id is None), key=lambda span: span.start_ns
    )
    outcomes = [span.attributes.get("nodespan.outcome") for span in roots]
    assert outcomes == ["interrupted", "interrupted", None]
    linked = [[link.span_id for link in span.links] for span in roots]
    assert linked == [[], [roots[0].span_id], [roots[1].span_id]]


def test_a_resumption_that_fails_may_be_tried_again(traced: Traced) -> None:
    """Both are linked to the run that waits, and only what failed is an error."""
    failures = [ValueError("not yet")]

    def ask(_: State) -> State:
        answer = interrupt("question")
        if failures:
            raise failures.pop()
        return {"messages": [answer]}

    graph, config = graph_of(("ask", ask)), traced.thread("thread-1")
    graph.invoke(GREETING, config)
    with pytest.raises(ValueError, match="not yet"):
        graph.invoke(Command(resume="yes"), config)
    graph.invoke(Command(resume="yes"), config)
    assert traced.tree == [
        "invoke_workflow LangGraph [interrupted]",
        "  node ask [interrupted]",
        "invoke_workflow LangGraph [error: ValueError]",
        "  node ask [error: ValueError]",
        "invoke_workflow LangGraph",
        "  node ask",
    ]
    asked, failed, resumed = (
        span for span in traced.spans if span.name == "invoke_workflow LangGraph"
    )
    assert [link.span_id for link in failed.links] == [asked.span_id]
    assert [link.span_id for link in resumed.links] == [asked.span_id]


def test_conversations_do_not_mix(traced: Traced) -> None:
    """Graphs that wait at the same time on threads of their own are each linked to their own."""
    graph = graph_of(("ask", asks))

    async def talk(thread_id: str) -> None:
        config = traced.thread(thread_id)
        await graph.ainvoke(GREETING, config)
        await graph.ainvoke(Command(resume="yes"), config)

    async def run() -> None:
        await asyncio.gather(*(talk(f"thread-{place}") for place in range(5)))

    asyncio.run(run())
    asked_by_id = {span.span_id: span for span in traced.spans}
    resumed = [span for span in traced.spans if span.links]
    assert len(resumed) == 5
    for span in resumed:
        asked = asked_by_id[span.links[0].span_id]
        thread = span.attributes["gen_ai.conversation.id"]
        assert asked.attributes["gen_ai.conversation.id"] == thread


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_without_a_thread_there_is_no_conversation(traced: Traced, call: Call) -> None:
    """A call without a thread has no conversation id on any span."""
    graph = StateGraph(State)
    graph.add_node("ask", lambda _: {"messages": [Talker().invoke("hello")]})
    graph.set_entry_point("ask")
    call.run(graph.compile(), GREETING, traced.config())
    assert [span for span in traced.spans if "gen_ai.conversation.id" in span.attributes] == []
    assert len(traced.spans) == 3


def test_a_handler_that_is_given_twice_tells_of_an_interrupt_once(traced: Traced) -> None:
    """The event of an interrupt, and the link of its resumption, are there once."""
    graph = graph_of(("ask", asks)).with_config({"callbacks": [traced.handler]})
    config = traced.thread("thread-1", callbacks=[traced.handler])
    graph.invoke(GREETING, config)
    graph.invoke(Command(resume="yes"), config)
    asked, resumed = (span for span in traced.spans if span.name == "invoke_workflow LangGraph")
    assert [event.name for event in asked.events] == ["on_interrupt"]
    assert [event.name for event in resumed.events] == ["on_resume"]
    assert len(resumed.links) == 1


def test_another_handler_of_the_process_may_see_the_resumption(traced: Traced) -> None:
    """A run that goes on under another handler of the same provider is linked as well."""
    other = OpenTelemetryCallbackHandler(tracer_provider=traced.tracer_provider)
    graph = graph_of(("ask", asks))
    graph.invoke(GREETING, traced.thread("thread-1"))
    graph.invoke(Command(resume="yes"), traced.thread("thread-1", callbacks=[other]))
    [resumed] = [span for span in traced.spans if span.links]
    assert resumed.name == "invoke_workflow LangGraph"


@pytest.mark.parametrize("call", [INVOKE, AINVOKE], ids=str)
def test_a_graph_that_is_asked_to_stop_is_interrupted(traced: Traced, call: Call) -> None:
    """A graph that was drained between its steps has not failed, and may go on later."""
    control = RunControl()

    def first(_: State) -> State:
        control.request_drain()
        return {"messages": ["done"]}

    graph, config = graph_of(("first", first), ("second", goes_on)), traced.thread("thread-1")
    sync = Call("invoke", lambda r, given, c: r.invoke(given, c, control=control))
    async_ = Call("ainvoke", None, lambda r, given, c: r.ainvoke(given, c, control=control))
    drained = sync if call.sync else async_
    with pytest.raises(GraphDrained):
        drained.run(graph, GREETING, config)
    call.run(graph, None, config)
    assert traced.tree == [
        "invoke_workflow LangGraph [interrupted]",
        "  node first",
        "invoke_workflow LangGraph",
        "  node second",
    ]


@pytest.mark.parametrize("settings", [{}, {"interrupt_before": ["ask"]}], ids=str)
def test_a_graph_with_a_thread_of_its_own_inside_another(
    traced: Traced, settings: dict[str, Any]
) -> None:
    """It is interrupted in one call, before its first node too, and resumed in the next."""
    inside = graph_of(("ask", asks), **settings)
    own: RunnableConfig = {"configurable": {"thread_id": "inner"}}

    def calls(state: State) -> State:
        is_first = len(state["messages"]) == 1
        inside.invoke(GREETING if is_first else Command(resume="yes"), own)
        return {"messages": ["called"]}

    outer = graph_of(("calls", calls))
    outer.invoke(GREETING, traced.thread("outer"))
    outer.invoke(GREETING, traced.thread("outer"))

    interrupted, resumed = (
        span for span in traced.spans if span.name == "invoke_workflow LangGraph" and span.parent_id
    )
    assert interrupted.attributes["nodespan.outcome"] == "interrupted"
    assert [link.span_id for link in resumed.links] == [interrupted.span_id]
