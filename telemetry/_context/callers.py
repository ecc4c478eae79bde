"""Who starts a run: the thread and the task."""

from __future__ import annotations

import asyncio
from threading import get_ident
from typing import Any, NamedTuple, Self
from weakref import ref

from .._upstream.standard_library import running_loop


def current_task() -> asyncio.Task[Any] | None:
    """Return the task that is running here; None where there is none."""
    loop = running_loop()
    return asyncio.current_task(loop) if loop is not None else None


class Caller(NamedTuple):
    """The thread that has started a run, and the task, where there is one.

    Attributes:
        thread: its identifier.
        task: of asyncio; a task keeps all alive that it awaits, and is not kept alive itself.
    """

    thread: int
    task: ref[asyncio.Task[Any]] | None

    @classmethod
    def here(cls) -> Self:
        """Return who is calling."""
        loop = running_loop()
        task = asyncio.current_task(loop) if loop is not None else None
        # What `cls` would call: each start of a run asks.
        return tuple.__new__(cls, (get_ident(), ref(task) if task is not None else None))

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is another than who is calling now, and may still be at work."""
        if self.task is None:
            return self.thread != get_ident()
        task = self.task()
        if task is None or task is current_task():
            return False
        return not task.done() and not task.cancelling()
