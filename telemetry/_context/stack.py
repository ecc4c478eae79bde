"""What LangChain's callbacks leave out, and the stack shows: who calls, and what is reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._upstream import langchain, langgraph
from .._upstream.names import frame_names
from .._upstream.standard_library import frame_above

if TYPE_CHECKING:
    from types import FrameType

# These start a run in the task that calls them, and its body in tasks of their own; the last
# when the consumer of a stream of events asks for the first.
_WAITING: Final = frame_names(langchain.WAITING)
# These report a model's events; those make events of chunks.
_TELLING: Final = frame_names(langchain.TELLING)
_BRIDGES: Final = frame_names(langchain.BRIDGES)
_GRAPHS: Final = frame_names(langgraph.GRAPHS)
_TOOLS: Final = frame_names(langchain.TOOLS)
_PREGEL: Final = "langgraph.pregel."
_RETRYING: Final = ("RunnableRetry.", "RunnableWithFallbacks.")
# It calls the function; those without an underscore start the run of one.
_FUNCTION: Final = langchain.FUNCTION_FRAMES
_OWN: Final = __package__.partition("telemetry")[0] + "telemetry."
_CORE: Final = "langchain_core."
_MANAGERS: Final = f"{_CORE}callbacks."
_RUNNABLES: Final = f"{_CORE}runnables."


def is_reported_by_manager() -> bool:
    """Say whether it is a callback manager of LangChain that reports a start.

    It keeps the id of the run for as long as it means to report the end; others may not.
    """
    frame = _caller_beyond(_OWN)
    return frame is not None and _is_in(frame, _MANAGERS)


def waits_for_body() -> bool:
    """Say whether the task in which LangChain reports a start only waits for the run's body."""
    frame = _reporting_frame()
    # By name: to import the classes takes as long as all of this package.
    return frame is not None and frame.f_code.co_qualname in _WAITING and _is_in(frame, _CORE)


def starting_frame() -> int | None:
    """Return the identity of the frame in which LangChain starts a run, for as long as it lives."""
    frame = _reporting_frame()
    return id(frame) if frame is not None else None


def is_called_by(frame_id: int) -> bool:
    """Say whether what starts a run now is called, however far away, by a frame."""
    frame = _reporting_frame()
    frame = frame.f_back if frame is not None else None
    while frame is not None and id(frame) != frame_id:
        frame = frame.f_back
    return frame is not None


def is_called_by_function() -> bool:
    """Say whether what starts a run now is called by a function that is run as a runnable."""
    frame = _reporting_frame()
    while frame is not None:
        if _is_in(frame, _RUNNABLES):
            name = frame.f_code.co_qualname
            if name.startswith((*_RETRYING, _FUNCTION)):
                return name.startswith(_FUNCTION)
        frame = frame.f_back
    return False


def started_graph() -> Any:
    """Return the graph whose run LangGraph starts; None for a run of anything else.

    A graph inside a graph inherits the metadata that would identify it; the stack has the graph.
    """
    frame = _reporting_frame()
    if frame is None or frame.f_code.co_qualname not in _GRAPHS or not _is_in(frame, _PREGEL):
        return None
    return langgraph.graph_in(frame)


def is_handled_failure() -> bool:
    """Say whether what ends now is a tool whose failure LangChain answers in its place.

    Where no model has called the tool, the result is plain text, and only the stack tells.
    """
    frame = _reporting_frame()
    if frame is None or frame.f_code.co_qualname not in _TOOLS or not _is_in(frame, _CORE):
        return False
    return bool(langchain.tool_status_in(frame) == "error")


def chunk_in_events() -> tuple[Any, Any]:
    """Return the chunk that LangChain is reporting in events, and the block that it is at.

    The callback is given one event of several; the stack has the chunk. Where a model reports
    its own events, both are None.
    """
    frame = _reporting_frame()
    if frame is None or frame.f_code.co_qualname not in _TELLING:
        return None, None
    events = langchain.events_in(frame)
    bridge = getattr(events, "gi_frame", None) or getattr(events, "ag_frame", None)
    if bridge is None or bridge.f_code.co_name not in _BRIDGES or not _is_in(bridge, _CORE):
        return None, None
    return langchain.chunk_and_block_in(bridge)


def _reporting_frame() -> FrameType | None:
    """Return the frame whose callback manager is calling the handler."""
    return _caller_beyond((_OWN, _MANAGERS))


def _caller_beyond(modules: str | tuple[str, ...]) -> FrameType | None:
    frame = frame_above(1)
    # What `_is_in` says, in place: there are ten frames on the way, and several ways a run.
    while frame is not None and str(frame.f_globals.get("__name__")).startswith(modules):
        frame = frame.f_back
    return frame


def _is_in(frame: FrameType, modules: str | tuple[str, ...]) -> bool:
    return str(frame.f_globals.get("__name__")).startswith(modules)
