"""Who starts a run: the thread, the task, and whether that executes the run's body itself."""

from __future__ import annotations

import asyncio
import sys
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self
from weakref import ref

if TYPE_CHECKING:
    from types import FrameType


# These start a run in the task that calls them, and its body in tasks of their own; the last
# when the consumer of a stream of events asks for the first.
_WAITING: Final = frozenset(
    {
        "BaseChatModel.agenerate",
        "BaseTool.arun",
        "BaseChatModel._achat_model_stream_v3.<locals>.ensure_started",
    }
)
_OWN: Final = f"{__package__}."
_CORE: Final = "langchain_core."
_MANAGERS: Final = f"{_CORE}callbacks."


def current_task() -> asyncio.Task[Any] | None:
    """Return the task that is running here; None where there is none."""
    loop = asyncio._get_running_loop()  # noqa: SLF001 - the public one raises where there is none
    return asyncio.current_task(loop) if loop is not None else None


def is_told_by_manager() -> bool:
    """Say whether it is a callback manager of LangChain that reports a start.

    It keeps the id of the run for as long as it means to report the end; others may not.
    """
    frame = _caller_beyond(_OWN)
    return frame is not None and _is_in(frame, _MANAGERS)


def waits_for_body() -> bool:
    """Say whether the task in which LangChain reports a start only waits for the run's body.

    The callback is not told; the stack is.
    """
    frame = _caller_beyond((_OWN, _MANAGERS))
    # By name: to import the classes takes as long as all of this package.
    return frame is not None and frame.f_code.co_qualname in _WAITING and _is_in(frame, _CORE)


def _caller_beyond(modules: str | tuple[str, ...]) -> FrameType | None:
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - as `logging` finds its caller
    while frame is not None and _is_in(frame, modules):
        frame = frame.f_back
    return frame


def _is_in(frame: FrameType, modules: str | tuple[str, ...]) -> bool:
    return str(frame.f_globals.get("__name__")).startswith(modules)


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
        task = current_task()
        return cls(get_ident(), ref(task) if task is not None else None)

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is another than who is calling now, and may still be at work."""
        if self.task is None:
            return self.thread != get_ident()
        task = self.task()
        if task is None or task is current_task():
            return False
        return not task.done() and not task.cancelling()
