"""The arguments of one tool call while they are being written (pure)."""

from __future__ import annotations

import re
from typing import Final

from .._errors import MalformedAnswerError

MOST_ARGUMENTS: Final = 2 * 1024 * 1024
"""Characters of arguments that a call may have: several times of what models can write."""

# LangChain reads JSON that breaks off once for each blank at its end, and models that are held to
# a grammar have written blanks without an end.
MOST_BLANKS: Final = 32
# Each part is added to all before it, by LangChain: beyond the first number of characters a part
# holds this share of them at least, so that the work does not grow with their square.
_PASSED_AT_ONCE: Final = 256 * 1024
_SHARE: Final = 64

# What makes a difference for where an object ends; an escape may be of any character.
_JSON_MARK: Final = re.compile(r'["{}\[\]]|\\.?|\s+|[^\s"{}\[\]\\]+', re.DOTALL)


class Arguments:
    """Follows an object of JSON, each character once.

    Attributes:
        is_whole: Whether what has been written ends with the brace that closes the object.
    """

    __slots__ = ("_blanks", "_depth", "_escaped", "_in_string", "_size", "is_whole")

    def __init__(self) -> None:
        self._blanks = 0
        self._depth = 0
        self._escaped = False
        self._in_string = False
        self._size = 0
        self.is_whole = False

    def take(self, text: str) -> str:
        """Follow the next part, and give it without blanks that go on and on.

        Raises:
            MalformedAnswerError: If the arguments do.
        """
        self._size += len(text)
        if self._size > MOST_ARGUMENTS:
            raise MalformedAnswerError(
                f"the arguments of a tool call go on beyond {MOST_ARGUMENTS:,} characters"
            )
        begun = text[:1] if self._escaped else ""
        self._escaped = self._escaped and not begun
        marks = _JSON_MARK.findall(text[len(begun) :])
        return begun + "".join([self._kept(mark) for mark in marks])

    def _kept(self, mark: str) -> str:
        if mark.isspace():
            if not self._in_string:
                mark = mark[: MOST_BLANKS - self._blanks]
                self._blanks += len(mark)
            return mark
        self._blanks = 0
        self._follow(mark)
        return mark

    def _follow(self, mark: str) -> None:
        self.is_whole = False
        if self._in_string:
            self._in_string = mark != '"'
            self._escaped = mark == "\\"  # what it escapes comes with the next part
        elif mark == '"':
            self._in_string = True
        elif mark in "{[":
            self._depth += 1
        elif mark in "}]":
            self._depth -= 1
            self.is_whole = self._depth == 0 and mark == "}"


class Parts:
    """Passes a long text on in parts that grow with it."""

    __slots__ = ("_given", "_held", "_size")

    def __init__(self) -> None:
        self._given = 0
        self._held: list[str] = []
        self._size = 0

    def pass_on(self, text: str) -> str:
        """Give what is to be added now, with what was held back before."""
        self._size += len(text)
        self._held.append(text)
        is_due = self._given < _PASSED_AT_ONCE or self._size * _SHARE > self._given
        return self.rest() if is_due else ""

    def rest(self) -> str:
        """Give what was held back."""
        text = "".join(self._held)
        self._given += self._size
        self._held, self._size = [], 0
        return text
