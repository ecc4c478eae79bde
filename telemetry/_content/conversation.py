"""A conversation of any length, cut to a size: its first message and its newest (pure)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from .._values.plain import LazySequence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._values.plain import Plain, Reader
    from .readings import Readings

# Of the room, the first message may take so much where the others would fill it.
_SHARE_OF_FIRST: Final = 4
# With less room than that, a message is not worth beginning.
_LEAST_ROOM: Final = 200
_STAND_IN_ROLE: Final = "nodespan"


def read_conversation(messages: Sequence[Any], reader: Reader, readings: Readings) -> Plain:
    """Return *messages* as plain data: the first, which says what it is about, and the newest.

    Where not all of them fit, one that is none of the conversation's says how many are left out.

    Args:
        messages: of the GenAI conventions, in order.
        reader: reads them, and knows how much room there is.
        readings: what was read before.
    """
    room = reader.characters
    if len(messages) < 2 or room <= 0:  # noqa: PLR2004 - a first and a newest
        return reader.read(list(messages))
    reserved = min(_cost(messages[0], reader), room // _SHARE_OF_FIRST)
    reader.characters -= reserved
    newest = _newest(messages, reader, readings)
    reader.characters = max(reader.characters, 0) + reserved
    first = reader.read(messages[0])
    left_out = len(messages) - 1 - len(newest)
    reader.dropped += left_out
    return [first, *([_stand_in(left_out)] if left_out else []), *newest]


def _cost(message: object, reader: Reader) -> int:
    trial = type(reader)(reader.characters, reader.rules)
    trial.read(message)
    return reader.characters - trial.characters


def _newest(messages: Sequence[Any], reader: Reader, readings: Readings) -> deque[Plain]:
    newest: deque[Plain] = deque()
    items, make = (
        (messages.items, messages.make) if isinstance(messages, LazySequence) else (messages, None)
    )
    for place in range(len(messages) - 1, 0, -1):
        if newest and reader.characters < _LEAST_ROOM:
            break
        newest.appendleft(readings.read(items[place], make, reader))
    return newest


def _stand_in(left_out: int) -> Plain:
    text = f"{left_out:,} messages left out"
    return {"role": _STAND_IN_ROLE, "parts": [{"type": "text", "content": text}]}
