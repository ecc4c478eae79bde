"""Tools and structured output as LangChain asks for them, in OpenAI's format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool

from .._errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_core.tools import BaseTool

_REQUIRED = ("any", "required", True)
_AS_THEY_ARE = ("auto", "none")
_METHODS = ("json_schema", "json_mode", "function_calling")


def tool_definitions(
    tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
    *,
    strict: bool | None = None,
) -> list[dict[str, Any]]:
    """Describe tools of any kind that LangChain knows."""
    return [convert_to_openai_tool(tool, strict=strict) for tool in tools]


def definitions_to_count(tools: Sequence[Any]) -> list[dict[str, Any]]:
    """Describe tools of any kind; dictionaries stay as they are, also of a server's own kind."""
    return [tool if isinstance(tool, dict) else convert_to_openai_tool(tool) for tool in tools]


def tool_name(definition: dict[str, Any]) -> str:
    """Read a tool's name off its definition."""
    return str(definition["function"]["name"])


def tool_choice_for(
    choice: str | bool | dict[str, Any] | None,
    definitions: Sequence[dict[str, Any]],
) -> str | dict[str, Any] | None:
    """Spell a choice of tool as OpenAI does.

    Args:
        choice: "auto", "none", "any", "required", `True`, a tool's name, or OpenAI's own form.
        definitions: The tools to choose from.

    Raises:
        BadRequestError: If it names a tool that is not among them.
    """
    if choice is None or choice is False:
        return None
    if choice in _REQUIRED:
        return "required"
    if choice in _AS_THEY_ARE:
        return str(choice)
    name = choice["function"]["name"] if isinstance(choice, dict) else choice
    names = [tool_name(definition) for definition in definitions]
    if name not in names:
        raise BadRequestError(
            f"tool_choice {name!r} is none of the tools ({', '.join(names) or 'there are none'}), "
            "nor 'auto', 'any', 'required' or 'none'"
        )
    return {"type": "function", "function": {"name": name}}


def check_method(method: str) -> None:
    """Refuse a method of structured output that does not exist.

    Raises:
        BadRequestError: It names the method, and those that there are.
    """
    if method not in _METHODS:
        raise BadRequestError(
            f"{method!r} is no method of structured output; use {', '.join(map(repr, _METHODS))}"
        )


def response_format_for(schema: dict[str, Any] | type, method: str) -> dict[str, Any]:
    """Ask for JSON, of a schema or of any."""
    if method == "json_mode":
        return {"type": "json_object"}
    json_schema = convert_to_json_schema(schema)
    return {
        "type": "json_schema",
        "json_schema": {"name": json_schema["title"], "schema": json_schema, "strict": True},
    }
