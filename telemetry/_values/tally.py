"""Counts what any thread may add to, without a lock (pure)."""

from __future__ import annotations

from itertools import count


class Tally:
    """A count that only grows, by one at a time.

    Attributes:
        add: adds one; a call of this is all that a thread on its way spends.
    """

    __slots__ = ("_numbers", "add")

    def __init__(self) -> None:
        self._numbers = count()
        self.add = self._numbers.__next__

    @property
    def total(self) -> int:
        """How often one was added."""
        # What comes next, without taking it: a counter tells that in its repr alone.
        return int(repr(self._numbers).removeprefix("count(").removesuffix(")"))
