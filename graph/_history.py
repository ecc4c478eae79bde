"""A conversation as models take it, whatever a thread's state holds (pure).

Many servers refuse a call of a tool without a result, a result without its call, or a second
system message. The state keeps what happened; only what goes to the model is put in order.
"""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeVar

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    SystemMessage,
    ToolMessage,
    convert_to_messages,
)
from langchain_core.messages.tool import tool_call

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from langchain_core.messages import ToolCall

Message = TypeVar("Message", bound=BaseMessage)

_STRAYED: Final = ("invalid_tool_calls", "usage_metadata")
_NO_RESULT: Final = "There is no result: the call was broken off before it was answered."


def as_messages(given: Iterable[Any]) -> list[BaseMessage]:
    """Make messages of what a state holds: tuples, dicts and strings too."""
    return [restored(message) for message in convert_to_messages(given)]


def restored(message: Message) -> Message:
    """Put the fields of an answer where they belong.

    Engines that run nodes elsewhere store messages as JSON, and of an answer that was a dict
    LangChain keeps some fields among the `additional_kwargs`.
    """
    others = dict(message.additional_kwargs)
    strayed = {name: others.pop(name) for name in _STRAYED if name in others}
    if not isinstance(message, AIMessage) or not strayed:
        return message
    found = {name: value for name, value in strayed.items() if value}
    return message.model_copy(update={"additional_kwargs": others, **found})


def well_formed(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Put a conversation in order; a message that is in order stays the same object.

    One system message stands first, and holds what all of them say. Each call of a tool is
    followed by its result, or by one that says that there is none. Results of no call, and
    answers with nothing in them, are left out.
    """
    systems = [each for each in messages if isinstance(each, SystemMessage)]
    others = [each for each in messages if not isinstance(each, SystemMessage)]
    return [*as_one(systems), *_with_results(others)]


def as_one(systems: Sequence[SystemMessage]) -> list[SystemMessage]:
    """Make one system message of several, in their order; what two of them say is said once."""
    distinct: list[SystemMessage] = []
    for each in systems:
        if each.content and all(each.content != other.content for other in distinct):
            distinct.append(each)
    if len(distinct) <= 1:
        return distinct or list(systems[:1])
    if all(isinstance(each.content, str) for each in distinct):
        content: Any = "\n\n".join(str(each.content) for each in distinct)
    else:
        content = [block for each in distinct for block in _blocks(each)]
    return [distinct[0].model_copy(update={"content": content})]


def _blocks(message: BaseMessage) -> list[Any]:
    content = message.content
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _with_results(messages: Sequence[BaseMessage]) -> Iterator[BaseMessage]:
    for position, message in enumerate(messages):
        if isinstance(message, ToolMessage):
            continue
        if not isinstance(message, AIMessage):
            yield message
        elif message.tool_calls or message.invalid_tool_calls:
            answer = _readable(message, position)
            yield answer
            yield from _results(message, answer.tool_calls, messages, position)
        elif message.content or message.additional_kwargs:
            yield message


def _readable(message: AIMessage, position: int) -> AIMessage:
    """Give every call arguments that can be read, and an id of its own."""
    invalid = [
        tool_call(name=call["name"] or "unknown", args=_arguments(call["args"]), id=call["id"])
        for call in message.invalid_tool_calls
    ]
    calls = _distinct([*message.tool_calls, *invalid], position)
    if calls == message.tool_calls:
        return message
    return message.model_copy(update={"tool_calls": calls, "invalid_tool_calls": []})


def _arguments(text: str | None) -> dict[str, Any]:
    try:
        arguments = json.loads(text or "{}", strict=False)
    except (ValueError, RecursionError):
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _distinct(calls: Iterable[ToolCall], position: int) -> list[ToolCall]:
    distinct: list[ToolCall] = []
    taken: set[str] = set()
    for number, call in enumerate(calls):
        wanted = call["id"] or f"call_{position}_{number}"
        names = (wanted if n == 0 else f"{wanted}_{n}" for n in count())
        new_id = next(name for name in names if name not in taken)
        taken.add(new_id)
        distinct.append(call if call["id"] == new_id else {**call, "id": new_id})
    return distinct


def _results(
    message: AIMessage, calls: Sequence[ToolCall], messages: Sequence[BaseMessage], position: int
) -> Iterator[ToolMessage]:
    """Give each call its result, from what stands behind *position*."""
    given = [*message.tool_calls, *message.invalid_tool_calls]
    used: set[int] = set()
    for original, call in zip(given, calls, strict=True):
        found = _position_of(original["id"], messages, position, used)
        if found is None:
            yield ToolMessage(
                _NO_RESULT, tool_call_id=str(call["id"]), name=call["name"], status="error"
            )
            continue
        used.add(found)
        result: Any = messages[found]
        is_same = result.tool_call_id == call["id"]
        yield result if is_same else result.model_copy(update={"tool_call_id": call["id"]})


def _position_of(
    call_id: str | None, messages: Sequence[BaseMessage], position: int, used: set[int]
) -> int | None:
    """Find a call's result, before its id is used again."""
    for later in range(position + 1, len(messages)):
        message = messages[later]
        if isinstance(message, AIMessage):
            calls = [*message.tool_calls, *message.invalid_tool_calls]
            if any(call["id"] == call_id for call in calls):
                return None
        elif later not in used and _answers(message, call_id):
            return later
    return None


def _answers(message: BaseMessage, call_id: str | None) -> bool:
    return isinstance(message, ToolMessage) and message.tool_call_id == call_id
