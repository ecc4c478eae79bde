"""What a span is named after is what runs, and never what one call of it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import ToolCall
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.graph import StateGraph
from pydantic import BaseModel

from nodespan.graph import build_agent
from support.everything import QUESTION
from support.signals import Signals, record_signals
from support.strangers import AINVOKE, INVOKE, STREAM, Call, State, Talker

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.traced import Traced

CALL = ToolCall(name="ask", args={"question": "why"}, id="call-1", type="tool_call")
every_call = pytest.mark.parametrize("call", [INVOKE, AINVOKE, STREAM], ids=str)


def workflow() -> Any:
    """Return a graph that is no agent."""
    graph = StateGraph(State)
    graph.add_node("talk", lambda _state: {"messages": ["so it is"]})
    graph.set_entry_point("talk")
    return graph.compile(name="flow")


MAKERS: dict[str, Callable[..., Any]] = {
    "build_agent": lambda model, tools, name: build_agent(model, tools, name=name),
    "create_agent": lambda model, tools, name: create_agent(model, tools, name=name),
}
GRAPHS: dict[str, Callable[[], Any]] = {
    "invoke_workflow flow": workflow,
    "invoke_agent clerk": lambda: build_agent(Talker(), name="clerk"),
    "invoke_agent clerk 2": lambda: create_agent(Talker(), name="clerk"),
}


def metric_names(signals: Signals, key: str) -> set[Any]:
    """Return the values that an attribute has on metrics."""
    points = [point for metric in signals.metrics for point in metric.data.data_points]
    return {point.attributes[key] for point in points if key in point.attributes}


@every_call
@pytest.mark.parametrize("is_bound", [False, True])
@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_keeps_its_name(name: str, is_bound: bool, call: Call) -> None:
    """A run's name is an attribute of its own, and on no metric."""
    graph = GRAPHS[name]()
    with record_signals() as signals:
        if is_bound:
            call.run(graph.with_config(run_name="request 7"), QUESTION, signals.config)
        else:
            call.run(graph, QUESTION, {**signals.config, "run_name": "request 7"})
        root = next(span for span in signals.spans if span.parent_id is None)
        assert root.name == name.removesuffix(" 2")
        assert root.attributes["langchain.run_name"] == "request 7"
        assert [s for s in signals.spans if "langchain.run_name" in s.attributes] == [root]
        told = metric_names(signals, "gen_ai.agent.name")
        assert told | metric_names(signals, "gen_ai.workflow.name") == {root.name.split()[1]}


class Library(BaseRetriever):
    """Finds nothing."""

    def _get_relevant_documents(self, *_: Any, **__: Any) -> list[Any]:
        return []


@tool
def ask(question: str) -> str:
    """Ask."""
    return question


def test_a_tool_and_a_retriever_keep_their_names() -> None:
    """They are called what they are, and their runs are called as they were called."""
    with record_signals() as signals:
        config: Any = {**signals.config, "run_name": "request 7"}
        ask.invoke({"question": "why"}, config)
        Library().invoke("why", config)
        Library().invoke("why", signals.config)
        told = [(s.name, s.attributes.get("langchain.run_name")) for s in signals.spans]
        assert told == [
            ("execute_tool ask", "request 7"),
            ("retrieval library", "request 7"),
            ("retrieval Library", None),
        ]
        assert metric_names(signals, "gen_ai.tool.name") == {"ask"}


@pytest.mark.parametrize("call", [INVOKE, AINVOKE], ids=str)
@pytest.mark.parametrize("inner", MAKERS)
@pytest.mark.parametrize("outer", MAKERS)
def test_an_agent_in_a_tool_of_another_has_its_own_name(outer: str, inner: str, call: Call) -> None:
    """So has what is beneath each of them."""
    helper = MAKERS[inner](Talker(calls=[[CALL]]), [ask], "inner")

    @tool
    def help_(question: str) -> str:
        """Ask another."""
        helper.invoke({"messages": [question]})
        return "so it is"

    call_help: Any = {"name": "help_", "args": {"question": "why"}, "id": "1", "type": "tool_call"}
    agent = MAKERS[outer](Talker(calls=[[call_help]]), [help_], "outer")
    with record_signals() as signals:
        call.run(agent, QUESTION, signals.config)
        told = {
            span.name: span.attributes.get("gen_ai.agent.name")
            for span in signals.spans
            if span.name.startswith(("invoke", "execute"))
        }
    assert told == {
        "invoke_agent outer": "outer",
        "execute_tool help_": "outer",
        "invoke_agent inner": "inner",
        "execute_tool ask": "inner",
    }


def test_an_agent_without_a_name_has_none() -> None:
    """LangGraph's name for what has none is nobody's name, on metrics neither."""
    with record_signals() as signals:
        create_agent(Talker(calls=[[CALL]]), [ask]).invoke(QUESTION, signals.config)
        names = {span.name for span in signals.spans}
        assert {"invoke_agent", "execute_tool ask"} <= names
        assert not [s for s in signals.spans if "gen_ai.agent.name" in s.attributes]
        assert metric_names(signals, "gen_ai.agent.name") == set()


@every_call
def test_a_hidden_root_is_one_trace(call: Call, traced: Traced) -> None:
    """A call is one trace, though its root is marked as one that nobody wants to see."""
    agent = create_agent(Talker(calls=[[CALL]]), [ask], name="clerk")
    call.run(agent, QUESTION, traced.config(tags=["langsmith:hidden"]))
    roots = [span.name for span in traced.spans if span.parent_id is None]
    assert roots == ["invoke_agent clerk"]
    assert len({span.trace_id for span in traced.spans}) == 1


class Answer(BaseModel):
    """An answer."""

    text: str = ""


@every_call
def test_fallbacks_without_a_fall_have_no_span(call: Call, traced: Traced) -> None:
    """Where nothing is to be seen beneath them there is nothing to tell."""
    steps = RunnableLambda(lambda value: value).with_fallbacks([RunnableLambda(lambda _: None)])
    call.run(RunnableLambda(lambda value: value) | steps, "hello", traced.config())
    assert [span.name for span in traced.spans] == ["RunnableSequence"]


@pytest.mark.parametrize("call", [INVOKE, AINVOKE], ids=str)
def test_fallbacks_with_a_fall_have_a_span(call: Call, traced: Traced) -> None:
    """Where something fell back, or a model is beneath them, they have one."""

    def fail(_: object) -> object:
        raise ValueError

    falling = RunnableLambda(fail).with_fallbacks([RunnableLambda(lambda value: value)])
    model = Talker().with_fallbacks([Talker()])
    call.run(RunnableLambda(lambda value: value) | falling | model, "hello", traced.config())
    names = [span.name for span in traced.spans]
    assert sorted(names) == [
        "RunnableSequence",
        "RunnableWithFallbacks",
        "RunnableWithFallbacks",
        "chat talker",
    ]
