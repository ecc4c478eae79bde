"""One call, one trace, every span under its true parent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_core.caches import InMemoryCache as AnswerCache
from langchain_core.language_models import FakeListLLM
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import (
    RunnableBranch,
    RunnableConfig,
    RunnableLambda,
    RunnableParallel,
)
from langchain_core.tools import tool
from langgraph.cache.memory import InMemoryCache as NodeCache
from langgraph.func import entrypoint, task
from langgraph.graph import StateGraph
from langgraph.prebuilt import ToolNode, create_react_agent
from langgraph.types import CachePolicy, Command, Send

from nodespan.telemetry.testing import capture_spans, span_tree
from support.strangers import (
    AINVOKE,
    ASTREAM,
    GRAPH_CALLS,
    INVOKE,
    MODEL_CALLS,
    PLAIN_CALLS,
    STREAM,
    Call,
    Count,
    State,
    Talker,
    drain,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.messages import ToolCall
    from langgraph.graph.state import CompiledStateGraph

    from support.traced import Traced

pytestmark = [
    # LangChain says so of each of its v3 streams.
    pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning"),
    # `create_react_agent` has moved to `langchain.agents`, and is what many still use.
    pytest.mark.filterwarnings("ignore::langgraph.warnings.LangGraphDeprecatedSinceV10"),
]

GREETING = {"messages": ["hello"]}


@tool
def look_up(word: str) -> str:
    """Look a word up."""
    return word.upper()


@tool
def weigh(word: str) -> int:
    """Weigh a word."""
    return len(word)


def both_tools() -> list[list[ToolCall]]:
    """Return one answer that calls both tools."""
    return [
        [
            {"name": "look_up", "args": {"word": "owl"}, "id": "call-1", "type": "tool_call"},
            {"name": "weigh", "args": {"word": "owl"}, "id": "call-2", "type": "tool_call"},
        ]
    ]


def asking(name: str | None = None) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Return a graph of one node that calls a model."""
    model = Talker()
    graph = StateGraph(State)
    graph.add_node("ask", lambda state: {"messages": [model.invoke(state["messages"])]})
    graph.set_entry_point("ask")
    return graph.compile(name=name)


