"""Tool calls for a model that cannot call tools, but can be held to a JSON schema.

The tools are described to it in the system message, its answer is held to a schema that
allows a call of one of them, and what it writes is read as a tool call. One answer holds one
call.
"""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.utils.json_schema import dereference_refs

from .definitions import is_recursive, tool_choice_for, tool_name
from .reader import CallArguments, CallStart, ConstrainedReader, Event, Text
from .strict import requires_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._answer.answer import Piece

Request: TypeAlias = tuple[list[BaseMessage], dict[str, Any]]
"""Messages, and the keyword arguments to go with them."""

# Limits that the schema holds the answer to: the model need not read of them.
_LIMITS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength"}

# What a result says that is not the last one.
_ASKS_AGAIN = re.compile(
    r"\b(again|retry|re-try|later|pending|not (yet )?(ready|done|finished|complete)|in progress|"
    r"still (running|working|processing)|wait|poll|incomplete|more (results|to come)|next page)\b",
    re.IGNORECASE,
)

_TEXT_ANSWER = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": False,
}


class ConstrainedTurn:
    """One answer that may be a tool call.

    Args:
        messages: The conversation.
        arguments: The call's keyword arguments, `tools` and `tool_choice` among them.
    """

    def __init__(self, messages: Sequence[BaseMessage], arguments: dict[str, Any]) -> None:
        self._arguments = dict(arguments)
        self._tools = self._arguments.pop("tools", None) or []
        choice = tool_choice_for(self._arguments.pop("tool_choice", None), self._tools)
        self._choice: Any = choice or "auto"
        self._messages = [as_text(message) for message in messages]
        may_repeat = self._choice == "auto"
        self._known = _answered_calls(messages) if may_repeat else set()
        self._reader: ConstrainedReader | None = None
        self._call: tuple[str, list[str]] | None = None
        self._asked = False

    def next_request(self) -> Request | None:
        """Tell what to ask the model now, or `None` when the answer is complete.

        A call whose result the conversation already holds is not made again, which a small
        model would do for ever: the model is asked a second time, for a text.
        """
        if not self._asked:
            self._asked = True
            if self._tools and self._choice != "none":
                self._reader = ConstrainedReader()
                # A stop string is meant for what is said, not for the JSON around it.
                no_stop = {"stop": None} if "stop" in self._arguments else {}
                return self._messages_with_tools(), {**self._arguments, **no_stop, **self._format()}
        elif not self._repeats:
            return None
        self._reader, self._call = None, None
        return self._messages, self._arguments

    def read(self, piece: Piece) -> Iterator[Piece]:
        """Turn a piece of the model's text into a piece of the answer."""
        if self._reader is None:
            yield piece
            return
        if isinstance(piece, AIMessageChunk):
            yield piece.model_copy(update={"content": ""})
        text = piece if isinstance(piece, str) else str(piece.text)
        yield from self._told(self._reader.feed(text))

    def end(self) -> Iterator[Piece]:
        """Give what is certain only at the end of the model's text."""
        if self._reader is None:
            return
        yield from self._told(self._reader.end())
        if self._known and self._call is not None and not self._repeats:
            name, arguments = self._call
            yield _call_chunk(name=name, arguments="".join(arguments))

    @property
    def _repeats(self) -> bool:
        return self._call is not None and _canonical(*self._call) in self._known

    def _told(self, events: Iterator[Event]) -> Iterator[Piece]:
        for event in events:
            match event:
                case Text(text):
                    yield text
                case CallStart(name):
                    self._call = (name, [])
                    if not self._known:
                        yield _call_chunk(name=name, arguments="")
                case CallArguments(part):
                    assert self._call is not None  # noqa: S101  # a start came first
                    self._call[1].append(part)
                    if not self._known:
                        yield _call_chunk(arguments=part)

    def _format(self) -> dict[str, Any]:
        definitions: dict[str, Any] = {}
        choices = [_call_schema(tool, definitions) for tool in self._offered()]
        if self._choice == "auto":
            choices.append(self._answer_schema(definitions))
        schema = choices[0] if len(choices) == 1 else {"anyOf": choices}
        # A server that demands all of a schema would get `null` for what is optional.
        mark = {"strict": True} if requires_all(schema) else {}
        if definitions:
            schema = {**schema, "$defs": definitions}
        json_schema = {"name": "answer", "schema": schema, **mark}
        return {"response_format": {"type": "json_schema", "json_schema": json_schema}}

    def _answer_schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        """Describe an answer that is no call: a text, or data where a schema was asked for."""
        wanted = self._arguments.get("response_format") or {}
        if wanted.get("type") not in {"json_schema", "json_object"}:
            return _TEXT_ANSWER
        schema = (wanted.get("json_schema") or {}).get("schema") or {"type": "object"}
        return _object(answer=_standing_alone("answer", schema, definitions))

    def _offered(self) -> list[dict[str, Any]]:
        if not isinstance(self._choice, dict):
            return self._tools
        chosen = self._choice["function"]["name"]
        return [tool for tool in self._tools if tool_name(tool) == chosen]

    def _messages_with_tools(self) -> list[BaseMessage]:
        lines = ["You can call these tools:", *map(_description, self._offered())]
        lines.append('To call a tool, reply with JSON like {"tool": "NAME", "arguments": {...}}.')
        if self._choice == "auto":
            wanted = self._arguments.get("response_format")
            answer = "{...}" if wanted else '"TEXT"'
            lines.append(f'When no tool is needed, reply with JSON like {{"answer": {answer}}}.')
        system = "\n".join(lines)
        first, *rest = self._messages or [HumanMessage("")]
        if isinstance(first, SystemMessage):
            return [SystemMessage(f"{first.text}\n\n{system}"), *rest]
        return [SystemMessage(system), first, *rest] if self._messages else []


