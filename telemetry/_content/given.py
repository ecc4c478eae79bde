"""Messages in any of the shapes that LangChain takes for one (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    convert_to_messages,
)

from .._interrupts import INTERRUPTS
from .blocks import Part, text_part

if TYPE_CHECKING:
    from collections.abc import Callable

_ROLES: Final = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "system": "system",
}
# Of a dictionary that has more, unless that is empty, a message is made.
_PLAIN: Final = frozenset(("role", "type", "content", "id"))
_PAIR: Final = 2
_KINDS: Final[dict[type, str]] = {
    HumanMessage: "user",
    AIMessage: "assistant",
    SystemMessage: "system",
}


def as_message(given: object) -> BaseMessage | None:
    """Return the message that LangChain makes of a value; None where it makes none."""
    if isinstance(given, BaseMessage):
        return given
    try:
        (message,) = convert_to_messages([given])  # type: ignore[list-item]  # or it raises
    except INTERRUPTS:
        raise
    except BaseException:  # noqa: BLE001 - it is something else, then
        return None
    return message


def given_part(given: Any, read: Callable[[BaseMessage], Part]) -> Part:
    """Return a value that stands for a message as one of the conventions'.

    Args:
        given: a message, a dictionary or a pair that stands for one, or text.
        read: returns a message as one of the conventions'.
    """
    plain = _plain(given)
    if plain is not None:
        return plain
    message = as_message(given)
    if message is not None:
        return read(message)
    return {"role": "unknown", "parts": [{"type": "unknown", "value": given}]}


def _plain(given: Any) -> Part | None:
    """Read what most conversations in plain data are of, without a message of each."""
    if type(given) in _KINDS:
        return _of_message(given)
    if type(given) is dict:
        if not all(key in _PLAIN or _is_empty(value) for key, value in given.items()):
            return None
        role, content = given.get("role", given.get("type")), given.get("content")
    elif type(given) is tuple and len(given) == _PAIR:
        role, content = given
    else:
        return None
    name = _ROLES.get(role) if type(role) is str else None
    if name is None or type(content) is not str:
        return None
    return {"role": name, "parts": [text_part(content)] if content else []}


def _is_empty(value: object) -> bool:
    return value is None or value is False or (type(value) in (dict, list, str) and not value)


def _of_message(message: Any) -> Part | None:
    """Read a message that is nothing but text."""
    content = message.content
    if type(content) is not str or content == "" or message.name is not None:
        return None
    kind = type(message)
    if kind is AIMessage and (
        message.tool_calls
        or message.invalid_tool_calls
        or message.additional_kwargs
        or message.response_metadata
    ):
        return None
    return {"role": _KINDS[kind], "parts": [text_part(content)]}
