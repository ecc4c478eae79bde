"""Models that call a tool with given arguments, and end for a given reason; one of each kind."""

from __future__ import annotations

import json
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, AIMessageChunk, ToolMessage
from langchain_core.messages.tool import tool_call_chunk

from nodespan.model import CustomChatModel, OpenAICompatibleChatModel, ScriptedChatModel
from support.hostile import USAGE, HostileServer, Reply, chunk, sends

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractContextManager

    from langchain_core.messages import BaseMessage

    from support.hostile import Wire

TOOL = "pay"
AFTER_RESULT = "Done."


def _has_result(messages: list[BaseMessage]) -> bool:
    return isinstance(messages[-1], ToolMessage)


def _pieces(arguments: str, reason: str) -> list[Any]:
    middle = len(arguments) // 2
    parts = [
        tool_call_chunk(name=TOOL, args=arguments[:middle], id="call_a", index=0),
        tool_call_chunk(args=arguments[middle:], index=0),
    ]
    pieces = [AIMessageChunk(content="", tool_call_chunks=[part]) for part in parts]
    return [*pieces, AIMessageChunk(content="", response_metadata={"finish_reason": reason})]


class Calling(CustomChatModel):
    """Calls the tool, until it sees a result."""

    arguments: str
    reason: str = "tool_calls"

    def respond(
        self,
        messages: list[BaseMessage],
        *,
        tools: Any = None,  # noqa: ARG002 - it is what makes a model call tools
    ) -> Iterator[Any]:
        """Yield the call in two parts."""
        yield from [AFTER_RESULT] if _has_result(messages) else _pieces(self.arguments, self.reason)


class AsyncCalling(CustomChatModel):
    """Does so in an async generator."""

    arguments: str
    reason: str = "tool_calls"

    async def arespond(
        self,
        messages: list[BaseMessage],
        *,
        tools: Any = None,  # noqa: ARG002 - it is what makes a model call tools
    ) -> AsyncIterator[Any]:
        """Yield the call in two parts."""
        answer = [AFTER_RESULT] if _has_result(messages) else _pieces(self.arguments, self.reason)
        for piece in answer:
            yield piece


class Constrained(CustomChatModel):
    """Knows nothing of tools, but can be held to a schema."""

    arguments: str
    reason: str = "stop"

    def respond(
        self,
        messages: list[BaseMessage],
        *,
        response_format: Any = None,  # noqa: ARG002 - as above, by schema
    ) -> Iterator[Any]:
        """Write the call as JSON, which ends where the arguments end, if they are cut."""
        if "Result" in str(messages[-1].text):
            yield json.dumps({"answer": AFTER_RESULT})
            return
        yield from _as_json(self.arguments, self.reason)
        yield AIMessageChunk(content="", response_metadata={"finish_reason": self.reason})


def _as_json(arguments: str, reason: str) -> list[str]:
    is_whole = reason in {"stop", "tool_calls"}
    return [f'{{"tool": "{TOOL}", "argu', f'ments": {arguments}' + ("}" if is_whole else "")]


def _serves(arguments: str, reason: str, *, native: bool) -> Reply:
    async def reply(wire: Wire) -> None:
        last = wire.request.body["messages"][-1]
        if last["role"] == "tool" or "Result" in str(last["content"]):
            done = AFTER_RESULT if native else json.dumps({"answer": AFTER_RESULT})
            answer = [chunk(done), chunk(finish="stop")]
        elif native:
            deltas = [
                {"index": 0, "id": "call_a", "function": {"name": TOOL, "arguments": ""}},
                {"index": 0, "function": {"arguments": arguments}},
            ]
            answer = [*(chunk(tool_calls=[delta]) for delta in deltas), chunk(finish=reason)]
        else:
            answer = [*map(chunk, _as_json(arguments, reason)), chunk(finish=reason)]
        await sends(*answer, USAGE, "[DONE]")(wire)

    return reply


@contextmanager
def _served(arguments: str, reason: str, *, native: bool) -> Iterator[OpenAICompatibleChatModel]:
    with HostileServer([_serves(arguments, reason, native=native)]) as server:
        yield OpenAICompatibleChatModel(
            base_url=server.url,
            model_name="tiny",
            tool_calling="native" if native else "json_schema",
        )


def _scripted(arguments: str, reason: str) -> ScriptedChatModel:
    def answer(call: Any) -> Any:
        return AFTER_RESULT if _has_result(call.messages) else _pieces(arguments, reason)

    return ScriptedChatModel(answer)


def invalid_whole(arguments: str, reason: str) -> ScriptedChatModel:
    """Make a model whose author gives a call as invalid, all at once."""
    invalid: Any = {"name": TOOL, "args": arguments, "id": "call_a", "error": None}
    message = AIMessage(
        "", invalid_tool_calls=[invalid], response_metadata={"finish_reason": reason}
    )
    return ScriptedChatModel(lambda call: AFTER_RESULT if _has_result(call.messages) else message)


# Each gives a model that calls the tool with the arguments, and tells the reason.
CALLING: dict[str, Callable[[str, str], AbstractContextManager[CustomChatModel]]] = {
    "sync": lambda args, reason: nullcontext(Calling(arguments=args, reason=reason)),
    "async": lambda args, reason: nullcontext(AsyncCalling(arguments=args, reason=reason)),
    "constrained": lambda args, reason: nullcontext(Constrained(arguments=args, reason=reason)),
    "scripted": lambda args, reason: nullcontext(_scripted(args, reason)),
    "openai": lambda args, reason: _served(args, reason, native=True),
    "openai by schema": lambda args, reason: _served(args, reason, native=False),
}
