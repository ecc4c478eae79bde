"""LangChain's messages in the form that OpenAI-compatible servers read (pure).

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.messages.utils import convert_to_openai_messages

from .._errors import BadRequestError
from .provider_fields import fields_of_call, fields_to_return

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage


def to_request_messages(messages: Sequence[BaseMessage], server: str) -> list[dict[str, Any]]:
    """Write messages down for a request.

    A model's own messages are told by their text and tool calls. What else came with them goes
    back to the server that they came from, and to no other.

    Args:
        messages: The conversation.
        server: The server's address.

    Raises:
        BadRequestError: If there is no message, or one holds what cannot be sent; it names
            the message, not what is in it.
    """
    if not messages:
        raise BadRequestError("there is no message to answer; give at least one")
    return [
        converted
        for number, message in enumerate(messages, 1)
        for converted in _convert(number, message, server)
    ]


def _convert(number: int, message: BaseMessage, server: str) -> list[dict[str, Any]]:
    if isinstance(message, AIMessage):
        return [_convert_answer(message, server)]
    try:
        converted = convert_to_openai_messages([message])  # several, where it holds results
    except (ValueError, TypeError, KeyError):
        raise BadRequestError(
            f"message {number} ({message.type}) cannot be sent to an OpenAI-compatible server: "
            f"it holds {_kinds(message)}"
        ) from None  # the cause would show the content
    if isinstance(message, ToolMessage):
        converted[0].pop("name", None)  # not in the protocol; the call's id says whose result it is
    return converted


def _convert_answer(message: AIMessage, server: str) -> dict[str, Any]:
    plain = message.model_copy(update={"content": [str(message.text), *_calls_in(message)]})
    converted = convert_to_openai_messages([plain])[0]
    # A call that could not be parsed has been answered with an error: both belong to the talk.
    unparsed = [_unparsed_call(call) for call in message.invalid_tool_calls]
    calls = [*converted.get("tool_calls", ()), *unparsed]
    if calls:
        converted["tool_calls"] = [
            {**call, **fields_of_call(message, call.get("id"), server)} for call in calls
        ]
        converted["content"] = converted["content"] or None
    return {**converted, **fields_to_return(message, server)}


def _calls_in(message: AIMessage) -> list[Any]:
    """Find the tool calls that another provider's message holds among its blocks."""
    blocks = message.content if isinstance(message.content, list) else []
    return [
        block for block in blocks if isinstance(block, dict) and block.get("type") == "tool_use"
    ]


def _unparsed_call(call: Any) -> dict[str, Any]:
    function = {"name": call["name"], "arguments": call["args"] or ""}
    return {"type": "function", "id": call["id"], "function": function}


def _kinds(message: BaseMessage) -> str:
    blocks = message.content if isinstance(message.content, list) else []
    kinds = {str(block.get("type")) for block in blocks if isinstance(block, dict)}
    return ", ".join(sorted(kinds)) or type(message.content).__name__
