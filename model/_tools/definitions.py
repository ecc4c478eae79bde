"""Tools and structured output as LangChain asks for them, in OpenAI's format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from pydantic import BaseModel

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
    """Describe tools of any kind that LangChain knows.

    A dictionary that describes no function is a tool of the provider's own, and stays as it is.
    """
    return [_definition(tool, strict) for tool in tools]


def _definition(tool: Any, strict: bool | None) -> dict[str, Any]:
    if isinstance(tool, dict) and _is_providers(tool):
        return tool
    definition = convert_to_openai_tool(tool)
    function = dict(definition.get("function") or {})
    if (schema := _recursive_schema(tool)) is not None:
        function["parameters"] = schema
    if strict is not None:
        function["strict"] = strict
    return {**definition, "function": function} if function else definition


def _is_providers(tool: dict[str, Any]) -> bool:
    """Whether a provider's server calls it, as LangChain's packages tell such tools."""
    kind = tool.get("type")
    is_schema = "title" in tool or "properties" in tool
    is_known_form = "function" in tool or "parameters" in tool or "input_schema" in tool
    if kind is None:
        return not (is_schema or is_known_form or "name" in tool)
    return kind not in {"function", "object"} and not (is_schema or is_known_form)


def _recursive_schema(tool: Any) -> dict[str, Any] | None:
    """Give the schema of arguments that hold others of their own kind, with its references.

    LangChain writes each reference out, and gives up where that has no end.
    """
    kind = getattr(tool, "tool_call_schema", tool)
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return None
    schema = kind.model_json_schema()
    if not is_recursive(schema):
        return None
    if "$ref" in schema:  # it is one of its own definitions
        schema = {**schema["$defs"][schema["$ref"].rpartition("/")[2]], "$defs": schema["$defs"]}
    return {name: value for name, value in schema.items() if name not in {"title", "description"}}


def is_recursive(schema: dict[str, Any]) -> bool:
    """Whether a definition of a schema refers to itself, by way of others too."""
    below = {name: references(inner) for name, inner in (schema.get("$defs") or {}).items()}
    while free := {name for name, names in below.items() if not names & below.keys()}:
        below = {name: names for name, names in below.items() if name not in free}
    return bool(below)


def references(schema: Any) -> set[str]:
    """Find the definitions that a schema refers to."""
    if isinstance(schema, list):
        return set().union(*map(references, schema))
    if not isinstance(schema, dict):
        return set()
    reference = schema.get("$ref")
    own = {reference.rpartition("/")[2]} if isinstance(reference, str) else set()
    return own.union(*map(references, schema.values()))


def definitions_to_count(tools: Sequence[Any]) -> list[dict[str, Any]]:
    """Describe tools of any kind; dictionaries stay as they are, also of a server's own kind."""
    return [tool if isinstance(tool, dict) else convert_to_openai_tool(tool) for tool in tools]


def tool_name(definition: dict[str, Any]) -> str:
    """Read a tool's name off its definition; a provider's own tool may only have a type."""
    function = definition.get("function")
    named = function if isinstance(function, dict) else definition
    return str(named.get("name") or definition.get("name") or definition.get("type"))


def tool_choice_for(
    choice: Any, definitions: Sequence[dict[str, Any]]
) -> str | dict[str, Any] | None:
    """Spell a choice of tool as OpenAI does.

    Args:
        choice: "auto", "none", "any", "required", `True`, a tool, its name, or the form of any
            of LangChain's packages.
        definitions: The tools to choose from.

    Raises:
        BadRequestError: If it names a tool that is not among them, or is no choice.
    """
    if choice is None or choice is False:
        return None
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        return choice  # OpenAI's own, for a part of the tools
    name = _chosen(choice)
    if name in _REQUIRED:
        return "required"
    if name in _AS_THEY_ARE:
        return str(name)
    names = [tool_name(definition) for definition in definitions]
    if not isinstance(name, str) or name not in names:
        raise BadRequestError(
            f"tool_choice {choice!r} is none of the tools "
            f"({', '.join(names) or 'there are none'}), nor 'auto', 'any', 'required' or 'none'"
        )
    if "function" not in definitions[names.index(name)]:
        return {"type": name}
    return {"type": "function", "function": {"name": name}}


def _chosen(choice: Any) -> Any:
    """Find the name, or the word, in a choice of any form."""
    if isinstance(choice, (list, tuple)) and len(choice) == 1:
        choice = choice[0]
    if isinstance(choice, dict):
        function = choice.get("function")
        named = function.get("name") if isinstance(function, dict) else None
        return named or choice.get("name") or choice.get("type")
    if isinstance(choice, (str, bool)):
        return choice
    return getattr(choice, "name", None) or getattr(choice, "__name__", None)


def check_method(method: str) -> None:
    """Refuse a method of structured output that does not exist.

    Raises:
        BadRequestError: It names the method, and those that there are.
    """
    if method not in _METHODS:
        raise BadRequestError(
            f"{method!r} is no method of structured output; use {', '.join(map(repr, _METHODS))}"
        )


def response_format_for(
    schema: dict[str, Any] | type, method: str, *, strict: bool | None = None
) -> dict[str, Any]:
    """Ask for JSON, of a schema or of any."""
    if method == "json_mode":
        return {"type": "json_object"}
    json_schema = convert_to_json_schema(schema)
    if (recursive := _recursive_schema(schema)) is not None:
        titles = ("title", "description")
        json_schema = {
            name: json_schema[name] for name in titles if name in json_schema
        } | recursive
    return {
        "type": "json_schema",
        "json_schema": {
            "name": json_schema["title"],
            "schema": json_schema,
            "strict": strict is not False,
        },
    }
