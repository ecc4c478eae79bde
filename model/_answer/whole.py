"""The whole of an answer: its chunks added up, with what LangChain leaves out of the sum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.language_models.chat_models import generate_from_stream

from .calls import original_arguments, reported_invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import InvalidToolCall
    from langchain_core.outputs import ChatGenerationChunk, ChatResult


def whole(chunks: Sequence[ChatGenerationChunk]) -> ChatResult:
    """Add an answer's chunks up.

    LangChain's sum has no name, and does not say what is wrong with an invalid call.
    """
    result = generate_from_stream(iter(chunks))
    message: Any = result.generations[0].message
    message.name = next((chunk.message.name for chunk in chunks if chunk.message.name), None)
    if message.invalid_tool_calls:
        messages: Any = (chunk.message for chunk in chunks)
        originals = {call["id"]: call for each in messages for call in reported_invalid(each)}
        message.invalid_tool_calls = [
            _original(call, originals) for call in message.invalid_tool_calls
        ]
    return result


def _original(
    call: InvalidToolCall, originals: dict[str | None, InvalidToolCall]
) -> InvalidToolCall:
    arguments = call["args"] and original_arguments(call["args"])
    return originals.get(call["id"]) or {**call, "args": arguments}
