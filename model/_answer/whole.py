"""The whole of an answer: its chunks added up, with what LangChain leaves out of the sum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.outputs import ChatGenerationChunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import InvalidToolCall
    from langchain_core.outputs import ChatResult


def whole(chunks: Sequence[ChatGenerationChunk]) -> ChatResult:
    """Add an answer's chunks up.

    LangChain's sum has no name, and takes calls that were told to be invalid for calls that
    are not complete yet.
    """
    invalid = [call for chunk in chunks for call in _told_invalid(chunk)]
    result = generate_from_stream(map(_without_invalid, chunks) if invalid else iter(chunks))
    message: Any = result.generations[0].message
    message.name = next((chunk.message.name for chunk in chunks if chunk.message.name), None)
    message.invalid_tool_calls += invalid
    return result


def _told_invalid(chunk: ChatGenerationChunk) -> list[InvalidToolCall]:
    message: Any = chunk.message
    told: list[InvalidToolCall] = message.invalid_tool_calls
    # What has an index is a part of a call, which may well be no JSON by itself.
    is_part = any(part["index"] is not None for part in message.tool_call_chunks)
    return [] if is_part else told


def _without_invalid(chunk: ChatGenerationChunk) -> ChatGenerationChunk:
    invalid = [(call["id"], call["args"]) for call in _told_invalid(chunk)]
    message: Any = chunk.message
    parts = [part for part in message.tool_call_chunks if (part["id"], part["args"]) not in invalid]
    return ChatGenerationChunk(message=message.model_copy(update={"tool_call_chunks": parts}))
