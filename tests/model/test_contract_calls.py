"""What holds for every model that calls tools: half a call is none, and a bad one is told."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any

import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import BaseModel

from nodespan.graph import build_agent
from nodespan.model import AnswerCutOffError, CustomChatModel, ScriptedChatModel, cut_off_by
from support.calling import AFTER_RESULT, CALLING, TOOL, invalid_whole

pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")

HALF = ['{"to": "Ann", "amo', '{"to": "Ann", "amount": 4', '{"to": ["Ann"', '{"to": "A\\']
CUT = ["length", "content_filter", "max_tokens", "MAX_TOKENS", "SAFETY", "error"]


@pytest.fixture(params=CALLING)
def make(request: pytest.FixtureRequest) -> Any:
    """Make a model of each kind, that calls the tool with these arguments."""
    open_models: list[Any] = []

    def made(arguments: str, reason: str = "tool_calls") -> Any:
        opened = CALLING[request.param](arguments, reason)
        open_models.append(opened)
        return opened.__enter__()

    yield made
    for each in open_models:
        each.__exit__(None, None, None)


async def _answers(model: CustomChatModel) -> list[AIMessage]:
    """Ask in every way that there is."""
    bound: Any = model.bind_tools([_tool([])])
    return [
        bound.invoke("Hi"),
        reduce(add, bound.stream("Hi")),
        bound.stream_events("Hi", version="v3").output,
        await bound.ainvoke("Hi"),
        reduce(add, [each async for each in bound.astream("Hi")]),
    ]


def _tool(made: list[Any]) -> Any:
    @tool(TOOL)
    def pay(to: Any = None, amount: int = 0) -> str:
        """Pay somebody."""
        made.append((to, amount))
        return "paid"

    return pay


@pytest.mark.parametrize("arguments", HALF)
async def test_a_call_that_is_cut_off_is_invalid(make: Any, arguments: str) -> None:
    """However the model is asked, nothing is made of half of the arguments."""
    for answer in await _answers(make(arguments, "length")):
        assert answer.tool_calls == []
        (call,) = answer.invalid_tool_calls
        assert call["name"] == TOOL
        assert call["id"]
        assert str(call["args"]).startswith(arguments)
        assert "max_tokens" in f"{call['error']}{call['args']}"


@pytest.mark.parametrize("reason", CUT)
def test_an_answer_that_is_cut_off_calls_nothing(make: Any, reason: str) -> None:
    """A call that happens to be whole when the answer is cut off is not made either."""
    answer = make('{"to": "Ann", "amount": 4}', reason).bind_tools([_tool([])]).invoke("Hi")
    assert answer.tool_calls == []
    (call,) = answer.invalid_tool_calls
    assert call["args"] == '{"to": "Ann", "amount": 4}'
    assert cut_off_by(answer.response_metadata) in call["error"]


@pytest.mark.parametrize("arguments", ["null", " null ", "", "{}"])
async def test_no_arguments_are_empty_ones(make: Any, arguments: str) -> None:
    """`null` is what some servers send for none."""
    model = make(arguments)
    by_schema = type(model).__name__ == "Constrained" or "tool_calling='json_schema'" in repr(model)
    if by_schema and arguments != "{}":
        pytest.skip("a schema has an object there")
    for answer in await _answers(model):
        assert [call["args"] for call in answer.tool_calls] == [{}]
        assert not answer.invalid_tool_calls


@pytest.mark.parametrize("mode", ["invoke", "ainvoke", "stream"])
async def test_an_agent_makes_no_call_of_a_cut_answer(make: Any, mode: str) -> None:
    """The tool does not run; the model is told, with the limit, and can answer."""
    made: list[Any] = []
    agent = build_agent(make('{"to": "Ann", "amount": 4', "length"), [_tool(made)])
    given: Any = {"messages": [HumanMessage("Pay Ann 42.")]}
    if mode == "invoke":
        messages = agent.invoke(given)["messages"]
    elif mode == "ainvoke":
        messages = (await agent.ainvoke(given))["messages"]
    else:
        modes: Any = ["messages", "values"]
        messages = [part for kind, part in agent.stream(given, stream_mode=modes)][-1]["messages"]
    assert made == []
    _, answer, told, last = messages
    assert isinstance(told, ToolMessage)
    assert (told.status, told.tool_call_id) == ("error", answer.invalid_tool_calls[0]["id"])
    assert "max_tokens" in str(told.text)
    assert last.text == AFTER_RESULT


@pytest.mark.parametrize("arguments", ["{to: Ann}", "[1]", "4", '"Ann"', '{"to": "Ann"}}'])
def test_an_agent_tells_of_arguments_that_are_no_object(arguments: str) -> None:
    """The model gets a tool message that repeats them, and the run does not end in silence."""
    made: list[Any] = []
    for kind in ("sync", "async", "scripted", "openai"):
        with CALLING[kind](arguments, "tool_calls") as model:
            agent = build_agent(model, [_tool(made)])
            _, _, told, last = agent.invoke({"messages": [HumanMessage("Hi")]})["messages"]
        assert told.status == "error"
        assert arguments in told.text
        assert last.text == AFTER_RESULT
    assert made == []


def test_invalid_calls_that_are_given_whole_are_told() -> None:
    """So are those that the author of a model gives as invalid, streamed or not."""
    made: list[Any] = []
    agent = build_agent(invalid_whole('{"to": "Ann', "stop"), [_tool(made)])
    given: Any = {"messages": [HumanMessage("Hi")]}
    assert agent.invoke(given)["messages"][-1].text == AFTER_RESULT
    values = list(agent.stream(given, stream_mode=["messages", "values"]))
    assert values[-1][1]["messages"][-1].text == AFTER_RESULT
    assert made == []


def test_a_call_without_an_id_is_made_and_answered() -> None:
    """It gets an id, so that its result can be told."""
    made: list[Any] = []
    call: Any = {"name": TOOL, "args": {"to": "Ann"}, "id": None}
    script = [AIMessage("", tool_calls=[call]), AFTER_RESULT]
    agent = build_agent(ScriptedChatModel(script), [_tool(made)])
    _, answer, result, last = agent.invoke({"messages": [HumanMessage("Hi")]})["messages"]
    assert made == [("Ann", 0)]
    assert result.tool_call_id == answer.tool_calls[0]["id"] != None  # noqa: E711 - both
    assert last.text == AFTER_RESULT


def test_calls_that_never_end_reach_the_step_limit() -> None:
    """A model that always calls so is stopped by LangGraph's limit."""
    bad = [
        AIMessageChunk(
            content="",
            tool_call_chunks=[{"name": TOOL, "args": "{", "id": "a", "index": 0, "type": None}],  # type: ignore[typeddict-item]
        )
    ]
    agent = build_agent(ScriptedChatModel([bad], repeat=True), [_tool([])])
    with pytest.raises(RecursionError):
        agent.invoke({"messages": [HumanMessage("Hi")]}, {"recursion_limit": 5})


