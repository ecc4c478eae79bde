"""A conversation of any length, cut to a size: its first message and its newest (pure)."""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from .._values.plain import Reader, Rules, clean_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .._values.plain import Plain

# Of the room, the first message may take so much where the others would fill it.
_SHARE_OF_FIRST: Final = 4
# With less room than that, a message is not worth beginning.
_LEAST_ROOM: Final = 200
_STAND_IN_ROLE: Final = "nodespan"
# Each node of a graph is given again what the node before it was given.
_REMEMBERED: Final = 4_096
_MAX_REMEMBERED: Final = 512
_TEXT: Final = {"type", "content"}
_FINISHED: Final = {"role", "parts", "finish_reason"}


def read_conversation(messages: Sequence[object], reader: Reader) -> Plain:
    """Return *messages* as plain data: the first, which says what it is about, and the newest.

    Where not all of them fit, one that is none of the conversation's says how many are left out.

    Args:
        messages: of the GenAI conventions, in order.
        reader: reads them, and knows how much room there is.
    """
    room = reader.characters
    if len(messages) < 2 or room <= 0:  # noqa: PLR2004 - a first and a newest
        return reader.read(list(messages))
    reserved = min(_cost(messages[0], reader), room // _SHARE_OF_FIRST)
    reader.characters -= reserved
    newest = _newest(messages, reader)
    reader.characters = max(reader.characters, 0) + reserved
    first = reader.read(messages[0])
    left_out = len(messages) - 1 - len(newest)
    reader.dropped += left_out
    return [first, *([_stand_in(left_out)] if left_out else []), *newest]


def _cost(message: object, reader: Reader) -> int:
    trial = type(reader)(reader.characters, reader.rules)
    trial.read(message)
    return reader.characters - trial.characters


def _newest(messages: Sequence[object], reader: Reader) -> deque[Plain]:
    newest: deque[Plain] = deque()
    for place in range(len(messages) - 1, 0, -1):
        if newest and reader.characters < _LEAST_ROOM:
            break
        newest.appendleft(_read(messages[place], reader))
    return newest


def _read(message: object, reader: Reader) -> Plain:
    """Read a message, in a few steps where it is nothing but a short text."""
    text = _short_text(message)
    if text is None or reader.characters < 2 * _MAX_REMEMBERED:
        return reader.read(message)
    said: dict[str, Any] = message  # type: ignore[assignment]  # it has a text
    kept = _cleaned(text, reader.rules.clean)
    role, finish_reason = said["role"], said.get("finish_reason")
    reader.characters -= len(kept) + _cost_of_rest(role, finish_reason)
    finished = {} if finish_reason is None else {"finish_reason": finish_reason}
    return {"role": role, "parts": [{"type": "text", "content": kept}], **finished}


def _short_text(message: object) -> str | None:
    """Return the text of a message that is nothing else; None of any other."""
    if type(message) is not dict or len(message) > len(_FINISHED) or "parts" not in message:
        return None
    parts = message["parts"]
    if type(parts) is not list or len(parts) != 1 or len(parts[0]) != len(_TEXT):
        return None
    if not message.keys() <= _FINISHED or parts[0].keys() != _TEXT:
        return None
    text = parts[0]["content"]
    is_short = type(text) is str and len(text) <= _MAX_REMEMBERED
    is_plain = parts[0]["type"] == "text" and message["role"] in _ROLES
    return text if is_short and is_plain and message.get("finish_reason") in _REASONS else None


_ROLES: Final = ("user", "assistant", "system")
_REASONS: Final = (None, "stop", "length", "tool_call")


@lru_cache(maxsize=_REMEMBERED)
def _cleaned(text: str, clean: Callable[[str], str]) -> str:
    return clean(clean_text(text))


@lru_cache(maxsize=len(_ROLES) * len(_REASONS))
def _cost_of_rest(role: str, finish_reason: str | None) -> int:
    finished = {} if finish_reason is None else {"finish_reason": finish_reason}
    message = {"role": role, "parts": [{"type": "text", "content": ""}], **finished}
    reader = Reader(_LEAST_ROOM, Rules())
    reader.read(message)
    return _LEAST_ROOM - reader.characters


def _stand_in(left_out: int) -> Plain:
    text = f"{left_out:,} messages left out"
    return {"role": _STAND_IN_ROLE, "parts": [{"type": "text", "content": text}]}