def of_one_node(
    node: Any, *, name: str = "ask", schema: Any = State, **settings: Any
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Return a graph of one node."""
    graph = StateGraph(schema)
    graph.add_node(name, node, **settings)
    graph.set_entry_point(name)
    return graph.compile()


def fanning_out() -> Any:
    """Return a graph that sends each item to a node of its own."""
    graph = StateGraph(Count)
    graph.add_node("split", lambda _: {"total": 0})
    graph.add_node("work", lambda state: {"total": state["items"][0]})
    graph.add_conditional_edges(
        "split", lambda state: [Send("work", {"items": [item]}) for item in state["items"]]
    )
    graph.set_entry_point("split")
    return graph.compile()


def side_by_side() -> Any:
    """Return a graph of two nodes in one step."""
    graph = StateGraph(Count)
    for name in ("left", "right"):
        graph.add_node(name, lambda _: {"total": 1})
        graph.add_edge("__start__", name)
    return graph.compile()


def branching() -> Any:
    """Return a graph that chooses its second node by a function."""
    graph = StateGraph(Count)
    graph.add_node("first", lambda _: {"total": 1})
    graph.add_node("second", lambda _: {"total": 1})
    graph.add_conditional_edges("first", lambda _: "second")
    graph.set_entry_point("first")
    return graph.compile()


def going_on_in_parent() -> Any:
    """Return a graph whose subgraph sends the parent to its next node."""
    inner = StateGraph(State)
    inner.add_node("leave", lambda _: Command(goto="after", graph=Command.PARENT))
    inner.set_entry_point("leave")
    graph = StateGraph(State)
    graph.add_node("sub", inner.compile(name="inner"), destinations=("after",))
    graph.add_node("after", lambda _: {"messages": ["done"]})
    graph.set_entry_point("sub")
    return graph.compile()


def calling_tools() -> Any:
    """Return a graph whose tool node runs two tools at once."""
    model = Talker(calls=both_tools())
    graph = StateGraph(State)
    graph.add_node("ask", lambda state: {"messages": [model.invoke(state["messages"])]})
    graph.add_node("tools", ToolNode([look_up, weigh]))
    graph.set_entry_point("ask")
    graph.add_edge("ask", "tools")
    return graph.compile()


def functional() -> Any:
    """Return an entrypoint that runs two tasks at once and calls a model itself."""

    @task
    def double(number: int) -> int:
        return 2 * number

    @task
    def ask(prompt: str) -> str:
        return str(Talker().invoke(prompt).content)

    @entrypoint()
    def flow(number: int) -> int:
        doubled, answer = double(number), ask("how much?")
        Talker(model_name="own").invoke("so?")
        return doubled.result() + len(answer.result())

    return flow


def functional_async() -> Any:
    """Return an async entrypoint whose task runs a task."""

    @task
    async def inner(number: int) -> int:
        return 2 * number

    @task
    async def outer(number: int) -> int:
        return await inner(number)

    @entrypoint()
    async def flow(number: int) -> int:
        return await outer(number)

    return flow


def prompting() -> Any:
    """Return a chain of prompt, model and parser."""
    prompt = ChatPromptTemplate.from_messages([("user", "{question}")])
    return prompt | Talker() | StrOutputParser()


@dataclass(frozen=True, slots=True)
class Case:
    """What people build, and the tree of one call of it.

    Attributes:
        name: of the case.
        build: makes it.
        given: its input.
        tree: of a call.
        calls: the ways to call it.
        in_order: whether it runs one thing after another.
    """

    name: str
    build: Callable[[], Any]
    given: Any
    tree: list[str]
    calls: tuple[Call, ...] = (INVOKE, AINVOKE, STREAM, ASTREAM)
    in_order: bool = True

    def __str__(self) -> str:
        return self.name


GRAPH_ASKS = ["invoke_workflow LangGraph", "  node ask", "    chat talker"]


def branch(_: State) -> str:
    """Choose the end."""
    return "__end__"


def ending_at_once() -> Any:
    """Return a subgraph that ends before its first node."""
    graph = StateGraph(State)
    graph.add_node("never", lambda _: {})
    graph.set_conditional_entry_point(branch, ["never", "__end__"])
    return graph.compile(name="inner")


@tool
def delegate(word: str) -> str:
    """Hand a word on to an agent of no name."""
    agent: Any = create_agent(Talker(), [])
    return str(agent.invoke({"messages": [word]})["messages"][-1].text)


def delegating_call() -> ToolCall:
    """Return a model's call of that tool."""
    return {"name": "delegate", "args": {"word": "owl"}, "id": "call-9", "type": "tool_call"}


INNER_ASKS = ["    invoke_workflow inner", "      node ask", "        chat talker"]
AGENT_WORKS = [
    "invoke_agent helper",
    *["  node model", "    chat talker"] * 2,
    *["  node tools", "    execute_tool look_up"],
    *["  node tools", "    execute_tool weigh"],
]

CASES = [
    Case("a model", Talker, "hello", ["chat talker"], MODEL_CALLS),
    Case(
        "a completion model",
        lambda: FakeListLLM(responses=["yes"]),
        "hello",
        ["text_completion FakeListLLM"],
    ),
    Case("a tool", lambda: look_up, {"word": "owl"}, ["execute_tool look_up"]),
    Case("a graph of one node", asking, GREETING, GRAPH_ASKS, GRAPH_CALLS),
    Case(
        "a subgraph as a node",
        lambda: of_one_node(asking("inner"), name="sub"),
        GREETING,
        ["invoke_workflow LangGraph", "  node sub", *INNER_ASKS],
        GRAPH_CALLS,
    ),
    Case(
        "a subgraph invoked inside a node",
        lambda: of_one_node(lambda state: asking("inner").invoke(state), name="sub"),
        GREETING,
        ["invoke_workflow LangGraph", "  node sub", *INNER_ASKS],
        PLAIN_CALLS,
    ),
    Case(
        "a subgraph in which no node runs",
        lambda: of_one_node(ending_at_once(), name="sub"),
        GREETING,
        ["invoke_workflow LangGraph", "  node sub", "    invoke_workflow inner"],
        PLAIN_CALLS,
    ),
    Case(
        "nodes in one step",
        side_by_side,
        {"total": 0},
        ["invoke_workflow LangGraph", "  node left", "  node right"],
        PLAIN_CALLS,
        in_order=False,
    ),
    Case(
        "a fan-out by Send",
        fanning_out,
        {"items": [1, 2, 3]},
        ["invoke_workflow LangGraph", "  node split", *["  node work"] * 3],
        GRAPH_CALLS,
    ),
    Case(
        "a branch function",
        branching,
        {"total": 0},
        ["invoke_workflow LangGraph", "  node first", "  node second"],
    ),
    Case(
        "a command to the parent graph",
        going_on_in_parent,
        GREETING,
        [
            "invoke_workflow LangGraph",
            "  node sub",
            "    invoke_workflow inner",
            "      node leave",
            "  node after",
        ],
    ),
    Case(
        "a tool node with parallel calls",
        calling_tools,
        GREETING,
        [
            "invoke_workflow LangGraph",
            "  node ask",
            "    chat talker",
            "  node tools",
            "    execute_tool look_up",
            "    execute_tool weigh",
        ],
        PLAIN_CALLS,
        in_order=False,
    ),
    Case(
        "create_agent",
        lambda: create_agent(Talker(calls=both_tools()), [look_up, weigh], name="helper"),
        GREETING,
        AGENT_WORKS,
        GRAPH_CALLS,
        in_order=False,
    ),
    Case(
        "create_agent as a node",
        lambda: of_one_node(
            create_agent(Talker(calls=both_tools()), [look_up, weigh], name="helper"), name="team"
        ),
        GREETING,
        ["invoke_workflow LangGraph", "  node team", *[f"    {line}" for line in AGENT_WORKS]],
        in_order=False,
    ),
    Case(
        "create_agent, nameless, in a tool of another",
        lambda: create_agent(Talker(calls=[[delegating_call()]]), [delegate], name="boss"),
        GREETING,
        [
            "invoke_agent boss",
            *["  node model", "    chat talker"] * 2,
            *["  node tools", "    execute_tool delegate"],
            *["      invoke_agent", "        node model", "          chat talker"],
        ],
        in_order=False,
    ),
    Case(
        "create_react_agent",
        lambda: create_react_agent(Talker(calls=both_tools()), [look_up, weigh], name="helper"),
        GREETING,
        [
            line.replace("node model", "node agent").replace("invoke_agent", "invoke_workflow")
            for line in AGENT_WORKS
        ],
        PLAIN_CALLS,
        in_order=False,
    ),
    Case(
        "the functional API",
        functional,
        2,
        [
            "invoke_workflow LangGraph",
            "  node flow",
            "    chat own",
            "    node ask",
            "      chat talker",
            "    node double",
        ],
        in_order=False,
    ),
    Case(
        "the functional API, async",
        functional_async,
        2,
        ["invoke_workflow LangGraph", "  node flow", "    node outer", "      node inner"],
        (AINVOKE, ASTREAM),
    ),
    Case("a chain", prompting, {"question": "why?"}, ["RunnableSequence", "  chat talker"]),
    Case(
        "a chain inside a node",
        lambda: of_one_node(lambda _: {"messages": [prompting().invoke({"question": "why?"})]}),
        GREETING,
        GRAPH_ASKS,
    ),
    Case(
        "a chain as a node",
        lambda: of_one_node(
            RunnableLambda(lambda state: state["messages"])
            | Talker()
            | (lambda message: {"messages": [message]})
        ),
        GREETING,
        GRAPH_ASKS,
        PLAIN_CALLS,
    ),
    Case(
        "models side by side",
        lambda: RunnableParallel(a=Talker(model_name="a"), b=Talker(model_name="b")),
        "hello",
        ["RunnableParallel<a,b>", "  chat a", "  chat b"],
        in_order=False,
    ),
    Case(
        "a branch of a chain",
        lambda: RunnableBranch((lambda _: True, Talker()), Talker(model_name="other")),
        "hello",
        ["RunnableBranch", "  chat talker"],
    ),
    Case(
        "a model inside a function",
        lambda: RunnableLambda(lambda question: Talker().invoke(question)),
        "hello",
        ["RunnableLambda", "  chat talker"],
        PLAIN_CALLS,
    ),
]


def each_call(cases: list[Case]) -> list[Any]:
    """Return each case with each of its calls, named by both."""
    return [pytest.param(case, call, id=f"{case}-{call}") for case in cases for call in case.calls]


@pytest.mark.parametrize(("case", "call"), each_call(CASES))
def test_one_call_is_one_trace(traced: Traced, case: Case, call: Call) -> None:
    """Every way of calling what people build makes the same tree."""
    call.run(case.build(), case.given, traced.config())
    assert span_tree(traced.collector, in_order=case.in_order) == case.tree


def batched(runnable: Any, config: Any) -> None:
    """Call a batch of two."""
    runnable.batch([GREETING, GREETING], config)


def batched_as_completed(runnable: Any, config: Any) -> None:
    """Call a batch of two, as they are done."""
    list(runnable.batch_as_completed([GREETING, GREETING], config))


def abatched(runnable: Any, config: Any) -> None:
    """Call a batch of two in an event loop."""
    asyncio.run(runnable.abatch([GREETING, GREETING], config))


def abatched_as_completed(runnable: Any, config: Any) -> None:
    """Call a batch of two in an event loop, as they are done."""

    async def run() -> None:
        await drain(runnable.abatch_as_completed([GREETING, GREETING], config))

    asyncio.run(run())


BATCHES = (batched, batched_as_completed, abatched, abatched_as_completed)


@pytest.mark.parametrize("batch", BATCHES)
def test_each_input_of_a_batch_is_a_trace(traced: Traced, batch: Any) -> None:
    """A batch of a graph makes a trace of each of its inputs."""
    batch(asking(), traced.config())
    assert traced.tree == GRAPH_ASKS * 2
    assert len({span.trace_id for span in traced.spans}) == 2


@pytest.mark.parametrize("batch", BATCHES)
def test_a_batch_inside_a_node_is_beneath_it(traced: Traced, batch: Any) -> None:
    """Each input of a batch that a node makes is beneath the node."""
    graph = of_one_node(lambda _: batch(asking("inner"), None) or {"messages": ["done"]})
    graph.invoke(GREETING, traced.config())
    assert traced.tree == ["invoke_workflow LangGraph", "  node ask", *INNER_ASKS, *INNER_ASKS]


@pytest.mark.parametrize("call", [INVOKE, AINVOKE], ids=str)
def test_a_tool_says_what_it_is(traced: Traced, call: Call) -> None:
    """The span of a tool has its name, type, description and the id of the call it answers."""
    call.run(calling_tools(), GREETING, traced.config())
    span = traced.span("execute_tool look_up")
    told = {name: span.attributes[name] for name in span.attributes if "gen_ai.tool" in name}
    assert told == {
        "gen_ai.tool.name": "look_up",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.description": "Look a word up.",
        "gen_ai.tool.call.id": "call-1",
    }


@pytest.mark.parametrize("call", [INVOKE, AINVOKE], ids=str)
def test_a_cached_answer_is_marked(traced: Traced, call: Call) -> None:
    """An answer from LangChain's cache is marked as such, and reports no usage again."""
    model = Talker(cache=AnswerCache(), reports_usage=True)
    for _ in range(2):
        call.run(model, "hello", traced.config())
    asked, cached = traced.spans
    assert "nodespan.cached" not in asked.attributes
    assert asked.attributes["gen_ai.usage.output_tokens"] == 3
    assert cached.attributes["nodespan.cached"] is True
    assert "gen_ai.usage.output_tokens" not in cached.attributes


@pytest.mark.parametrize("way", ["explicit", "told"])
def test_a_call_with_callbacks_of_its_own_is_beneath_its_node(traced: Traced, way: str) -> None:
    """A node that passes the handler, or its config, to its model has the model beneath it."""

    def ask(_: State, config: RunnableConfig) -> State:
        given = config if way == "told" else {"callbacks": [traced.handler]}
        return {"messages": [Talker().invoke("hello", given)]}

    of_one_node(ask).invoke(GREETING, traced.config())
    assert traced.tree == GRAPH_ASKS


def caching() -> Any:
    """Return a graph of two nodes, of which a cache has the first from a call before."""
    graph = StateGraph(Count)
    graph.add_node("work", lambda _: {"total": 1}, cache_policy=CachePolicy())
    graph.add_node("after", lambda _: {"total": 1})
    graph.set_entry_point("work")
    graph.add_edge("work", "after")
    return graph.compile(cache=NodeCache())


def caching_task() -> Any:
    """Return an entrypoint whose task a cache has from a call before."""

    @task(cache_policy=CachePolicy())
    def double(number: int) -> int:
        return 2 * number

    @entrypoint(cache=NodeCache())
    def flow(number: int) -> int:
        return double(number).result()

    return flow


@pytest.mark.parametrize("call", [INVOKE, AINVOKE, STREAM, ASTREAM], ids=str)
@pytest.mark.parametrize("traced", ["instrument"], indirect=True)
def test_a_cached_node_is_marked(traced: Traced, call: Call) -> None:
    """A node or a task that a cache answers for has a span, marked as cached."""
    graph, flow = caching(), caching_task()
    for _ in range(2):
        traced.collector.clear()
        call.run(graph, {"total": 0}, traced.config())
        call.run(flow, 2, traced.config())
    assert span_tree(traced.collector, "nodespan.cached", "langgraph.step") == [
        "invoke_workflow LangGraph",
        "  node work [nodespan.cached=True, langgraph.step=1]",
        "  node after [langgraph.step=2]",
        "invoke_workflow LangGraph",
        "  node flow [langgraph.step=0]",
        "    node double [nodespan.cached=True, langgraph.step=0]",
    ]


@pytest.mark.parametrize("traced", ["handler"], indirect=True)
def test_a_cached_node_is_told_to_no_handler(traced: Traced) -> None:
    """LangGraph tells no callback of a node that it does not run: that takes `instrument`."""
    graph = caching()
    for _ in range(2):
        traced.collector.clear()
        graph.invoke({"total": 0}, traced.config())
    assert traced.tree == ["invoke_workflow LangGraph", "  node after"]


@pytest.mark.parametrize("call", [INVOKE, AINVOKE], ids=str)
def test_noise_has_spans_where_it_is_asked_for(call: Call) -> None:
    """Every runnable has a span then, under its own name, and what is known keeps its own."""
    inner = of_one_node(lambda _: {"messages": [prompting().invoke({"question": "why?"})]})
    graph = StateGraph(State)

    def call_inner(state: State) -> Any:
        return inner.invoke(state)

    graph.add_node("sub", RunnableLambda(call_inner))
    graph.add_conditional_edges("sub", branch)
    graph.set_entry_point("sub")
    with capture_spans(all_runnables=True) as captured:
        call.run(graph.compile(), GREETING, {"callbacks": [captured.handler]})
    assert captured.tree == [
        "invoke_workflow LangGraph",
        "  node sub",
        "    call_inner",
        "      invoke_workflow LangGraph",
        "        node ask",
        "          RunnableSequence",
        "            ChatPromptTemplate",
        "            chat talker",
        "            StrOutputParser",
        "    branch",
    ]