def as_text(message: BaseMessage) -> BaseMessage:
    """Write a tool call, or a tool's result, as the text that a plain model can read."""
    if isinstance(message, ToolMessage):
        name = f" of {message.name}" if message.name else ""
        return HumanMessage(f"Result{name}: {message.text}")
    if isinstance(message, AIMessage) and message.tool_calls:
        calls = (_call_text(call["name"], call["args"]) for call in message.tool_calls)
        return AIMessage("\n".join(filter(None, [str(message.text), *calls])))
    return message


def _call_text(name: str, arguments: Any) -> str:
    return json.dumps({"tool": name, "arguments": arguments}, ensure_ascii=False)


def _description(tool: dict[str, Any]) -> str:
    """Describe a tool as a function, which takes fewer tokens than its schema."""
    function = tool["function"]
    schema = function.get("parameters") or {}
    schema = schema if is_recursive(schema) else dereference_refs(schema)
    required = schema.get("required", ())
    arguments = ", ".join(
        _argument(name, property_, is_optional=name not in required)
        for name, property_ in schema.get("properties", {}).items()
    )
    says = " ".join(function.get("description", "").split())
    return f"- {function['name']}({arguments}): {says}"


def _argument(name: str, schema: dict[str, Any], *, is_optional: bool) -> str:
    plain = set(schema) <= {"type", "description", "title", "default"} | _LIMITS
    kind = str(schema["type"]) if plain and "type" in schema else json.dumps(schema)
    says = f" ({schema['description']})" if plain and "description" in schema else ""
    return f"{name}{'?' if is_optional else ''}: {kind}{says}"


def _call_schema(tool: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    function = tool["function"]
    name, parameters = function["name"], function.get("parameters") or {"type": "object"}
    arguments = _standing_alone(name, parameters, definitions)
    return _object(tool={"const": name}, arguments=arguments)


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _standing_alone(
    name: str, schema: dict[str, Any], definitions: dict[str, Any]
) -> dict[str, Any]:
    """Make a schema that can stand inside another.

    What it refers to is written out; where that has no end, it moves to the *definitions* of the
    whole, under a name of its own.
    """
    if not is_recursive(schema):
        written_out: dict[str, Any] = dereference_refs(schema)
        return {key: value for key, value in written_out.items() if key != "$defs"}
    own = schema["$defs"]
    names = {each: f"{name}_{each}" for each in own}
    definitions.update({names[each]: _renamed(inner, names) for each, inner in own.items()})
    moved = _renamed({key: value for key, value in schema.items() if key != "$defs"}, names)
    return cast("dict[str, Any]", moved)


def _renamed(schema: Any, names: dict[str, str]) -> Any:
    if isinstance(schema, list):
        return [_renamed(each, names) for each in schema]
    if not isinstance(schema, dict):
        return schema
    renamed = {key: _renamed(value, names) for key, value in schema.items()}
    reference = schema.get("$ref")
    if isinstance(reference, str) and (name := reference.rpartition("/")[2]) in names:
        renamed["$ref"] = f"#/$defs/{names[name]}"
    return renamed


def _call_chunk(*, arguments: str, name: str | None = None) -> AIMessageChunk:
    call_id = f"call_{uuid.uuid4().hex[:24]}" if name is not None else None
    chunk = tool_call_chunk(name=name, args=arguments, id=call_id, index=0)
    return AIMessageChunk(content="", tool_call_chunks=[chunk])


def _answered_calls(messages: Sequence[BaseMessage]) -> set[str]:
    """Find the calls since the last question of a person that have a result.

    One whose result is a failure, or asks to call again, may be made again.
    """
    known: dict[str | None, str] = {}
    answered: set[str] = set()
    for message in messages:
        if isinstance(message, HumanMessage):
            answered.clear()
        elif isinstance(message, AIMessage):
            for call in message.tool_calls:
                known[call["id"]] = _canonical(call["name"], [json.dumps(call["args"])])
        elif isinstance(message, ToolMessage) and message.tool_call_id in known:
            call_again = message.status == "error" or _ASKS_AGAIN.search(str(message.text))
            (answered.discard if call_again else answered.add)(known[message.tool_call_id])
    return answered


def _canonical(name: str, arguments: list[str]) -> str:
    text = "".join(arguments)
    # A call that broke off is like no other.
    with contextlib.suppress(ValueError):
        text = json.dumps(json.loads(text), sort_keys=True)
    return f"{name} {text}"
