"""The tool calls of one answer, looked at when it ends: whole, or told to be invalid.

LangChain adds the parts of a call up by their index, and mends JSON that breaks off. So a call
that must not be made gets an end that nobody can mend.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import invalid_tool_call, tool_call_chunk
from langchain_core.utils.json import parse_partial_json

from .arguments import Arguments, Parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.messages import InvalidToolCall, ToolCall
    from langchain_core.messages.tool import ToolCallChunk

_Index: TypeAlias = int | str

# Beyond the indices that servers give to calls and to blocks of content.
_FIRST_OWN_INDEX: Final = 10_000
_NULL: Final = "null"
_END: Final = re.compile(r'(?:\\?")?[\]}] <not a whole call: [^<>]*>$')


class Calls:
    """The tool calls of an answer in the making."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: dict[_Index, _Call] = {}

    def take(self, piece: AIMessageChunk) -> AIMessageChunk:
        """Give a piece as it is to be passed on.

        A call that comes whole gets an index, so that its end can still be told; the arguments
        `null` are none.
        """
        invalid = [call for call in piece.invalid_tool_calls if call.get("error")]
        parts = [self._take_part(part, invalid) for part in piece.tool_call_chunks]
        if parts == piece.tool_call_chunks:
            return piece
        taken = piece.model_copy(update={"tool_call_chunks": parts})
        taken.tool_calls, taken.invalid_tool_calls = _read_parts(parts)
        if invalid:
            taken.invalid_tool_calls = piece.invalid_tool_calls
        return taken

    def end(self, cut_off_by: str | None) -> Iterator[AIMessageChunk]:
        """Tell what is wrong with the calls, and name those that have no id.

        Args:
            cut_off_by: What cut the answer off; nothing is called then.
        """
        for index, call in self._calls.items():
            end = call.end(index, f"the answer was cut off by {cut_off_by}" if cut_off_by else "")
            if end is not None:
                yield end

    def _take_part(self, part: ToolCallChunk, invalid: list[InvalidToolCall]) -> ToolCallChunk:
        index = part["index"]
        if index is None:
            index = _FIRST_OWN_INDEX + len(self._calls)
        call = self._calls.setdefault(index, _Call())
        return call.take({**part, "index": index}, _is_told(part, invalid))


class _Call:
    """One call."""

    __slots__ = ("_arguments", "_following", "_held", "_id", "_is_invalid", "_name", "_parts")

    def __init__(self) -> None:
        self._id: str | None = None
        self._name = ""
        self._held: str | None = ""
        self._following = Arguments()
        self._arguments: list[str] = []
        self._parts = Parts()
        self._is_invalid = False

    def take(self, part: ToolCallChunk, is_invalid: bool) -> ToolCallChunk:
        """Take the next part of the call, and return what may be passed on of it."""
        self._id = self._id or part["id"]
        self._name += part["name"] or ""
        arguments = self._read(part["args"] or "")
        if is_invalid:
            self._is_invalid = True
            arguments += self._parts.rest()
            arguments += _unmendable(arguments, "invalid")
        if arguments or part["args"]:
            part["args"] = arguments
        return part

    def end(self, index: _Index, cut_off: str) -> AIMessageChunk | None:
        """Return what remains to be passed on when the call is over, or None."""
        new_id = None if self._id else f"call_{uuid.uuid4().hex[:24]}"
        arguments = "".join(self._arguments) + self._rest()
        rest = self._parts.rest() + self._rest()
        wrong = "" if self._is_invalid else cut_off or self._wrong(arguments)
        if not wrong:
            return _part(index, new_id, rest) if new_id or rest else None
        chunk = _part(index, new_id, rest + _unmendable(arguments, wrong))
        chunk.invalid_tool_calls = [
            invalid_tool_call(
                name=self._name or None, args=arguments, id=self._id or new_id, error=wrong
            )
        ]
        return chunk

    def _read(self, text: str) -> str:
        """Pass arguments on, once it is certain that they are not `null`."""
        text = self._following.take(text)
        if self._held is not None:
            self._held = (self._held + text).lstrip()
            if _NULL.startswith(begun := self._held.rstrip()):
                # Of white space behind it, however much there is, one is as good as all.
                self._held = begun + self._held[len(begun) :][:1]
                return ""
            text, self._held = self._held, None
        self._arguments.append(text)
        return self._parts.pass_on(text)

    def _rest(self) -> str:
        held = (self._held or "").rstrip()
        return "" if held == _NULL else held

    def _wrong(self, arguments: str) -> str:
        if not self._name:
            return "it names no tool"
        try:
            is_object = isinstance(json.loads(arguments or "{}", strict=False), dict)
        except (ValueError, RecursionError):
            return "its arguments are no JSON"
        return "" if is_object else "its arguments are no JSON object"


def _read_parts(parts: list[ToolCallChunk]) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    """Read parts as LangChain does."""
    message = AIMessageChunk(content="", tool_call_chunks=parts)
    return message.tool_calls, message.invalid_tool_calls


def original_arguments(arguments: str) -> str:
    """Give the arguments of an invalid call as the model wrote them."""
    return _END.sub("", arguments)


def reported_invalid(chunk: AIMessageChunk) -> list[InvalidToolCall]:
    """List the calls that a chunk says are invalid; a part of one is only not complete yet."""
    return [call for call in chunk.invalid_tool_calls if call.get("error")]


def _is_told(part: ToolCallChunk, invalid: list[InvalidToolCall]) -> bool:
    return any((part["id"], part["args"]) == (call["id"], call["args"]) for call in invalid)


def _part(index: _Index, call_id: str | None, arguments: str) -> AIMessageChunk:
    part = tool_call_chunk(args=arguments, id=call_id, index=cast("int", index))
    return AIMessageChunk(content="", tool_call_chunks=[part])


def _unmendable(arguments: str, wrong: str) -> str:
    """Make an end for arguments that LangChain would read, so that it does not."""
    try:
        if parse_partial_json(arguments or "{}") is None:
            return ""
    except Exception:  # noqa: BLE001 - whatever it is, LangChain cannot read them
        return ""
    return f"{_closing(arguments)} <not a whole call: {re.sub('[<>]', '', wrong)}>"


def _closing(text: str) -> str:
    """Find an end that closes an open string, and then the wrong bracket."""
    stack: list[str] = []
    in_string = escaped = False
    for character in text:
        if in_string:
            in_string = escaped or character != '"'
            escaped = not escaped and character == "\\"
        elif character == '"':
            in_string = True
        elif character in "{[":
            stack.append(character)
        elif character in "}]" and stack:
            stack.pop()
    quote = ('\\"' if escaped else '"') if in_string else ""
    return quote + ("}" if stack and stack[-1] == "[" else "]")
