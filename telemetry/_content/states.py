"""The messages of a state, or of a change to one, and the rest of it (pure).

A state is a dictionary, a pydantic model or a dataclass; a change to it may be a `Command`, a
`Send` or a list of such. Of a long conversation a few messages say what it is: no more of them
are looked at here.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import BaseMessage
from langgraph.types import Command, Overwrite, Send
from pydantic import BaseModel

from .._values.plain import record_state
from .given import as_message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MESSAGES: Final = "messages"
_OVERWRITE: Final = "__overwrite__"
_LOOKED_AT: Final = 8
_MOST_CHANGES: Final = 1_000
_MOST_NESTED: Final = 4


def parted(state: object, depth: int = _MOST_NESTED) -> tuple[Sequence[Any], object]:
    """Part the messages of a state from the rest of it, which is None where there is none.

    Args:
        state: or a change to one, or anything else that a runnable takes or gives.
        depth: how many changes within changes are looked into.
    """
    if isinstance(state, BaseMessage):
        return [state], None
    if isinstance(state, Command | Send):
        return _of_change(state, depth) if depth else ([], state)
    if isinstance(state, list | tuple):
        return _of_list(state, depth)
    fields = _fields(state)
    if fields is None:
        return [], state
    messages = _as_messages(fields.get(_MESSAGES))
    if not messages:
        return [], state
    return messages, {key: value for key, value in fields.items() if key != _MESSAGES}


def says_anything(rest: object) -> bool:
    """Say whether what stands beside messages is more than nothing."""
    return rest is not None and not (isinstance(rest, dict | tuple) and len(rest) == 0)


def _of_list(given: Sequence[Any], depth: int) -> tuple[Sequence[Any], object]:
    if given and isinstance(given[0], BaseMessage):
        return _as_messages(given), None
    looked_at = given[:_MOST_CHANGES]
    if not depth or not any(isinstance(each, Command | Send) for each in looked_at):
        return [], given
    found = [parted(each, depth - 1) for each in looked_at]
    messages = [message for said, _ in found for message in said]
    return messages, [rest for _, rest in found if says_anything(rest)] or None


def _of_change(change: Command[Any] | Send, depth: int) -> tuple[Sequence[Any], object]:
    """Part what a `Command` or a `Send` tells somebody from whom it tells it."""
    if isinstance(change, Send):
        messages, rest = parted(change.arg, depth - 1)
        beside: dict[str, Any] = {"node": change.node}
        name = "arg"
    else:
        messages, rest = parted(_as_fields(change.update), depth - 1)
        told = {"graph": change.graph, "resume": change.resume, "goto": change.goto}
        beside = {key: value for key, value in told.items() if says_anything(value)}
        name = "update"
    if not messages:
        return [], change
    return messages, beside | ({name: rest} if says_anything(rest) else {})


def _as_fields(update: object) -> object:
    """Return the change of a `Command` as a dictionary, where it is a list of pairs."""
    if isinstance(update, list | tuple) and all(map(_is_pair, update[:_MOST_CHANGES])):
        return dict(update)
    return update


def _is_pair(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str)  # noqa: PLR2004 - a pair


def _fields(state: object) -> Mapping[Any, Any] | None:
    if isinstance(state, dict):
        return state
    if isinstance(state, BaseModel):
        return {name: vars(state).get(name) for name in type(state).model_fields}
    if dataclasses.is_dataclass(state) and not isinstance(state, type):
        return dict(record_state(state, type(state)))
    return None


def _as_messages(value: object) -> Sequence[Any]:
    """Return the messages that LangGraph would make of a value; none where it would not."""
    if isinstance(value, Overwrite):
        value = value.value
    elif isinstance(value, dict) and value.keys() == {_OVERWRITE}:
        value = value[_OVERWRITE]
    is_several = isinstance(value, list) or (
        isinstance(value, tuple) and bool(value) and isinstance(value[0], BaseMessage)
    )
    given: Sequence[Any] = value if is_several else [value]  # type: ignore[assignment]  # it is one
    looked_at = [*given[:_LOOKED_AT], *given[max(_LOOKED_AT, len(given) - _LOOKED_AT) :]]
    return given if all(as_message(each) is not None for each in looked_at) else []
