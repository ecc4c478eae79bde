"""The names of Python's that it does not promise to keep, and what happens without them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from .names import Name, Use

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

LOOP: Final = Use(
    (Name("asyncio", "_get_running_loop"),),
    "the running loop is asked for by `get_running_loop`, which raises where there is none",
    is_replaced=True,
)
FRAME: Final = Use(
    (Name("sys", "_getframe"),),
    "the stack is read from the traceback of an exception",
    is_replaced=True,
)
TABLE: Final = (LOOP, FRAME)


def _loop_or_none() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _frame(depth: int = 0) -> FrameType | None:
    try:
        raise RuntimeError  # noqa: TRY301 - its traceback is what is wanted
    except RuntimeError as error:
        frame = error.__traceback__.tb_frame.f_back if error.__traceback__ is not None else None
    while frame is not None and depth:
        frame, depth = frame.f_back, depth - 1
    return frame


running_loop: Final[Callable[[], asyncio.AbstractEventLoop | None]] = (
    LOOP.find() or (_loop_or_none,)
)[0]
"""Returns the event loop that is running here; None where there is none."""

frame_above: Final[Callable[[int], FrameType | None]] = (FRAME.find() or (_frame,))[0]
"""Returns the frame that is so many above the one that asks."""
