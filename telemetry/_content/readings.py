"""Remembers how messages were read: each node of a graph is given again what the last one was."""

from __future__ import annotations

import marshal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from .._values.plain import Plain, Reader

    Make = Callable[[Any], object]

_MOST_REMEMBERED: Final = 2_048
_MOST_BYTES: Final = 4_096
# With less room than that a message may be cut, and is read another way.
_LEAST_ROOM: Final = 2 * _MOST_BYTES
_MESSAGES: Final = frozenset((HumanMessage, AIMessage, AIMessageChunk, SystemMessage, ToolMessage))
_DATA: Final = frozenset((dict, tuple, str))
# Other blocks may hold a file.
_BRIEF_BLOCKS: Final = frozenset(
    ("text", "tool_use", "tool_call", "tool_result", "thinking", "reasoning")
)
# The same bytes for the same value, whoever else holds parts of it.
_WITHOUT_REFERENCES: Final = 2


class _Reading(NamedTuple):
    """How a message was read: what as, how much room it took, and how much was left out."""

    plain: bytes
    cost: int
    dropped: int


class Readings:
    """Reads messages, each anew only where it says something new; bounded in number and bytes.

    They are known by all that they say and not by who they are: a message that has changed is
    read anew, and no message is kept.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[Hashable, _Reading] = {}

    def read(self, item: Any, make: Make | None, reader: Reader) -> Plain:
        """Return a message as plain data, which nobody else has.

        Args:
            item: the message, or what stands for it.
            make: returns it as one of the conventions'; None where it is one.
            reader: reads it, and knows how much room there is.
        """
        said = _all_that_it_says(item) if reader.characters >= _LEAST_ROOM else None
        if said is None:
            return reader.read(make(item) if make is not None else item)
        key = (said, type(item), make, reader.rules.clean)
        known = self._known.get(key)
        if known is None or known.cost > reader.characters - _MOST_BYTES:
            return self._read(key, make(item) if make is not None else item, reader)
        reader.characters -= known.cost
        reader.dropped += known.dropped
        plain: Plain = marshal.loads(known.plain)  # noqa: S302 - written below, by ourselves
        return plain

    def _read(self, key: Hashable, message: object, reader: Reader) -> Plain:
        characters, dropped = reader.characters, reader.dropped
        plain = reader.read(message)
        cost = characters - reader.characters
        if cost <= _MOST_BYTES:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            written = marshal.dumps(plain, _WITHOUT_REFERENCES)
            self._known[key] = _Reading(written, cost, reader.dropped - dropped)
        return plain


def _all_that_it_says(item: Any) -> bytes | None:
    """Return all that a message says; None where it is long, or not plain data alone."""
    kind = type(item)
    if kind in _MESSAGES:
        fields: dict[str, Any] = vars(item)
        # It is for the application alone.
        if fields.get("artifact") is not None:
            fields = {**fields, "artifact": None}
        content, told = fields.get("content"), (fields, item.__pydantic_extra__)
    elif kind in _DATA:
        content, told = item.get("content", "") if kind is dict else "", item
    else:
        return None
    if not _is_brief(content):
        return None
    try:
        said = marshal.dumps(told, _WITHOUT_REFERENCES)
    except ValueError:  # an object of a class of its own, or a cycle
        return None
    return said if len(said) <= _MOST_BYTES else None


def _is_brief(content: object) -> bool:
    if type(content) is str:
        return len(content) <= _MOST_BYTES
    return type(content) is list and all(
        type(block) is dict and block.get("type") in _BRIEF_BLOCKS for block in content
    )
