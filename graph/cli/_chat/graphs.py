"""From `--graph` to a compiled graph that can be talked to."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.pregel import Pregel

if TYPE_CHECKING:
    from ..._agent import Agent
    from .own import Own

_MESSAGES = "messages"
_WAY_OUT = "name a compiled graph, or a function without arguments that returns one"


def load_graph(chosen: Own, *, remembers: bool) -> Agent:
    """Load the graph that was chosen.

    Args:
        chosen: A compiled graph, a builder of one, or a function that makes either.
        remembers: Whether each turn is to know the ones before it: a graph without a
            checkpointer gets one that lasts as long as the command.

    Raises:
        typer.BadParameter: It is no graph, or its state has no messages.
    """
    graph: Agent = _compiled(chosen, _made(chosen, chosen.load()))
    if _MESSAGES not in graph.channels:
        keys = ", ".join(sorted(filter(_is_key, graph.channels)))
        raise chosen.bad(
            f"the state of '{chosen}' has no 'messages' to talk by; it has {keys or 'no keys'}"
        )
    if remembers and (graph.checkpointer is None or isinstance(graph.checkpointer, bool)):
        graph = graph.copy({"checkpointer": InMemorySaver()})
    return graph


def nodes_of_tools(graph: Agent) -> frozenset[str]:
    """Return the nodes of a graph that call tools: what is said in them is no answer."""
    called = (name for name, node in graph.nodes.items() if isinstance(node.bound, ToolNode))
    return frozenset((*called, "tools"))


def _made(chosen: Own, found: Any) -> Any:
    """Return a graph as it is, and what a function makes, async ones too."""
    if isinstance(found, Pregel | StateGraph) or not callable(found):
        return found
    try:
        inspect.signature(found).bind()
    except TypeError as error:
        raise chosen.bad(f"'{chosen}' cannot be called without arguments; {_WAY_OUT}") from error
    except ValueError:  # what is written in C may say nothing of its arguments
        pass
    made = found()
    return asyncio.run(_awaited(made)) if inspect.isawaitable(made) else made


async def _awaited(made: Any) -> Any:
    return await made


def _compiled(chosen: Own, graph: Any) -> Any:
    if isinstance(graph, StateGraph):
        return graph.compile()
    if isinstance(graph, Pregel):
        return graph
    kind = f"the class {graph.__name__}" if isinstance(graph, type) else type(graph).__name__
    raise chosen.bad(f"'{chosen}' is no graph but {kind}; {_WAY_OUT}")


def _is_key(channel: str) -> bool:
    """Whether a channel is a key of the state, and not one that LangGraph runs the graph by."""
    return channel.isidentifier() and not channel.startswith("_")
