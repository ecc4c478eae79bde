"""What `tools` may hold, and who calls it: the agent or the model's provider."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from langchain_core.tools import BaseTool, tool

Tool: TypeAlias = BaseTool | Callable[..., Any] | dict[str, Any]


def parted(tools: Sequence[Tool]) -> tuple[list[BaseTool], list[dict[str, Any]]]:
    """Return the tools that the agent calls, and those that the provider calls.

    Raises:
        TypeError: *tools* is no list, or holds something else.
        ValueError: Two of them have one name, or a model could not be told what one does.
    """
    given: object = tools  # whatever its type says
    if not isinstance(given, Sequence) or isinstance(given, (str, bytes)):
        raise TypeError(f"tools is a list of tools, not an object of type {type(tools).__name__}")
    providers = [each for each in tools if isinstance(each, dict)]
    own = [_as_tool(each) for each in tools if not isinstance(each, dict)]
    _require_distinct(own)
    return own, providers


def _as_tool(candidate: BaseTool | Callable[..., Any]) -> BaseTool:
    if isinstance(candidate, BaseTool):
        return candidate
    if not callable(candidate):
        raise TypeError(f"a tool is a function, a LangChain tool or a dict, not {candidate!r}")
    try:
        return tool(candidate)
    except (TypeError, ValueError) as error:
        name = getattr(candidate, "__name__", repr(candidate))
        raise ValueError(f"{name!r} cannot be a tool: {error}") from error


def _require_distinct(tools: Sequence[BaseTool]) -> None:
    counts = Counter(each.name for each in tools)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise ValueError(
            f"two tools have the name {twice[0]!r}: the model could not tell them apart"
        )
