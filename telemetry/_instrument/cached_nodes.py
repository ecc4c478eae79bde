"""Nodes and tasks that LangGraph does not run, since a cache has what they would write.

No callback reports them: they are seen in what LangGraph's loop finds in its cache.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from .._handler.callbacks import OpenTelemetryCallbackHandler
from .._upstream.langgraph import manager_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable


def wrap_match(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the loop's method that returns those of its tasks that a cache has the writes of."""

    @wraps(original)
    def match(*args: Any, **kwargs: Any) -> Any:
        """Match the tasks, and report those that a cache has answered."""
        matched = original(*args, **kwargs)
        _report(matched)
        return matched

    return match


def wrap_async_match(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Wrap the same method of the async loop."""

    @wraps(original)
    async def match(*args: Any, **kwargs: Any) -> Any:
        """Match as above, asynchronously."""
        matched = await original(*args, **kwargs)
        _report(matched)
        return matched

    return match


def _report(tasks: Iterable[Any]) -> None:
    for task in tasks:
        manager = manager_of(task)
        for handler in getattr(manager, "handlers", ()):
            if isinstance(handler, OpenTelemetryCallbackHandler):
                handler.on_cached_node(task, manager)
                break
