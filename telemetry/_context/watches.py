"""Learns of ends that LangChain does not report.

Core sends neither end nor error for a cancelled call of a model or a tool, for any run that is
cancelled while the callbacks of its start are running, and for a model's synchronous stream of
events that is dropped.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from weakref import ref

from .._upstream.standard_library import running_loop
from .callers import current_task

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from uuid import UUID


class TaskWatch:
    """Calls *on_done* when a task is over, unless it is stopped before.

    Args:
        task: to watch.
        on_done: called once, in the task's event loop.
    """

    __slots__ = ("_on_done", "_task")

    def __init__(self, task: asyncio.Task[Any], on_done: Callable[[], None]) -> None:
        self._task: Final = ref(task)
        self._on_done: Final = on_done
        task.add_done_callback(self._done)

    def stop(self) -> None:
        """Watch no longer; a task that lives long must not collect those that watched it."""
        task = self._task()
        if task is not None:
            task.remove_done_callback(self._done)

    def _done(self, _task: asyncio.Task[Any]) -> None:
        self._on_done()


def watch_current_task(on_done: Callable[[], None]) -> TaskWatch | None:
    """Watch the task that is running here; None where there is none."""
    task = current_task()
    return TaskWatch(task, on_done) if task is not None else None


class IdWatch(ref["UUID"]):
    """Calls *on_gone* when nobody has a run's id any longer: then nobody can end the run.

    LangChain makes the id of a run, and keeps it for as long as it means to report its end.

    Attributes:
        run_id: the integer of the id.
        loop: in which the run was started; None outside of any.
    """

    __slots__ = ("loop", "run_id")

    run_id: int
    loop: asyncio.AbstractEventLoop | None

    def soon(self, settle: Callable[[], None]) -> None:
        """Have *settle* called by the event loop, if there is one.

        An id may go at any moment, in any code: nothing else must be done then and there.
        """
        if self.loop is not None:
            with suppress(RuntimeError):  # the loop is closed
                self.loop.call_soon_threadsafe(settle)


def watch_id(run_id: UUID, on_gone: Callable[[IdWatch], None]) -> IdWatch:
    """Watch a run's id, which LangChain's own managers report."""
    watch = IdWatch(run_id, on_gone)
    watch.run_id = run_id.int
    watch.loop = running_loop()
    return watch