class Order(BaseModel):
    """An order."""

    name: str
    quantity: int


def _says(text: str, reason: str) -> ScriptedChatModel:
    end = AIMessageChunk(content="", response_metadata={"finish_reason": reason})
    return ScriptedChatModel([[text, end]], repeat=True)


@pytest.mark.parametrize("schema", [Order, Order.model_json_schema()], ids=["class", "schema"])
@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
@pytest.mark.parametrize("reason", ["length", "content_filter", "stop"])
async def test_half_of_the_data_is_not_parsed(schema: Any, method: str, reason: str) -> None:
    """Nothing is made of it, and the error names what cut it off, where that is known."""
    model = _says('{"name": "Ana", "quantity": 4', reason)
    asked = model.with_structured_output(schema, method=method)
    kind = OutputParserException if reason == "stop" else AnswerCutOffError
    with pytest.raises(kind, match=reason if reason != "stop" else "Invalid json"):
        asked.invoke("Hi")
    with pytest.raises(kind):
        await asked.ainvoke("Hi")
    with pytest.raises(kind):
        list(asked.stream("Hi"))
    raw: Any = model.with_structured_output(schema, method=method, include_raw=True).invoke("Hi")
    assert raw["parsed"] is None
    assert isinstance(raw["parsing_error"], kind)


@pytest.mark.parametrize("schema", [Order, Order.model_json_schema()], ids=["class", "schema"])
def test_half_of_a_call_is_not_parsed(schema: Any) -> None:
    """So it is with data that comes as a call."""
    for reason, kind in (("length", AnswerCutOffError), ("tool_calls", OutputParserException)):
        part: Any = {"name": "Order", "args": '{"name": "Ana", "quantity": 4', "id": "a"}
        call = AIMessageChunk(content="", tool_call_chunks=[{**part, "index": 0}])
        end = AIMessageChunk(content="", response_metadata={"finish_reason": reason})
        model = ScriptedChatModel([[call, end]], repeat=True)
        asked = model.with_structured_output(schema, method="function_calling")
        with pytest.raises(kind):
            asked.invoke("Hi")
        with pytest.raises(kind):
            list(asked.stream("Hi"))


@pytest.mark.parametrize("fence", ["{}", "```json\n{}\n```", "Here:\n```\n{}\n```"])
def test_whole_data_is_parsed(fence: str) -> None:
    """Also inside a code fence."""
    text = fence.replace("{}", '{"name": "Ana", "quantity": 42}')
    asked: Any = _says(text, "stop").with_structured_output(Order)
    assert asked.invoke("Hi") == Order(name="Ana", quantity=42)
    assert list(asked.stream("Hi"))[-1] == Order(name="Ana", quantity=42)


def test_a_thread_whose_tool_raised_goes_on(make: Any) -> None:
    """The next request on the thread is well-formed, and the state is what it was."""

    @tool(TOOL)
    def pay(**_: Any) -> str:
        """Pay somebody."""
        raise RuntimeError("no network")

    agent = build_agent(make('{"to": "Ann", "amount": 4}'), [pay], checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    with pytest.raises(RuntimeError):
        agent.invoke({"messages": [HumanMessage("Pay Ann.")]}, config)
    with pytest.raises(RuntimeError):  # it is called again
        agent.invoke({"messages": [HumanMessage("Go on.")]}, config)
    state = agent.get_state(config).values["messages"]
    assert [each.type for each in state] == ["human", "ai", "human", "ai"]
