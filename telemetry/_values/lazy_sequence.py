"""A list whose items are made when they are read (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class LazySequence(Sequence[Any]):
    """A list whose items are made when they are read: of a long one, no more than are kept.

    Args:
        items: of which to make them.
        make: makes one.

    Attributes:
        items: as above.
        make: as above.
    """

    __slots__ = ("items", "make")

    def __init__(self, items: Sequence[Any], make: Callable[[Any], object]) -> None:
        self.items = items
        self.make = make

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, place: int) -> object: ...
    @overload
    def __getitem__(self, place: slice) -> list[object]: ...
    def __getitem__(self, place: int | slice) -> object:
        if isinstance(place, slice):
            return [self.make(item) for item in self.items[place]]
        return self.make(self.items[place])

    def __iter__(self) -> Iterator[object]:
        return map(self.make, self.items)
