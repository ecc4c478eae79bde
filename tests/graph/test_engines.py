"""What engines need that run an agent's nodes elsewhere, and keep its state as JSON."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage, messages_to_dict
from langchain_core.messages.tool import invalid_tool_call, tool_call
from langgraph.graph import add_messages
from langgraph.runtime import Runtime

from nodespan.graph import build_agent
from nodespan.graph.served import agent as served
from nodespan.model import ScriptedChatModel

if TYPE_CHECKING:
    from collections.abc import Callable


def weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"Sunny in {city}."


ASKS = AIMessage("", tool_calls=[tool_call(name="weather", args={"city": "Bern"}, id="call-1")])
CANNOT_BE_READ = AIMessage(
    "",
    invalid_tool_calls=[invalid_tool_call(name="weather", args='{"ci', id="call-1", error=None)],
)


class WithoutThreads(asyncio.SelectorEventLoop):
    """An event loop that has no threads, as that of a workflow of Temporal's."""

    def run_in_executor(self, *_: Any) -> Any:
        """Refuse."""
        raise NotImplementedError


def functions(*answers: AIMessage | str) -> dict[str, Callable[..., Any]]:
    """The functions of an agent's nodes, which an engine calls by itself."""
    nodes = build_agent(ScriptedChatModel(answers), tools=[weather]).builder.nodes
    found: dict[str, Any] = {name: node.runnable for name, node in nodes.items()}
    return {name: runnable.func for name, runnable in found.items()}


def stored(*messages: Any) -> dict[str, Any]:
    """A state as an engine gives it to a node: messages are dicts."""
    return {"messages": [each.model_dump(mode="json") for each in messages]}


def test_the_way_is_asked_without_a_thread() -> None:
    """Which node is next is known in an event loop without threads."""

    async def answer() -> Any:
        agent = build_agent(ScriptedChatModel([ASKS, "Sunny."]), tools=[weather])
        way = agent.builder.branches["model"]["_after_model"].path
        return await way.ainvoke({"messages": [ASKS]})

    with asyncio.Runner(loop_factory=WithoutThreads) as runner:
        assert runner.run(answer()) == "tools"


@pytest.mark.parametrize("answer", [ASKS, CANNOT_BE_READ])
def test_tools_are_called_from_a_stored_state(answer: AIMessage) -> None:
    """A call is made, or refused, where the answer with it was stored as JSON."""
    call = functions("")["tools"]
    update = call(stored(answer), {"configurable": {}}, runtime=Runtime())
    (result,) = update["messages"]
    assert isinstance(result, ToolMessage)
    assert result.tool_call_id == "call-1"
    assert (result.status == "error") == (answer is CANNOT_BE_READ)


def test_a_call_that_cannot_be_read_ends_no_agent() -> None:
    """The model is told of it where its answer comes back from another process as JSON."""
    (restored,) = add_messages([], stored(CANNOT_BE_READ)["messages"])
    way = build_agent(ScriptedChatModel([""]), tools=[weather]).builder.branches["model"]
    assert way["_after_model"].path.invoke({"messages": [restored]}) == "tools"


def test_the_model_is_asked_from_a_stored_state() -> None:
    """A stored conversation goes to the model whole, with its calls and their results."""
    said = [ASKS, ToolMessage("Sunny in Bern.", tool_call_id="call-1")]
    asked: list[Any] = []

    class Recording(ScriptedChatModel):
        def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            asked.extend(messages)
            return super()._generate(messages, *args, **kwargs)

    node = build_agent(Recording(["Sunny."]), tools=[weather]).builder.nodes["model"]
    found: Any = node.runnable
    found.func(stored(*said), {})
    assert messages_to_dict(asked) == messages_to_dict(said)


def test_the_server_has_the_commands_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent that is served answers by the model that `NODESPAN_MODEL` names, or echoes."""
    said = {"messages": [("user", "Meow!")]}
    assert served().invoke(said)["messages"][-1].text == "Meow!"
    monkeypatch.setenv("NODESPAN_MODEL", "own_models:RecallingChatModel")
    monkeypatch.syspath_prepend("tests/programs")
    assert served().invoke(said)["messages"][-1].text == "[human: Meow!]"


@pytest.mark.parametrize(
    "name", ["nowhere:at_all", "own_broken:model", "./missing.gguf", "http://127.0.0.1:9/v1"]
)
def test_a_model_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A server does not start with a variable that names no model, and says which."""
    monkeypatch.syspath_prepend("tests/programs")
    monkeypatch.setenv("NODESPAN_MODEL", name)
    with pytest.raises(ValueError, match="NODESPAN_MODEL is no model that can be served: "):
        served()
