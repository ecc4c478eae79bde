"""From choices to the tools of an agent."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from langchain_core.tools import BaseTool, tool
from langchain_core.utils.function_calling import convert_to_openai_tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .own import Own


def make_tools(chosen: Sequence[Own]) -> list[BaseTool]:
    """Make the tools that were chosen.

    Raises:
        typer.BadParameter: One of them is no tool, or a model could not be told what it does.
    """
    return [_tool(each) for each in chosen]


def _tool(chosen: Own) -> BaseTool:
    found = chosen.load()
    if not isinstance(found, BaseTool):
        _require_described(chosen, found)
    try:
        made = found if isinstance(found, BaseTool) else tool(found)
        convert_to_openai_tool(made)
    except Exception as error:  # whatever pydantic makes of the annotations
        said = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise chosen.bad(f"'{chosen}' cannot be described to a model: {said}") from error
    return made


def _require_described(chosen: Own, found: Any) -> None:
    """Make sure that *found* is a function, and says all that a model has to know about it."""
    if not inspect.isroutine(found):
        raise chosen.bad(
            f"'{chosen}' is {_described(found)}; a tool is a function, or a LangChain tool"
        )
    if not (found.__doc__ or "").strip():
        raise chosen.bad(f"'{chosen}' has no docstring, which tells the model what it does")
    if missing := _unannotated(found):
        raise chosen.bad(
            f"'{chosen}' has no annotation for {missing!r}, which tells the model what to give it"
        )


def _described(found: object) -> str:
    if isinstance(found, type):
        return f"the class {found.__name__}"
    return f"an object of type {type(found).__name__}"


def _unannotated(function: Any) -> str | None:
    """The first parameter that has no annotation."""
    parameters = inspect.signature(function).parameters.values()
    return next((each.name for each in parameters if each.annotation is each.empty), None)
