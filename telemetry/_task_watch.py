"""Learns of a task's end where LangChain reports none: a cancelled call of a model or a tool."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable


class TaskWatch:
    """Calls *on_done* when a task is over, unless it is stopped before.

    Args:
        task: to watch.
        on_done: called once, in the task's event loop.
    """

    __slots__ = ("_on_done", "_task")

    def __init__(self, task: asyncio.Task[Any], on_done: Callable[[], None]) -> None:
        self._task: Final = task
        self._on_done: Final = on_done
        task.add_done_callback(self._done)

    def stop(self) -> None:
        """Watch no longer; a task that lives long must not collect those that watched it."""
        self._task.remove_done_callback(self._done)

    def _done(self, _task: asyncio.Task[Any]) -> None:
        self._on_done()


def watch_current_task(on_done: Callable[[], None]) -> TaskWatch | None:
    """Watch the task that is running here; None where there is none."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return None
    return TaskWatch(task, on_done) if task is not None else None
