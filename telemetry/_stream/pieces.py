"""Which chunks, and which events of a stream, carry a piece of a model's answer (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# What a content block may have beside its piece of the answer.
_BESIDE: Final = frozenset(
    {"annotations", "citations", "extras", "id", "index", "signature", "type"}
)
# Where a block of LangChain's own has its piece; those of other types have data, or come whole.
_PIECES: Final = {
    "text": "text",
    "reasoning": "reasoning",
    "tool_call_chunk": "args",
    "server_tool_call_chunk": "args",
}
_CALLS: Final = ("tool_call_chunk", "server_tool_call_chunk")
# What providers' packages put a piece of the answer under, beside a chunk's content.
_BESIDE_CONTENT: Final = (
    *("reasoning_content", "reasoning", "function_call", "refusal", "audio", "tool_outputs"),
    "executed_tools",
)
_REASONING_BESIDE: Final = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
_REASONING_TYPES: Final = ("reasoning", "thinking", "reasoning_content")
_WHOLE: Final = ("image", "audio", "video", "file", "non_standard")


def carries_content(token: Any, chunk: Any) -> bool:
    """Say whether a chunk of a stream carries a piece of the answer, and not metadata alone.

    Args:
        token: the chunk's text, or its content blocks.
        chunk: LangChain's chunk, where it gives one.
    """
    if isinstance(token, list):
        return any(map(_block_carries_content, token)) or _calls_a_tool(chunk)
    return bool(token) or _calls_a_tool(chunk)


def delta_carries_content(event: Mapping[str, Any]) -> bool:
    """Say whether the delta of a content block carries a piece of the answer.

    Before langchain-core 1.7 a call has a delta for its name, whose arguments are empty.
    """
    delta = event.get("delta", {})
    return not (delta.get("text") == "" or (delta.get("fields") or {}).get("args") == "")


def start_carries_content(event: Mapping[str, Any]) -> bool:
    """Say whether the start of a content block carries a piece of the answer.

    A block that comes in one piece has a start and no delta; a call has its name there.
    """
    block = event.get("content", {})
    kind = block.get("type")
    return kind in _WHOLE or (kind in _CALLS and bool(block.get("name")))


def shows_reasoning(token: Any, chunk: Any) -> bool:
    """Say whether a chunk of a stream carries a piece of the model's reasoning."""
    if isinstance(token, list) and any(map(_is_reasoning, token)):
        return True
    extra = getattr(getattr(chunk, "message", None), "additional_kwargs", None)
    return any(map(extra.get, _REASONING_BESIDE)) if extra else False


def event_shows_reasoning(event: Mapping[str, Any]) -> bool:
    """Say whether an event of a stream carries a piece of the model's reasoning."""
    delta = event.get("delta")
    return isinstance(delta, dict) and bool(delta.get("reasoning"))


def _is_reasoning(block: Any) -> bool:
    return (
        isinstance(block, dict)
        and block.get("type") in _REASONING_TYPES
        and _block_carries_content(block)
    )


def deltas_around(chunk: Any, block: Any) -> tuple[int, int]:
    """Return in how many deltas LangChain reports a chunk: before a block, and from it on.

    Args:
        chunk: LangChain's chunk.
        block: one of its content blocks.
    """
    blocks = chunk.message.content_blocks
    deltas = [bool(each.get(_PIECES.get(each["type"], "data"))) for each in blocks]
    place = blocks.index(block) if block in blocks else 0
    return sum(deltas[:place]), sum(deltas[place:])


def _block_carries_content(block: Any) -> bool:
    if not isinstance(block, dict):
        return bool(block)
    return any(value for key, value in block.items() if key not in _BESIDE)


def _calls_a_tool(chunk: Any) -> bool:
    message = getattr(chunk, "message", None)
    if message is None:
        return False
    extra = getattr(message, "additional_kwargs", None) or {}
    calls = getattr(message, "tool_call_chunks", None)
    return bool(calls or any(map(extra.get, _BESIDE_CONTENT)))
