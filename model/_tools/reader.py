"""Reads a constrained answer while it is being written.

The answer is one JSON object, either a tool call, `{"tool": NAME, "arguments": {...}}`, or
text, `{"answer": TEXT}`, or data, `{"answer": {...}}`, which is read as its JSON.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class CallStart:
    """A tool is being called; its arguments follow."""

    name: str


@dataclass(frozen=True, slots=True)
class CallArguments:
    """The next part of the arguments, as JSON."""

    json: str


@dataclass(frozen=True, slots=True)
class Text:
    """The next part of a text answer."""

    text: str


Event: TypeAlias = CallStart | CallArguments | Text

# Characters that may come before it is certain what an answer is; what goes on beyond is told as
# it comes. Up to the first number each piece is looked at, then only when twice as much has come.
MOST_HEAD: Final = 1024 * 1024
_SHORT_HEAD: Final = 4096
# Of an escape in a string, and of a pair of them that make one character.
_LONGEST_ESCAPE: Final = 12

_CALL: Final = re.compile(
    r'\s*\{\s*"tool"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*(?=\{)'
)
# The beginning of a call.
_BROKEN_OFF: Final = re.compile(r'\s*\{\s*(?:"tool"|"arguments")\s*(?::|\Z)')
_NAME: Final = re.compile(r'"tool"\s*:\s*("(?:[^"\\]|\\.)*")')
_ANSWER: Final = re.compile(r'\s*\{\s*"answer"\s*:\s*"')
_DATA: Final = re.compile(r'\s*\{\s*"answer"\s*:\s*(?=[\[{])')
# The text of a JSON string up to its closing quote, without an escape that is still incomplete:
# a high surrogate waits for the low one.
_STRING_PART: Final = re.compile(
    r'(?:[^"\\]|\\["\\/bfnrt]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}'
    r"|\\u(?![dD][89abAB])[0-9a-fA-F]{4})+"
)


class ConstrainedReader:
    """Turns the text of a constrained answer into what it says, as early as it is certain."""

    __slots__ = ("_depth", "_escaped", "_in_string", "_pending", "_read", "_waiting", "_waits_for")

    def __init__(self) -> None:
        self._pending = ""
        self._waiting: list[str] = []
        self._waits_for = 0
        self._read = self._read_head
        self._depth = 0
        self._in_string = False
        self._escaped = False

    def feed(self, text: str) -> Iterator[Event]:
        """Read the next piece of text."""
        self._waiting.append(text)
        self._waits_for -= len(text)
        if self._waits_for <= 0:
            self._take_in()
            yield from self._read()

    def end(self) -> Iterator[Event]:
        """Make what can be made of an answer that broke off, or has another order."""
        self._take_in()
        if self._read == self._read_head and self._pending.strip():
            yield from self._whole()
        elif self._read == self._read_answer and self._pending:
            # An escape that is none, or only half of one.
            yield Text(self._pending)

    def _take_in(self) -> None:
        self._pending = "".join([self._pending, *self._waiting])
        self._waiting.clear()
        self._waits_for = 0

    def _whole(self) -> Iterator[Event]:
        try:
            answer = json.loads(self._pending)
            start = CallStart(answer["tool"])
            arguments = CallArguments(json.dumps(answer["arguments"]))
        except (ValueError, KeyError, TypeError):
            yield from self._broken_off()
        else:
            yield start
            yield arguments

    def _broken_off(self) -> Iterator[Event]:
        """Tell the beginning of a call as a call, which is not whole: it is no text to read."""
        if not _BROKEN_OFF.match(self._pending):
            yield Text(self._pending)
            return
        name = _NAME.search(self._pending)
        yield CallStart(json.loads(name[1]) if name else "")
        yield CallArguments(self._pending)

    def _read_head(self) -> Iterator[Event]:
        if call := _CALL.match(self._pending):
            self._pending = self._pending[call.end() :]
            self._read = self._read_arguments
            yield CallStart(json.loads(call[1]))
        elif answer := _ANSWER.match(self._pending):
            self._pending = self._pending[answer.end() :]
            self._read = self._read_answer
        elif data := _DATA.match(self._pending):
            self._pending = self._pending[data.end() :]
            self._read = self._read_data
        elif len(self._pending) > MOST_HEAD:
            yield from self._broken_off()
            is_call = _BROKEN_OFF.match(self._pending)
            self._pending, self._read = "", self._read_call if is_call else self._read_text
            return
        else:
            size = len(self._pending)
            self._waits_for = min(size, MOST_HEAD + 1 - size) if size > _SHORT_HEAD else 0
            return
        yield from self._read()

    def _read_call(self) -> Iterator[Event]:
        """Tell the rest of a call that had no beginning."""
        text, self._pending = self._pending, ""
        yield CallArguments(text)

    def _read_text(self) -> Iterator[Event]:
        text, self._pending = self._pending, ""
        yield Text(text)

    def _read_arguments(self) -> Iterator[Event]:
        if text := self._read_value():
            yield CallArguments(text)

    def _read_data(self) -> Iterator[Event]:
        if text := self._read_value():
            yield Text(text)

    def _read_value(self) -> str:
        """Take the next part of an object, up to the brace that closes it."""
        text, self._pending = self._pending, ""
        for position, character in enumerate(text, 1):
            self._look_at(character)
            if self._depth == 0:
                text, self._read = text[:position], self._ignore
                break
        return text

    def _look_at(self, character: str) -> None:
        if self._in_string:
            self._in_string = self._escaped or character != '"'
            self._escaped = not self._escaped and character == "\\"
        elif character == '"':
            self._in_string = True
        elif character in "{[":
            self._depth += 1
        elif character in "}]":
            self._depth -= 1

    def _read_answer(self) -> Iterator[Event]:
        pending, at, said = self._pending, 0, []
        while True:
            if part := _STRING_PART.match(pending, at):
                said.append(json.loads(f'"{part[0]}"', strict=False))
                at = part.end()
            if pending.startswith('"', at):
                pending, self._read = "", self._ignore
                break
            if len(pending) - at < _LONGEST_ESCAPE:
                break
            # Whatever comes, it is no escape: a backslash that stands for itself.
            said.append(pending[at])
            at += 1
        self._pending = pending[at:]
        if said:
            yield Text("".join(said))

    def _ignore(self) -> Iterator[Event]:
        self._pending = ""
        return iter(())
