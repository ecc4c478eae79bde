"""Nodes and tasks that LangGraph does not run, since a cache has what they would write."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from ._handler import OpenTelemetryCallbackHandler

if TYPE_CHECKING:
    from collections.abc import Callable


def wrap_put_writes(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap what LangGraph's loop calls with the writes of a node, and says whence they are.

    No callback tells of a node that is not run.
    """

    @wraps(original)
    def put_writes(
        loop: Any, task_id: str, writes: Any, *args: Any, cached: bool = False, **kwargs: Any
    ) -> Any:
        if cached:
            _tell(loop, task_id)
        return original(loop, task_id, writes, *args, cached=cached, **kwargs)

    return put_writes


def _tell(loop: Any, task_id: str) -> None:
    task = getattr(loop, "tasks", {}).get(task_id)
    manager = (getattr(task, "config", None) or {}).get("callbacks")
    for handler in getattr(manager, "handlers", ()):
        if isinstance(handler, OpenTelemetryCallbackHandler):
            handler.on_cached_node(task, manager)
            return
