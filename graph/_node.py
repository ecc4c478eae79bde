"""`chat_node`: a chat model as a node of a state graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from langchain_core.messages import BaseMessage, SystemMessage
    from langchain_core.runnables import Runnable

    from ._chat_model import ChatModel


def chat_node(
    model: ChatModel,
    *,
    system_prompt: str | SystemMessage | None = None,
    messages_key: str = "messages",
    name: str = "chat",
) -> Runnable[Any, dict[str, list[BaseMessage]]]:
    """Make *model* a node for `StateGraph.add_node`, sync and async, streaming in every mode.

    The node gives the model the state's messages, and returns its answer as an update of the
    same key: `{messages_key: [answer]}`. So the key wants a reducer that appends, such as
    `langgraph.graph.message.add_messages`. The state may be a `TypedDict`, a pydantic model or a
    dataclass. See <https://docs.langchain.com/oss/python/langgraph/graph-api#nodes>.

    Args:
        model: A chat model, or one with tools, arguments, retries or fallbacks bound to it.
        system_prompt: Stands before the messages at every call, and is not kept in the state.
        messages_key: The state's key that holds the list of messages.
        name: The node's name, where `add_node` is given none.

    Raises:
        TypeError: *model* is no chat model, or another argument has the wrong type; when the node
            runs: the state's messages are not a list.
        ValueError: when the node runs, before the model is called: the state has no such key, or
            there is no message in it and no system prompt.
    """
    # Here, because LangChain takes seconds to import, and `nodespan --help` needs none of it.
    from ._chat_node import ChatNode  # noqa: PLC0415

    return ChatNode(model, system_prompt, messages_key, name)
