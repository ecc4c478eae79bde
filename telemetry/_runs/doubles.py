"""Calls at once that were given one run id: each has a run of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import uuid4

from .._context.callers import Caller

if TYPE_CHECKING:
    from uuid import UUID

_MOST: Final = 1_000


class Doubles:
    """All but the first of such calls: by whom they are, and under which id of our own.

    Attributes:
        by_id: by the id that they were given; at most so many ids.
    """

    __slots__ = ("by_id",)

    def __init__(self) -> None:
        self.by_id: dict[int, list[tuple[Caller, UUID]]] = {}

    def add(self, run_id: int) -> UUID:
        """Return another id for a call, of who is calling now, that was given a *run_id* too."""
        own_id = uuid4()
        if len(self.by_id) < _MOST:
            self.by_id.setdefault(run_id, []).append((Caller.here(), own_id))
        return own_id

    def take(self, run_id: UUID, *, is_first_open: bool) -> UUID | None:
        """Return our id of the call that has ended, the caller's or one that is left.

        Returns:
            None where it is the first, which has the id that it was given.
        """
        doubles, here = self.by_id[run_id.int], Caller.here()
        place = next((n for n, (caller, _) in enumerate(doubles) if caller == here), None)
        if place is None and is_first_open:
            return None
        _, own_id = doubles.pop(place or 0)
        if not doubles:
            del self.by_id[run_id.int]
        return own_id
