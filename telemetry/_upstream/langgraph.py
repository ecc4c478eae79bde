"""The names of LangGraph's that it does not promise to keep, and what happens without them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from .names import Kind, Name, Use

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType, ModuleType

_MAIN: Final = "langgraph.pregel.main"
_LOOP: Final = "langgraph.pregel._loop"
_NO_INTERRUPTS: Final = "`instrument` does not see interrupts and resumptions"
_NO_CACHED_NODES: Final = "nodes that a cache answers for have no spans"

GRAPHS: Final = Use(
    (
        Name(_MAIN, "Pregel.stream", Kind.FRAME, "self"),
        Name(_MAIN, "Pregel.astream", Kind.FRAME, "self"),
    ),
    "a graph inside a graph is known by its first node, and an agent there may be a workflow",
)
MANAGERS: Final = Use(
    (
        Name(_MAIN, "get_sync_graph_callback_manager_for_config"),
        Name(_MAIN, "get_async_graph_callback_manager_for_config"),
    ),
    _NO_INTERRUPTS,
)
CACHED: Final = Use(
    (
        Name(_LOOP),
        Name(_LOOP, "SyncPregelLoop.match_cached_writes"),
        Name(_LOOP, "AsyncPregelLoop.amatch_cached_writes"),
    ),
    _NO_CACHED_NODES,
)
TASKS: Final = Use(
    (Name("langgraph.types", "PregelExecutableTask.config", Kind.MEMBER),), _NO_CACHED_NODES
)
TABLE: Final = (GRAPHS, MANAGERS, CACHED, TASKS)


def graph_in(frame: FrameType) -> Any:
    """Return the graph that a frame of `GRAPHS` runs."""
    return frame.f_locals.get("self")


def callback_manager_makers() -> tuple[tuple[ModuleType, str], ...]:
    """Return the functions, sync and async, that make the callback managers of graphs."""
    if MANAGERS.find() is None:
        return ()
    return tuple((import_module(_MAIN), name.path) for name in MANAGERS.names)


def cached_writes() -> tuple[tuple[type, str], ...]:
    """Return the methods, sync and async, that return which tasks a cache answers for."""
    found = CACHED.find()
    if found is None:
        return ()
    loops = found[0]
    return (
        (loops.SyncPregelLoop, "match_cached_writes"),
        (loops.AsyncPregelLoop, "amatch_cached_writes"),
    )


def config_of(task: Any) -> Mapping[str, Any]:
    """Return the config of a task; an empty one where it has none."""
    try:
        return task.config or {}
    except AttributeError as error:
        TASKS.miss(error)
        return {}


def manager_of(task: Any) -> Any:
    """Return the callback manager of a task; None where it has none."""
    return config_of(task).get("callbacks")
