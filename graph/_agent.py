"""`build_agent`: a chat model and its tools as a compiled graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from langchain_core.messages import ToolMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.utils.runnable import RunnableCallable  # type: ignore[attr-defined]  # no __all__

from ._calls import CallsNode, asks_for_tools, last_answer
from ._chat_model import bind_tools, require_chat_model
from ._node import ChatNode
from ._tools import parted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from langchain_core.messages import BaseMessage, SystemMessage
    from langchain_core.runnables import RunnableConfig
    from langchain_core.tools import BaseTool
    from langgraph.store.base import BaseStore
    from langgraph.types import Checkpointer

    from ._chat_model import ChatModel
    from ._tools import Tool

Agent: TypeAlias = CompiledStateGraph[MessagesState, None, MessagesState, MessagesState]
_Builder: TypeAlias = StateGraph[MessagesState, None, MessagesState, MessagesState]

AGENT_NAME_KEY = "nodespan_agent_name"
"""The metadata key that marks a graph's run as an agent's: telemetry reads it."""


def build_agent(  # noqa: PLR0913 - each is a keyword with a default
    model: ChatModel,
    tools: Sequence[Tool] = (),
    *,
    name: str = "agent",
    system_prompt: str | SystemMessage | None = None,
    checkpointer: Checkpointer = None,
    store: BaseStore | None = None,
    interrupt_before: Sequence[Literal["model", "tools"]] = (),
    interrupt_after: Sequence[Literal["model", "tools"]] = (),
) -> Agent:
    """Build the graph of an agent: the model, its tools, and the loop between them.

    The state is LangGraph's `MessagesState`. The node `model` calls the model; when its answer
    asks for tools, the node `tools` calls them, and the model sees their results. A tool with
    `return_direct` ends the run. A tool's exception ends the run too, but for arguments that do
    not fit its schema: those the model is told about, to try again, and so it is about calls
    that cannot be read, or that were cut off with the answer: none of these is made.

    What goes to the model is well-formed, whatever a thread's state holds: a call that has no
    result, because a tool raised, gets one that says so, and there is one system message. The
    state itself stays as it is. See
    <https://docs.langchain.com/oss/python/langgraph/workflows-agents#agents>.

    Args:
        model: A chat model, or one with arguments, retries or fallbacks bound to it.
        tools: Tools or plain functions, which the agent calls, or dicts in the provider's own
            format, which the provider calls.
        name: The agent's name: of the graph, of its run and on its span.
        system_prompt: Stands before the messages at every call, and is not kept in the state;
            the state's own system messages become a part of it.
        checkpointer: Keeps the state of each thread, such as `InMemorySaver()`.
        store: What tools and nodes may share across threads.
        interrupt_before: Nodes before which the run stops for a human.
        interrupt_after: Nodes after which the run stops for a human.

    Raises:
        TypeError: *model* is no chat model, or cannot call the tools that are given.
        ValueError: *name* is empty, two tools share a name, one has no docstring, or *model* has
            tools bound to it.
    """
    _require_name(name)
    return _compiled(
        _agent_builder(model, tools, system_prompt),
        name=name,
        checkpointer=checkpointer,
        store=store,
        interrupt_before=list(interrupt_before),
        interrupt_after=list(interrupt_after),
    )


def _require_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"an agent's name is text that is not empty, not {name!r}")


def _agent_builder(
    model: ChatModel, tools: Sequence[Tool], system_prompt: str | SystemMessage | None
) -> _Builder:
    """Lay out the nodes and edges of an agent. See `build_agent`."""
    require_chat_model(model)
    own, providers = parted(tools)
    if own or providers:
        model = bind_tools(model, [*own, *providers])
    builder = StateGraph(MessagesState)
    node = ChatNode(model, system_prompt, "messages", "model", mend_history=True)
    builder.add_node("model", node)
    builder.add_edge(START, "model")
    if own:
        _add_tool_loop(builder, own)
    else:
        builder.add_edge("model", END)
    return builder


def _compiled(builder: _Builder, **options: Any) -> Agent:
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
        """Stream as LangGraph does, with what the agent sets."""
        return super().stream(input, self._marked(config), **options)

    def astream(
        self,
        input: Any,  # noqa: A002 - Pregel's own name for it
        config: RunnableConfig | None = None,
        **options: Any,
    ) -> AsyncIterator[Any]:
        """Stream asynchronously, as above."""
        return super().astream(input, self._marked(config), **options)

    def _marked(self, config: RunnableConfig | None) -> RunnableConfig:
        """*config* with the agent's own name, by which its runs are known as an agent's."""
        config = config or {}
        metadata = {**(config.get("metadata") or {}), AGENT_NAME_KEY: self.name}
        return {**config, "metadata": metadata}


def _add_tool_loop(builder: _Builder, tools: Sequence[BaseTool]) -> None:
    builder.add_node("tools", CallsNode(tools))
    builder.add_conditional_edges("model", _route(_after_model), ["tools", END])
    final = {tool.name for tool in tools if tool.return_direct}
    if not final:
        builder.add_edge("tools", "model")
        return

    def after_tools(state: MessagesState) -> Literal["model", "__end__"]:
        """Return where it goes on: nowhere, where a result is the answer."""
        return "__end__" if _are_last_words(state["messages"], final) else "model"

    builder.add_conditional_edges("tools", _route(after_tools), ["model", END])


def _route(path: Callable[[MessagesState], str]) -> RunnableCallable:
    """Make a way that is asked in the event loop too: not all loops have threads."""

    async def ask(state: MessagesState) -> str:
        """Answer as the sync function does, without a thread."""
        return path(state)

    return RunnableCallable(path, ask, name=path.__name__)


def _after_model(state: MessagesState) -> Literal["tools", "__end__"]:
    return "tools" if asks_for_tools(state["messages"][-1]) else "__end__"


def _are_last_words(messages: Sequence[BaseMessage], final: set[str]) -> bool:
    """Whether the last answer called no other tools than *final*, and all of them succeeded."""
    answer = last_answer(messages)
    ids = {call["id"] for call in answer.tool_calls}
    results = [each for each in messages if isinstance(each, ToolMessage)]
    failed = any(each.status == "error" for each in results if each.tool_call_id in ids)
    called = {call["name"] for call in answer.tool_calls}
    return called <= final and not failed and not answer.invalid_tool_calls
