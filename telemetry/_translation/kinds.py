"""What a run is, judged by what LangChain reports at its start (pure)."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from langgraph.pregel import Pregel

    from .start import Start

_NODE_TAG: Final = "graph:step:"
_PLACE: Final = "langgraph_checkpoint_ns"
_WITH_FALLBACKS: Final = "RunnableWithFallbacks"
HIDDEN_TAG: Final = "langsmith:hidden"
_CREATE_AGENT: Final = "langchain_create_agent"
_GRAPH_INTEGRATIONS: Final = ("langgraph", _CREATE_AGENT)
# LangGraph's name for a graph to which nobody has given one.
NAME_OF_NAMELESS: Final = "LangGraph"
AGENT_NAME_KEYS: Final = ("nodespan_agent_name", "lc_agent_name", "agent_name")


class RunKind(StrEnum):
    """What a run is, as far as its span is concerned.

    Attributes:
        is_agent: whether the run is an agent's.
        is_graph: whether the run is a LangGraph graph.
        is_model: whether the run is a model's.
        is_leaf: whether LangChain does not pass it on to what its body calls.
        has_body: whether code of the application's runs in it, so that its spans belong beneath.
        is_undecided: whether what starts beneath it may show it to be something else.
        is_tool: whether the run is a tool's.
        is_call: whether the application may have made a call that is this run.
        is_operation: whether the conventions have an operation for it.
    """

    AGENT = "agent"
    WORKFLOW = "workflow"
    NODE = "node"
    CHAT = "chat"
    TEXT_COMPLETION = "text_completion"
    TOOL = "tool"
    RETRIEVER = "retriever"
    ATTEMPTS = "attempts"
    RUNNABLE = "runnable"
    HIDDEN = "hidden"

    is_agent: bool
    is_graph: bool
    is_model: bool
    is_leaf: bool
    has_body: bool
    is_undecided: bool
    is_tool: bool
    is_call: bool
    is_operation: bool

    def __init__(self, name: str) -> None:
        # Plain attributes: every run asks for several of them, some of them often.
        self.is_agent = name == "agent"
        self.is_graph = name in ("agent", "workflow")
        self.is_model = name in ("chat", "text_completion")
        self.is_leaf = name in ("chat", "text_completion", "retriever")
        self.has_body = self.is_leaf or name in ("node", "tool")
        self.is_undecided = name in ("runnable", "hidden")
        self.is_tool = name == "tool"
        self.is_call = self.is_leaf or self.is_tool
        self.is_operation = self.is_call or self.is_graph


def chain_kind(start: Start, above: Start | None) -> RunKind:
    """Say what a chain run is: a graph, a node, a root of another kind, or noise.

    A graph inside a graph inherits the metadata that would identify it; it is `HIDDEN` here.

    Args:
        start: of the run.
        above: the start of its parent; None for a root.
    """
    if HIDDEN_TAG in start.tags or start.name == "__start__":
        return RunKind.HIDDEN
    if is_graph_step(start) or _is_task(start, above):
        return RunKind.NODE
    if start.name == _WITH_FALLBACKS:
        return RunKind.ATTEMPTS
    if _integration(start) in _GRAPH_INTEGRATIONS and _is_own_integration(start, above):
        return graph_kind(start, above)
    return RunKind.RUNNABLE if above is None else RunKind.HIDDEN


def is_hidden(start: Start) -> bool:
    """Say whether a run is marked as one that nobody wants to see."""
    return HIDDEN_TAG in start.tags


def shown(start: Start) -> Start:
    """Return the start of a run without the mark that nobody wants to see it."""
    return replace(start, tags=[tag for tag in start.tags if tag != HIDDEN_TAG])


def nested_graph_kind(
    graph: Pregel[Any, Any, Any, Any], start: Start, above: Start | None
) -> RunKind:
    """Say what a graph inside another is: of an agent's, its own config says who has made it."""
    own = (graph.config or {}).get("metadata", {})
    is_agent = own.get("ls_integration") == _CREATE_AGENT
    return RunKind.AGENT if is_agent else graph_kind(start, above)


def graph_kind(start: Start, above: Start | None) -> RunKind:
    """Say whether a graph is an agent, made or marked as one, or any other graph."""
    if start.name is not None and start.name in map(start.metadata.get, AGENT_NAME_KEYS):
        return RunKind.AGENT
    is_agent = _integration(start) == _CREATE_AGENT and _is_own_integration(start, above)
    return RunKind.AGENT if is_agent else RunKind.WORKFLOW


def is_graph_step(start: Start) -> bool:
    """Say whether a chain run is a node that a graph runs in one of its steps."""
    if "langgraph_node" in start.metadata:
        for tag in start.tags:
            if isinstance(tag, str) and tag.startswith(_NODE_TAG):
                return True
    return False


def _is_task(start: Start, above: Start | None) -> bool:
    """Say whether a chain run is a task of LangGraph's functional API.

    A node or another task calls it; unlike all else that they call, it has a place of its own.
    """
    is_named_so = start.name is not None and start.metadata.get("langgraph_node") == start.name
    place = start.metadata.get(_PLACE)
    return is_named_so and above is not None and above.metadata.get(_PLACE) not in (None, place)


def _integration(start: Start) -> object:
    return start.metadata.get("ls_integration")


def _is_own_integration(start: Start, above: Start | None) -> bool:
    return above is None or _integration(above) != _integration(start)
