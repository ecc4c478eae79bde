"""`build_agent`: a chat model and its tools as a compiled graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from langchain_core.messages import SystemMessage
    from langgraph.store.base import BaseStore
    from langgraph.types import Checkpointer

    from ._agent_graph import Agent
    from ._chat_model import ChatModel
    from ._tools import Tool


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
    not fit its schema: those the model is told about, to try again. See
    <https://docs.langchain.com/oss/python/langgraph/workflows-agents#agents>.

    Args:
        model: A chat model, or one with arguments, retries or fallbacks bound to it.
        tools: Tools or plain functions, which the agent calls, or dicts in the provider's own
            format, which the provider calls.
        name: The agent's name: of the graph, of its run and on its span.
        system_prompt: Stands before the messages at every call, and is not kept in the state.
        checkpointer: Keeps the state of each thread, such as `InMemorySaver()`.
        store: What tools and nodes may share across threads.
        interrupt_before: Nodes before which the run stops for a human.
        interrupt_after: Nodes after which the run stops for a human.

    Raises:
        TypeError: *model* is no chat model, or cannot call the tools that are given.
        ValueError: *name* is empty, two tools share a name, one has no docstring, or *model* has
            tools bound to it.
    """
    # Here, because LangGraph takes seconds to import, and `nodespan --help` needs none of it.
    from ._agent_graph import agent_builder, compiled  # noqa: PLC0415

    _require_name(name)
    return compiled(
        agent_builder(model, tools, system_prompt),
        name=name,
        checkpointer=checkpointer,
        store=store,
        interrupt_before=list(interrupt_before),
        interrupt_after=list(interrupt_after),
    )


def _require_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"an agent's name is text that is not empty, not {name!r}")
