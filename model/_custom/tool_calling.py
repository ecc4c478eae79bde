"""A chat model that is given tools, and asked for data of a schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._errors import UnsupportedError
from .._tools.definitions import (
    check_method,
    response_format_for,
    tool_choice_for,
    tool_definitions,
    tool_name,
)
from .._tools.structured import structured
from .binding import Bindable, discreet
from .spec import spec_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_core.language_models.base import LanguageModelInput
    from langchain_core.messages import AIMessage
    from langchain_core.runnables import Runnable
    from langchain_core.tools import BaseTool
    from pydantic import BaseModel


class ToolCalling(Bindable):
    """What binds tools and schemas to a model, for a generator that takes them."""

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: Any = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Let the model call tools.

        The generator gets their definitions as `tools`, and the choice as `tool_choice`, both
        in OpenAI's format. For one that takes only `response_format`, a tool call is made of
        an answer that is held to a JSON schema.

        Args:
            tools: Functions, LangChain tools, pydantic classes, or definitions.
            tool_choice: "auto", "none", "any" (or "required", or `True`), a tool or its name, or
                the form that any of LangChain's packages has for it.
            strict: Whether arguments must follow their schema to the letter, where the model
                makes a difference.
            **kwargs: Bound to the model along with the tools.

        Raises:
            UnsupportedError: If the generator takes neither.
            BadRequestError: If `tool_choice` names none of the tools.
        """
        self._require(spec_of(type(self)).takes_tools, "tools", "`tools` or `response_format`")
        definitions = tool_definitions(tools, strict=strict)
        for definition in definitions:
            self._refuse_unfit(definition)
        if "response_format" in kwargs:
            self._checked(kwargs["response_format"])
        choice = tool_choice_for(tool_choice, definitions)
        if choice is not None:
            kwargs["tool_choice"] = choice
        return self.bind(tools=definitions, **kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        include_raw: bool = False,
        method: str | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """Make the model answer with data of a schema.

        Args:
            schema: A pydantic class, a `TypedDict`, or a JSON schema.
            include_raw: Whether to give the message and a parsing error along with the data.
            method: "json_schema" (the default, where the generator takes `response_format`),
                "json_mode" (any JSON), or "function_calling".
            strict: Whether to ask the server to follow the schema to the letter; it is asked
                unless this is `False`, where the schema has a form that servers take so.
            **kwargs: Bound to the model.

        Raises:
            UnsupportedError: If the generator takes neither `response_format` nor `tools`.
            BadRequestError: If there is no such method.
            AnswerCutOffError: On a call, if the answer was cut off: it is not parsed.
        """
        takes_format = spec_of(type(self)).takes("response_format")
        if method is None:
            method = "json_schema" if takes_format else "function_calling"
        check_method(method)
        if method == "function_calling":
            takes_tools = spec_of(type(self)).takes_tools
            self._require(takes_tools, "structured output", "`response_format` or `tools`")
            asked = {"kwargs": {"method": method}, "schema": schema}
            calling = self.bind_tools(
                [schema],
                tool_choice="any",
                strict=strict,
                ls_structured_output_format=asked,
                **kwargs,
            )
            return discreet(structured(calling, schema, method, include_raw=include_raw))
        self._require(takes_format, method, "`response_format`")
        bound = self.bind(
            response_format=self._checked(response_format_for(schema, method, strict=strict)),
            ls_structured_output_format={"kwargs": {"method": method}, "schema": schema},
            **kwargs,
        )
        return discreet(structured(bound, schema, method, include_raw=include_raw))

    def _refuse_unfit(self, definition: dict[str, Any]) -> None:
        """Refuse a tool that the model cannot call."""
        if "function" not in definition and not spec_of(type(self)).takes("tools"):
            raise UnsupportedError(
                f"{type(self).__name__} cannot call the provider's tool {tool_name(definition)!r}"
            )

    def _checked(self, response_format: Any) -> Any:
        """Refuse a format that the model cannot keep to."""
        return response_format

    def _require(self, ability: bool, name: str, parameters: str) -> None:
        if not ability:
            kind = type(self).__name__
            raise UnsupportedError(
                f"{kind} does not support {name}: its generator takes no {parameters}"
            )
