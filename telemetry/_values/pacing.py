"""Lets other threads run while one in the background works through many things."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Final, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_Item = TypeVar("_Item")

# The interpreter takes its lock from a thread that computes only every 5 ms, an event loop gives
# it up at each of its turns: without pauses, each turn of a loop waits that long.
_PIECE: Final = 0.0005
# A sleep of zero gives the lock to nobody: the thread has it again before another one wakes up.
_PAUSE: Final = 0.00005
# Where many threads wait for the lock a pause takes long: so much of the time is worked even then.
_LEAST_SHARE: Final = 0.2
# A batch follows at once after so much of the time that the one before it took.
_AT_ONCE: Final = 0.1
# So many at once have come within a moment: then there is no time for pauses.
_BACKLOG: Final = 1_000


class Paced(Sequence[_Item]):
    """Items whose reader pauses every half of a millisecond, each time for as short as it can.

    Args:
        items: that are read.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Sequence[_Item]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, place: int) -> _Item: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[_Item]: ...
    def __getitem__(self, place: int | slice) -> _Item | Sequence[_Item]:
        return Paced(self._items[place]) if isinstance(place, slice) else self._items[place]

    def __iter__(self) -> Iterator[_Item]:
        return paced(self._items)


def paced(items: Iterable[_Item]) -> Iterator[_Item]:
    """Yield all *items* in their order, and pause between them as above."""
    due = perf_counter() + _PIECE
    for item in items:
        yield item
        now = perf_counter()
        if now >= due:
            sleep(_PAUSE)
            then = perf_counter()
            due = then + max(_PIECE, (then - now) * _LEAST_SHARE / (1 - _LEAST_SHARE))


def paced_unless_many(items: Sequence[_Item]) -> Sequence[_Item]:
    """Return what is to be read with pauses, but where much is waiting."""
    return Paced(items) if len(items) < _BACKLOG else items


class Pace:
    """Paces batches that come with time between them; where they do not, there is a backlog.

    A batch that follows the last one at once was waiting before that was done: then nothing
    pauses, or what waits would find no room.
    """

    def __init__(self) -> None:
        self._began_at = self._ended_at = 0.0

    @contextmanager
    def of(self, items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
        """Give a batch as it is to be read, and take note when that is done."""
        now = perf_counter()
        took, idle = self._ended_at - self._began_at, now - self._ended_at
        self._began_at = now
        try:
            yield items if idle < took * _AT_ONCE else Paced(items)
        finally:
            self._ended_at = perf_counter()
