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
    return _ERROR in _statuses(output, depth=3)


def _statuses(value: object, depth: int) -> Iterator[object]:
    """Give what the messages of tools say of themselves; LangGraph takes them as dictionaries."""
    if isinstance(value, ToolMessage):
        yield value.status
    elif isinstance(value, dict) and "tool_call_id" in value:
        yield value.get("status")
    elif isinstance(value, Command):
        yield from _statuses(value.update, depth)
    elif isinstance(value, dict) and depth:
        yield from _statuses(value.get("messages"), depth - 1)
    elif isinstance(value, list | tuple) and depth:
        for item in value[:_MOST_LOOKED_AT]:
            yield from _statuses(item, depth - 1)
