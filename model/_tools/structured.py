"""Structured output: the data in a whole answer, and never what half of one may have meant."""

from __future__ import annotations

import json
import re
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from langchain_core import exceptions as langchain
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import (
    JsonOutputKeyToolsParser,
    PydanticToolsParser,
)
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

from .._answer.calls import original_arguments
from .._answer.cut_off import cut_off_by
from .._errors import AnswerCutOffError
from .definitions import response_format_for
from .strict import without_added_nulls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage
    from langchain_core.output_parsers import BaseOutputParser
    from langchain_core.runnables import Runnable

_FENCED: Final = re.compile(r"```(?:json)?(.*)```", re.DOTALL | re.IGNORECASE)
_SHOWN: Final = 200


def structured(
    model: Runnable[Any, Any], schema: dict[str, Any] | type, method: str, *, include_raw: bool
) -> Runnable[Any, Any]:
    """Parse what a model answers, into the schema's own type where it is a class of pydantic.

    Args:
        model: The model, with the schema bound to it.
        schema: A class, or a JSON schema.
        method: The method of `with_structured_output`.
        include_raw: Whether to give the message and a parsing error along with the data.
    """
    parser = (_call_parser if method == "function_calling" else _text_parser)(schema)
    if not include_raw:
        return model | parser
    parsed = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
    )
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=model) | parsed.with_fallbacks([failed], exception_key="parsing_error")


def _text_parser(schema: dict[str, Any] | type) -> BaseOutputParser[Any]:
    original = response_format_for(schema, "json_schema")["json_schema"]["schema"]
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return _PydanticText(pydantic_object=schema, original=original)
    return _JsonText(original=original)


def _call_parser(schema: dict[str, Any] | type) -> BaseOutputParser[Any]:
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return _PydanticCall(tools=[schema], first_tool_only=True)
    name = convert_to_openai_tool(schema)["function"]["name"]
    return _JsonCall(key_name=name, first_tool_only=True)


class _JsonText(JsonOutputParser):
    """Reads JSON; a stream's values grow as far as the text has come, and the last is checked."""

    original: dict[str, Any]

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """Return the data, strictly once it is whole, without nulls that were asked for in vain."""
        if _is_going_on(result, partial=partial):
            return super().parse_result(result, partial=True)
        _require_whole(result)
        return without_added_nulls(_strict_json(result[0].text), self.original)


class _PydanticText(PydanticOutputParser[Any]):
    """Reads JSON as an object of a class."""

    original: dict[str, Any]

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """Return the object of the class, from data as above."""
        if _is_going_on(result, partial=partial):
            return super().parse_result(result, partial=True)
        _require_whole(result)
        data = without_added_nulls(_strict_json(result[0].text), self.original)
        return super().parse_result([Generation(text=json.dumps(data, ensure_ascii=False))])


class _JsonCall(JsonOutputKeyToolsParser):
    """Reads a tool call's arguments."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """Return what the calls hold, which have to be whole in the end."""
        if not _is_going_on(result, partial=partial):
            _require_whole(result)
            partial = False
        return super().parse_result(result, partial=partial)


class _PydanticCall(PydanticToolsParser):
    """Reads a tool call's arguments as an object of a class."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """Return the object of what was called, as above."""
        if not _is_going_on(result, partial=partial):
            _require_whole(result)
            partial = False
        return super().parse_result(result, partial=partial)


def _is_going_on(result: Sequence[Generation], *, partial: bool) -> bool:
    message = _message(result)
    is_last = isinstance(message, AIMessageChunk) and message.chunk_position == "last"
    return partial and not is_last


def _message(result: Sequence[Generation]) -> BaseMessage | None:
    return result[0].message if isinstance(result[0], ChatGeneration) else None


def _require_whole(result: Sequence[Generation]) -> None:
    message = _message(result)
    if not isinstance(message, AIMessage):
        return
    if refusal := message.additional_kwargs.get("refusal"):
        raise _refused(str(refusal), message)
    if cut_off := cut_off_by(message.response_metadata):
        raise AnswerCutOffError(
            f"the answer was cut off by {cut_off}, so that its data is not whole; "
            "allow a longer answer, or ask for less",
            llm_output=str(message.text),
        )
    if message.invalid_tool_calls and not message.tool_calls:
        call = message.invalid_tool_calls[0]
        arguments = original_arguments(call["args"] or "")
        raise OutputParserException(
            f"the model's call of {call['name']!r} cannot be read "
            f"({call['error'] or 'its arguments are no JSON'}): {arguments[:_SHOWN]}",
            llm_output=arguments,
        )


def _refused(refusal: str, message: AIMessage) -> Exception:
    text = f"Model refused to produce the requested output: {refusal}"
    # Before 1.7.5 LangChain has no name for it.
    kind: Any = getattr(langchain, "ModelRefusalError", None)
    return OutputParserException(text) if kind is None else kind(text, raw_message=message)


def _strict_json(text: str) -> Any:
    """Read JSON that is whole, also inside a code fence."""
    fenced = _FENCED.search(text)
    for candidate in (text, fenced[1] if fenced else ""):
        try:
            return json.loads(candidate.strip(), strict=False)
        except (ValueError, RecursionError):
            continue
    raise OutputParserException(f"Invalid json output: {text}", llm_output=text)
