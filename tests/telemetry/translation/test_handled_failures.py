"""A tool that fails and whose failure is answered to the model has failed, on every signal."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.tools import BaseTool, InjectedToolCallId, ToolException, tool
from langgraph.graph import StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command

from support.signals import record_signals
from support.strangers import AINVOKE, INVOKE, Call, State, Talker

if TYPE_CHECKING:
    from collections.abc import Callable


def raising() -> BaseTool:
    """Return a tool that raises, and handles it."""

    @tool
    def failing(city: str) -> str:
        """Fail."""
        raise ToolException(city)

    failing.handle_tool_error = True
    return failing


def invalid() -> BaseTool:
    """Return a tool that is called with what it does not take, and handles it."""

    @tool("failing")
    def failing(count: int, city: int = 0) -> str:
        """Fail."""
        return str(count + city)

    failing.handle_validation_error = True
    return failing


def answering() -> BaseTool:
    """Return a tool that says of its own answer that it is a failure."""

    @tool("failing")
    def failing(city: str, call: Annotated[str, InjectedToolCallId]) -> ToolMessage:
        """Fail."""
        return ToolMessage(city, tool_call_id=call, status="error")

    return failing


def commanding() -> BaseTool:
    """Return a tool that says so in an update of the state."""

    @tool("failing")
    def failing(city: str, call: Annotated[str, InjectedToolCallId]) -> Command[Any]:
        """Fail."""
        failure = ToolMessage(city, tool_call_id=call, status="error")
        return Command(update={"messages": [failure]})

    return failing


def commanding_in_words() -> BaseTool:
    """Return a tool whose update has its message as a dictionary."""

    @tool("failing")
    def failing(city: str, call: Annotated[str, InjectedToolCallId]) -> Command[Any]:
        """Fail."""
        failure = {"role": "tool", "content": city, "tool_call_id": call, "status": "error"}
        return Command(update={"messages": [failure]})

    return failing


CALL = ToolCall(name="failing", args={"city": "Bern"}, id="call-1", type="tool_call")
calls = pytest.mark.parametrize("call", [INVOKE, AINVOKE], ids=str)


@calls
@pytest.mark.parametrize("make", [raising, invalid, answering, commanding, commanding_in_words])
def test_a_handled_failure_is_one(
    make: Callable[[], BaseTool], call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    """Span, metric and log line tell it; the model's runs and the graph are unmarked."""
    agent = create_agent(Talker(calls=[[CALL]]), [make()], name="clerk")
    with (
        caplog.at_level(logging.INFO, logger="nodespan.telemetry.runs"),
        record_signals() as signals,
    ):
        call.run(agent, {"messages": [HumanMessage("hello")]}, signals.config)
        failed = [span for span in signals.spans if span.status == "error"]
        (span,) = failed
        assert span.name == "execute_tool failing"
        assert span.attributes["error.type"] == "tool_error"
        assert span.attributes["nodespan.outcome"] == "error"
        assert not [each for each in signals.spans if "nodespan.outcome" in each.attributes][1:]
        (points,) = [
            metric.data.data_points
            for metric in signals.metrics
            if metric.name == "gen_ai.execute_tool.duration"
        ]
        (point,) = points
        assert point.attributes["error.type"] == "tool_error"
    lines = [record for record in caplog.records if "execute_tool" in record.getMessage()]
    assert [(each.levelname, getattr(each, "outcome", None)) for each in lines] == [
        ("INFO", None),
        ("WARNING", "error"),
    ]


@calls
@pytest.mark.parametrize("make", [raising, invalid])
def test_a_failure_that_is_answered_in_text_is_one(
    make: Callable[[], BaseTool], call: Call
) -> None:
    """Where no model has called the tool its result is plain text; it has failed all the same."""
    with record_signals() as signals:
        call.run(make(), {"city": "Bern"}, signals.config)
        (span,) = signals.spans
        assert (span.status, span.attributes["error.type"]) == ("error", "tool_error")


def test_a_tool_node_that_handles_errors_has_a_tool_that_failed() -> None:
    """Its tool's span tells the exception, and its own and the graph's tell nothing."""

    @tool
    def failing(city: str) -> str:
        """Fail."""
        raise ValueError(city)

    graph = StateGraph(State)
    graph.add_node("tools", ToolNode([failing], handle_tool_errors=True))
    graph.set_entry_point("tools")
    with record_signals() as signals:
        given = {"messages": [AIMessage("", tool_calls=[CALL])]}
        graph.compile().invoke(given, signals.config)
        told = {span.name: span.attributes.get("error.type") for span in signals.spans}
    assert told == {
        "execute_tool failing": "ValueError",
        "node tools": None,
        "invoke_workflow LangGraph": None,
    }


@calls
def test_a_tool_that_talks_of_errors_has_not_failed(call: Call) -> None:
    """An answer that only reads like a failure is none."""

    @tool
    def failing(city: str) -> str:
        """Tell of an error."""
        return f"Error: status=error in {city}"

    failing.handle_tool_error = True
    with record_signals() as signals:
        for given in (CALL, {"city": "Bern"}):
            call.run(failing, given, signals.config)
        assert [span.status for span in signals.spans] == ["unset", "unset"]
