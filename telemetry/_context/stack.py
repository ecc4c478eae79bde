"""What LangChain's callbacks leave out, and the stack shows: who calls, and what is reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .._upstream import langchain, langgraph
from .._upstream.names import frame_names
from .._upstream.standard_library import frame_above

if TYPE_CHECKING:
    from types import CodeType, FrameType

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
_BETWEEN: Final = (_OWN, _MANAGERS)
# So far above who asks here is LangChain at the nearest: between are a callback, and the
# lifecycle of runs.
_NEAREST: Final = 3
_MOST_PLACES: Final = 1_024


@dataclass(slots=True)  # not frozen: one is made for each start, and that takes thrice as long
class Reporter:
    """Who reports a start: looked for on the stack once a start.

    Attributes:
        frame: identity of the frame whose callback manager is calling the handler: the frame in
            which LangChain starts a run, for as long as it lives.
        is_manager: whether it is a callback manager of LangChain that calls. It keeps the id of
            the run for as long as it means to report the end; others may not.
        graph: whose run LangGraph starts; None for a run of anything else. A graph inside a graph
            inherits the metadata that would identify it; the stack has the graph.
        waits_for_body: whether the task in which LangChain reports a start only waits for the
            run's body.
    """

    frame: int | None
    is_manager: bool
    graph: Any
    waits_for_body: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """What the code of a frame is to who looks for a reporter.

    Attributes:
        code: itself: as long as it lives, its identity is no other's.
        is_between: whether it is ours, or a callback manager's.
        is_manager: whether it is a callback manager's.
        is_graph: whether it starts the runs of graphs.
        waits: whether it starts a run, and its body in tasks of their own.
    """

    code: CodeType
    is_between: bool
    is_manager: bool
    is_graph: bool
    waits: bool


_places: Final[dict[int, _Place]] = {}


def reporter() -> Reporter:
    """Return who is reporting a start."""
    frame = frame_above(_NEAREST)
    is_manager = False
    while frame is not None:
        place = _places.get(id(frame.f_code)) or _place(frame)
        if not place.is_between:
            graph = langgraph.graph_in(frame) if place.is_graph else None
            return Reporter(id(frame), is_manager, graph, place.waits)
        is_manager = is_manager or place.is_manager
        frame = frame.f_back
    return Reporter(None, is_manager, None, waits_for_body=False)


def _place(frame: FrameType) -> _Place:
    """Return what the code of a frame is, and keep it: LangChain starts runs in a few places."""
    # By name: to import the classes takes as long as all of this package.
    name, is_manager = frame.f_code.co_qualname, _is_in(frame, _MANAGERS)
    place = _Place(
        frame.f_code,
        is_between=is_manager or _is_in(frame, _OWN),
        is_manager=is_manager,
        is_graph=name in _GRAPHS and _is_in(frame, _PREGEL),
        waits=name in _WAITING and _is_in(frame, _CORE),
    )
    if len(_places) >= _MOST_PLACES:
        _places.clear()
    _places[id(frame.f_code)] = place
    return place


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
    frame = frame_above(1)
    while frame is not None and str(frame.f_globals.get("__name__")).startswith(_BETWEEN):
        frame = frame.f_back
    return frame


def _is_in(frame: FrameType, modules: str | tuple[str, ...]) -> bool:
    return str(frame.f_globals.get("__name__")).startswith(modules)
