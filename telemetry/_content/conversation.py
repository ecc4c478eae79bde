"""A conversation of any length, cut to a size: its first message and its newest (pure)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from .._values.lazy_sequence import LazySequence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._values.plain import Plain, Reader
    from .readings import Make, Readings

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
    if not messages or room <= 0:
        return reader.read(list(messages))
    items, make = (
        (messages.items, messages.make) if isinstance(messages, LazySequence) else (messages, None)
    )
    if len(messages) == 1:
        return [readings.read(items[0], make, reader)]
    trial = type(reader)(room, reader.rules)
    first = readings.read(items[0], make, trial)
    cost, most = room - trial.characters, room // _SHARE_OF_FIRST
    reader.characters -= min(cost, most)
    newest = _newest(items, make, reader, readings)
    reader.characters = max(reader.characters, 0)
    if cost <= most:
        reader.dropped += trial.dropped
    else:
        reader.characters += most
        first = reader.read(messages[0])
    left_out = len(messages) - 1 - len(newest)
    reader.dropped += left_out
    return [first, *([_stand_in(left_out)] if left_out else []), *newest]


def _newest(
    items: Sequence[Any], make: Make | None, reader: Reader, readings: Readings
) -> deque[Plain]:
    newest: deque[Plain] = deque()
    for place in range(len(items) - 1, 0, -1):
        if newest and reader.characters < _LEAST_ROOM:
            break
        newest.appendleft(readings.read(items[place], make, reader))
    return newest


def _stand_in(left_out: int) -> Plain:
    text = f"{left_out:,} messages left out"
    return {"role": _STAND_IN_ROLE, "parts": [{"type": "text", "content": text}]}
