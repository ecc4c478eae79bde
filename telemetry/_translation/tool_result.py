"""Whether a tool has failed whose failure was answered to the model (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from langchain_core.messages import ToolMessage
from langgraph.types import Command

if TYPE_CHECKING:
    from collections.abc import Iterator

# What the conventions for MCP call a tool's own failure; the exception is gone by then.
TOOL_ERROR: Final = "tool_error"
_ERROR: Final = "error"
_MOST_LOOKED_AT: Final = 1_000


def tells_failure(output: object) -> bool:
    """Say whether a tool's result is, or holds, a message that says that the tool has failed.

    Args:
        output: a message, a `Command` that adds some to a state, or a list of either.
    """
    return any(message.status == _ERROR for message in _messages(output, depth=3))


def _messages(value: object, depth: int) -> Iterator[ToolMessage]:
    if isinstance(value, ToolMessage):
        yield value
    elif isinstance(value, Command):
        yield from _messages(value.update, depth)
    elif isinstance(value, dict) and depth:
        yield from _messages(value.get("messages"), depth - 1)
    elif isinstance(value, list | tuple) and depth:
        for item in value[:_MOST_LOOKED_AT]:
            yield from _messages(item, depth - 1)
