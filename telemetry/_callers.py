"""Who starts a run: the thread, the task, and whether that executes the run's body itself."""

from __future__ import annotations

import asyncio
import sys
from inspect import unwrap
from threading import get_ident
from types import CodeType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self
from weakref import ref

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


def _within(function: Callable[..., Any] | None, name: str) -> Iterator[CodeType]:
    """Give the code of what is defined inside a function under a *name*."""
    for each in unwrap(function).__code__.co_consts if function is not None else ():
        if isinstance(each, CodeType) and each.co_name == name:
            yield each


# These start a run in the task that calls them, and its body in tasks of their own; the last
# when the consumer of a stream of events asks for the first.
_WAITING: Final = frozenset(
    {
        BaseChatModel.agenerate.__code__,
        BaseTool.arun.__code__,
        *_within(getattr(BaseChatModel, "_achat_model_stream_v3", None), "ensure_started"),
    }
)
_OWN: Final = f"{__package__}."
_MANAGERS: Final = "langchain_core.callbacks."


def current_task() -> asyncio.Task[Any] | None:
    """Return the task that is running here; None where there is none."""
    loop = asyncio._get_running_loop()  # noqa: SLF001 - the public one raises where there is none
    return asyncio.current_task(loop) if loop is not None else None


def is_told_by_manager() -> bool:
    """Say whether it is a callback manager of LangChain that reports a start.

    It keeps the id of the run for as long as it means to report the end; others may not.
    """
    frame = _caller_beyond(_OWN)
    return frame is not None and frame.f_globals.get("__name__", "").startswith(_MANAGERS)


def waits_for_body() -> bool:
    """Say whether the task in which LangChain reports a start only waits for the run's body.

    The callback is not told; the stack is.
    """
    frame = _caller_beyond((_OWN, _MANAGERS))
    return frame is not None and frame.f_code in _WAITING


def _caller_beyond(modules: str | tuple[str, ...]) -> FrameType | None:
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - as `logging` finds its caller
    while frame is not None and frame.f_globals.get("__name__", "").startswith(modules):
        frame = frame.f_back
    return frame


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
