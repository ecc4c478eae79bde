"""Awaiting without turns of the event loop in which nothing is waited for."""

from __future__ import annotations

import math
import types
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator

T = TypeVar("T")


@types.coroutine
def unpaused(awaitable: Awaitable[T], longest: float = math.inf) -> Generator[object, None, T]:
    """Await something, and give the loop no turn but where it really waits.

    A task may be cancelled in each turn that it gives. A pool of connections gives one for each
    that it closes; those that it did not come to would be left to the garbage collector.

    Args:
        awaitable: What to await; where it waits it can be cancelled, as ever.
        longest: Seconds that it may go on without waiting. Then the loop gets a turn all the
            same: what a server sends without a pause would hold it up for as long.
    """
    since = monotonic()
    steps = cast("Generator[object, None, T]", awaitable.__await__())
    step = partial(next, steps)
    while True:
        try:
            awaited = step()
        except StopIteration as end:
            return cast("T", end.value)
        step = partial(next, steps)
        if awaited is not None or monotonic() - since > longest:
            try:
                yield awaited
                since = monotonic()
            except BaseException as error:  # noqa: BLE001 - it is for what waits
                step = partial(steps.throw, error)
