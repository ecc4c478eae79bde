"""The graph of an agent: model node, tool node, and the loop between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from ._chat_model import bind_tools, require_chat_model
from ._chat_node import ChatNode
from ._tools import parted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from langchain_core.messages import SystemMessage
    from langchain_core.runnables import RunnableConfig
    from langchain_core.tools import BaseTool

    from ._chat_model import ChatModel
    from ._tools import Tool

Agent: TypeAlias = CompiledStateGraph[MessagesState, None, MessagesState, MessagesState]
_Builder: TypeAlias = StateGraph[MessagesState, None, MessagesState, MessagesState]

AGENT_NAME_KEY = "nodespan_agent_name"
"""The metadata key that marks a graph's run as an agent's: telemetry reads it."""


def agent_builder(
    model: ChatModel, tools: Sequence[Tool], system_prompt: str | SystemMessage | None
) -> _Builder:
    """Lay out the nodes and edges of an agent. See `build_agent`."""
    require_chat_model(model)
    own, providers = parted(tools)
    if own or providers:
        model = bind_tools(model, [*own, *providers])
    builder = StateGraph(MessagesState)
    builder.add_node("model", ChatNode(model, system_prompt, "messages", "model"))
    builder.add_edge(START, "model")
    if own:
        _add_tool_loop(builder, own)
    else:
        builder.add_edge("model", END)
    return builder


def compiled(builder: _Builder, **options: Any) -> Agent:
    """Compile the graph of an agent with the *options* of `StateGraph.compile`."""
    agent = builder.compile(**options)
    # Not `copy()`, which is LangGraph's way: it forgets what a checkpoint may hold.
    agent.__class__ = _AgentGraph
    return agent


class _AgentGraph(CompiledStateGraph[MessagesState, None, MessagesState, MessagesState]):
    """A graph whose every run is marked as an agent's, inside another agent too.

    The graph's own config cannot carry the mark, because a caller's metadata goes before it, and
    an agent that is called by another agent's node gets that agent's.
    """

    def stream(
        self,
        input: Any,  # noqa: A002 - Pregel's own name for it
        config: RunnableConfig | None = None,
        **options: Any,
    ) -> Iterator[Any]:
        return super().stream(input, self._marked(config), **options)

    def astream(
        self,
        input: Any,  # noqa: A002 - Pregel's own name for it
        config: RunnableConfig | None = None,
        **options: Any,
    ) -> AsyncIterator[Any]:
        return super().astream(input, self._marked(config), **options)

    def _marked(self, config: RunnableConfig | None) -> RunnableConfig:
        """*config* with the name that the root run will have: nobody else's run has it."""
        config = config or {}
        name = config.get("run_name") or (self.config or {}).get("run_name") or self.name
        return {**config, "metadata": {**(config.get("metadata") or {}), AGENT_NAME_KEY: name}}


def _add_tool_loop(builder: _Builder, tools: Sequence[BaseTool]) -> None:
    builder.add_node("tools", ToolNode(tools))
    builder.add_conditional_edges("model", tools_condition, ["tools", END])
    final = {tool.name for tool in tools if tool.return_direct}
    if not final:
        builder.add_edge("tools", "model")
        return

    def after_tools(state: MessagesState) -> Literal["model", "__end__"]:
        return "__end__" if _tools_called(state) <= final else "model"

    builder.add_conditional_edges("tools", after_tools, ["model", END])


def _tools_called(state: MessagesState) -> set[str]:
    """The names of the tools that the last answer of the model asked for."""
    answers = (each for each in reversed(state["messages"]) if isinstance(each, AIMessage))
    return {call["name"] for call in next(answers).tool_calls}
