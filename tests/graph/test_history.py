"""What goes to the model is well-formed, whatever a thread's state holds."""

from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from nodespan.graph import build_agent, chat_node
from nodespan.model import ScriptedChatModel


def _call(call_id: str | None = "a", **args: Any) -> Any:
    return {"name": "pay", "args": args, "id": call_id, "type": "tool_call"}


def _result(text: str, call_id: str = "a") -> ToolMessage:
    return ToolMessage(text, tool_call_id=call_id)


def _told(messages: list[Any], **options: Any) -> list[BaseMessage]:
    """What an agent's model is given for a state."""
    model = ScriptedChatModel(["ok"])
    build_agent(model, **options).invoke({"messages": messages})
    return list(model.calls[0].messages)


def _short(messages: list[BaseMessage]) -> list[str]:
    return [f"{each.type}: {each.text}" for each in messages]


HI = HumanMessage("hi", id="hi")
CALL = AIMessage("", tool_calls=[_call()], id="call")
NO_RESULT = "tool: There is no result: the call was broken off before it was answered."


def test_what_is_in_order_stays() -> None:
    """A well-formed conversation goes out as it is."""
    messages = [SystemMessage("Be brief.", id="s"), HI, CALL, _result("paid"), HumanMessage("so?")]
    told = _told(messages)
    assert _short(told) == ["system: Be brief.", "human: hi", "ai: ", "tool: paid", "human: so?"]


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        pytest.param([HI, CALL, HI], ["human: hi", "ai: ", NO_RESULT, "human: hi"], id="no result"),
        pytest.param([HI, CALL], ["human: hi", "ai: ", NO_RESULT], id="no result, last"),
        pytest.param(
            [HI, CALL, HumanMessage("so?"), _result("paid")],
            ["human: hi", "ai: ", "tool: paid", "human: so?"],
            id="a late result",
        ),
        pytest.param(
            [HI, CALL, _result("paid"), _result("twice")],
            ["human: hi", "ai: ", "tool: paid"],
            id="two results",
        ),
        pytest.param([_result("paid"), HI], ["human: hi"], id="a result of no call"),
        pytest.param(
            [HI, AIMessage("", tool_calls=[_call("a"), _call("b")]), _result("two", "b")],
            ["human: hi", "ai: ", NO_RESULT, "tool: two"],
            id="one result of two",
        ),
        pytest.param(
            [HI, CALL, _result("one"), AIMessage("", tool_calls=[_call()]), _result("two")],
            ["human: hi", "ai: ", "tool: one", "ai: ", "tool: two"],
            id="an id that is used again",
        ),
        pytest.param(
            [HI, AIMessage("", tool_calls=[_call(), _call()]), _result("one"), _result("two")],
            ["human: hi", "ai: ", "tool: one", "tool: two"],
            id="one id for two calls",
        ),
        pytest.param([HI, AIMessage(""), HI], ["human: hi", "human: hi"], id="an empty answer"),
    ],
)
def test_calls_and_results_are_paired(messages: list[BaseMessage], told: list[str]) -> None:
    """Each call has one result, right behind it, in the order of the calls."""
    # Without ids, since LangGraph would take messages with the same one for the same.
    given = [each.model_copy(update={"id": None}) for each in messages]
    sent = _told(given)
    assert _short(sent) == told
    for position, message in enumerate(sent):
        if isinstance(message, AIMessage) and message.tool_calls:
            ids = [call["id"] for call in message.tool_calls]
            assert len(set(ids)) == len(ids)
            results: Any = sent[position + 1 : position + 1 + len(ids)]
            assert [each.tool_call_id for each in results] == ids


def test_a_call_that_cannot_be_read_is_one_that_can() -> None:
    """Servers that read the arguments of old calls find JSON there, and the result says what was.

    A call without an id gets one.
    """
    broken: Any = {"name": "pay", "args": '{"to"', "id": "a", "error": "no JSON"}
    invalid = AIMessage("", tool_calls=[_call(None, to="Bob")], invalid_tool_calls=[broken])
    _, answer, *results = _told([HI, invalid, _result("no JSON")])
    assert isinstance(answer, AIMessage)
    assert not answer.invalid_tool_calls
    assert [(call["name"], call["args"]) for call in answer.tool_calls] == [
        ("pay", {"to": "Bob"}),
        ("pay", {}),
    ]
    assert all(call["id"] for call in answer.tool_calls)
    assert _short(results) == [NO_RESULT, "tool: no JSON"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([SystemMessage("Two.")], "One.\n\nTwo."),
        ([SystemMessage("Two."), SystemMessage("Three.")], "One.\n\nTwo.\n\nThree."),
        ([SystemMessage("One.")], "One."),
        ([HI, SystemMessage("Two.")], "One.\n\nTwo."),
        ([("system", "Two.")], "One.\n\nTwo."),
        ([SystemMessage([{"type": "text", "text": "Two."}])], None),
    ],
)
def test_one_system_message_goes_out(given: list[Any], told: str | None) -> None:
    """The agent's own comes first, then the state's; what both say is said once."""
    first, *others = _told([*given, HI], system_prompt="One.")
    assert first.type == "system"
    assert not any(each.type == "system" for each in others)
    if told is None:
        assert first.content == [{"type": "text", "text": t} for t in ("One.", "Two.")]
    else:
        assert first.content == told


async def test_a_tool_that_raises_does_not_ruin_its_thread() -> None:
    """Later requests are answered, and the state is not rewritten."""

    @tool
    def pay() -> str:
        """Pay."""
        raise RuntimeError("no network")

    model = ScriptedChatModel([CALL, "I could not pay.", "Really."])
    agent = build_agent(model, [pay], checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    with pytest.raises(RuntimeError, match="no network"):
        agent.invoke({"messages": [HI]}, config)

    answer = agent.invoke({"messages": [("human", "so?")]}, config)
    await agent.ainvoke({"messages": [("human", "really?")]}, config)

    assert answer["messages"][-1].text == "I could not pay."
    assert _short(list(model.calls[1].messages)) == ["human: hi", "ai: ", NO_RESULT, "human: so?"]
    kept = agent.get_state(config).values["messages"]
    assert [each.type for each in kept] == ["human", "ai", "human", "ai", "human", "ai"]


def test_a_node_mends_where_it_is_asked_to() -> None:
    """`chat_node` gives the state as it is, or in order, by its option."""
    given: Any = {"messages": [HI, CALL, HumanMessage("so?")]}
    for mends, told in ((False, 3), (True, 4)):
        model = ScriptedChatModel(["ok"])
        builder = StateGraph(MessagesState)
        builder.add_node("chat", chat_node(model, mend_history=mends))
        builder.add_edge(START, "chat").compile().invoke(given)
        assert len(model.calls[0].messages) == told


def test_a_direct_tool_that_failed_has_not_the_last_word() -> None:
    """The model gets to see that its call could not be made, and may try again."""

    @tool(return_direct=True)
    def pay(amount: int) -> str:
        """Pay."""
        return f"paid {amount}"

    script = [
        AIMessage("", tool_calls=[_call(amount="x")]),
        AIMessage("", tool_calls=[_call("b", amount=4)]),
    ]
    agent = build_agent(ScriptedChatModel(script), [pay])
    assert agent.invoke({"messages": [HI]})["messages"][-1].text == "paid 4"
