"""The calls of tools in a model's answer: those that are made, and those that cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.messages.tool import invalid_tool_call
from langgraph.prebuilt import ToolNode
from langgraph.runtime import Runtime  # noqa: TC002 - LangGraph reads the annotation
from langgraph.utils.runnable import RunnableCallable  # type: ignore[attr-defined]  # no __all__

from ..model import cut_off_by
from ._history import as_messages, restored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage, InvalidToolCall
    from langchain_core.runnables import RunnableConfig
    from langchain_core.tools import BaseTool

_SHOWN: Final = 500


def asks_for_tools(message: object) -> bool:
    """Whether an answer calls tools, or tries to."""
    if not isinstance(message, AIMessage):
        return False
    answer = restored(message)
    return bool(answer.tool_calls or answer.invalid_tool_calls)


def checked(answer: BaseMessage) -> BaseMessage:
    """Give an answer whose calls can be made: each has an id, and none is half of one.

    LangChain mends the arguments of a call that was cut off, of whichever provider.
    """
    if not isinstance(answer, AIMessage) or not asks_for_tools(answer):
        return answer
    invalid = [_with_id(call) for call in answer.invalid_tool_calls]
    calls = [_with_id(call) for call in answer.tool_calls]
    if cut_off := cut_off_by(answer.response_metadata):
        invalid = [*(_broken(call, cut_off) for call in calls), *invalid]
        calls = []
    if calls == answer.tool_calls and invalid == answer.invalid_tool_calls:
        return answer
    return answer.model_copy(update={"tool_calls": calls, "invalid_tool_calls": invalid})


def _with_id(call: Any) -> Any:
    return call if call["id"] else {**call, "id": f"call_{uuid4().hex[:24]}"}


def _broken(call: Any, cut_off: str) -> InvalidToolCall:
    # What LangChain made of the arguments is not what the model wrote: nobody is to read it.
    error = f"the answer was cut off by {cut_off}"
    return invalid_tool_call(name=call["name"], args="", id=call["id"], error=error)


class CallsNode(RunnableCallable):
    """Calls the tools, and tells the model about each call that cannot be read.

    Engines that run nodes elsewhere take its functions, which is why these do all.
    """

    def __init__(self, tools: Sequence[BaseTool]) -> None:
        super().__init__(self._call, self._acall, name="tools", trace=False, recurse=False)
        self._tools = ToolNode(tools)

    def _call(self, state: Any, config: RunnableConfig, runtime: Runtime) -> Any:
        state = _with_messages(state)
        return _with_refusals(self._tools.invoke(state, config, runtime=runtime), state)

    async def _acall(self, state: Any, config: RunnableConfig, runtime: Runtime) -> Any:
        state = _with_messages(state)
        return _with_refusals(await self._tools.ainvoke(state, config, runtime=runtime), state)


def _with_messages(state: Any) -> Any:
    return {**state, "messages": as_messages(state["messages"])}


def _with_refusals(update: Any, state: Any) -> Any:
    """Add to an update of the state, which is a list where tools have returned a `Command`."""
    refusals = [_refusal(call) for call in last_answer(state["messages"]).invalid_tool_calls]
    if not refusals:
        return update
    if isinstance(update, list):
        return [*update, {"messages": refusals}]
    return {"messages": [*update["messages"], *refusals]}


def last_answer(messages: Sequence[BaseMessage]) -> AIMessage:
    """Find the last answer of the model."""
    return next(each for each in reversed(messages) if isinstance(each, AIMessage))


def _refusal(call: InvalidToolCall) -> ToolMessage:
    arguments = (call["args"] or "")[:_SHOWN]
    given = f" Given were: {arguments}" if arguments else ""
    return ToolMessage(
        f"The call was not made: {call['error'] or 'its arguments are no JSON object'}."
        f"{given}\nCall the tool again, with its arguments as one whole JSON object.",
        name=call["name"] or "",
        tool_call_id=call["id"],
        status="error",
    )
