"""The event loop, shared: a task that finds its input ready lets others run all the same."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Final

# Seconds that a stream may keep the event loop to itself.
_LONGEST: Final = 0.005


class Turn:
    """A task's turn on its event loop, from when it is made."""

    __slots__ = ("_ends",)

    def __init__(self) -> None:
        self._ends = monotonic() + _LONGEST

    async def share(self) -> None:
        """Let others run, and be cancelled, where the turn has lasted long enough."""
        if monotonic() > self._ends:
            await asyncio.sleep(0)
            self._ends = monotonic() + _LONGEST
