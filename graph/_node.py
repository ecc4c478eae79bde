"""`chat_node`: a chat model as a node of a state graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any, TypeGuard

from langchain_core.messages import BaseMessage, SystemMessage
from langgraph.utils.runnable import RunnableCallable  # type: ignore[attr-defined]  # no __all__

from ._calls import checked
from ._chat_model import ChatModel, require_chat_model
from ._history import as_messages, as_one, well_formed

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable, RunnableConfig

_MISSING = object()


def chat_node(
    model: ChatModel,
    *,
    system_prompt: str | SystemMessage | None = None,
    messages_key: str = "messages",
    name: str = "chat",
    mend_history: bool = False,
) -> Runnable[Any, dict[str, list[BaseMessage]]]:
    """Make *model* a node for `StateGraph.add_node`, sync and async, streaming in every mode.

    The node gives the model the state's messages, and returns its answer as an update of the
    same key: `{messages_key: [answer]}`. So the key wants a reducer that appends, such as
    `langgraph.graph.message.add_messages`. The state may be a `TypedDict`, a pydantic model or a
    dataclass. See <https://docs.langchain.com/oss/python/langgraph/graph-api#nodes>.

    Args:
        model: A chat model, or one with tools, arguments, retries or fallbacks bound to it.
        system_prompt: Stands before the messages at every call, and is not kept in the state;
            system messages at their beginning become a part of it.
        messages_key: The state's key that holds the list of messages.
        name: The node's name, where `add_node` is given none.
        mend_history: Whether to give the model a conversation that every server takes, whatever
            the state holds: each call of a tool with a result, no result without its call, one
            system message. The state stays as it is. Calls in the answer get an id each, and
            those of an answer that was cut off are invalid.

    Raises:
        TypeError: *model* is no chat model, or another argument has the wrong type; when the node
            runs: the state's messages are not a list.
        ValueError: when the node runs, before the model is called: the state has no such key, or
            there is no message in it and no system prompt.
    """
    return ChatNode(model, system_prompt, messages_key, name, mend_history=mend_history)


class ChatNode(RunnableCallable):
    """What LangGraph makes of a function for `add_node`, with a sync and an async side.

    Engines that run nodes elsewhere, such as Temporal's plugin, take the functions of no other
    kind of runnable. It reports no run of its own: LangGraph reports the node's.
    """

    def __init__(
        self,
        model: ChatModel,
        system_prompt: str | SystemMessage | None,
        messages_key: str,
        name: str,
        *,
        mend_history: bool = False,
    ) -> None:
        require_chat_model(model)
        if not isinstance(messages_key, str) or not messages_key:
            raise TypeError(f"messages_key is the name of a key of the state, not {messages_key!r}")
        super().__init__(self._answer, self._aanswer, name=name, trace=False, recurse=False)
        self._model = model
        self._system = _system_messages(system_prompt)
        self._messages_key = messages_key
        self._mends = mend_history

    def _answer(
        self, state: Any, config: RunnableConfig, **kwargs: Any
    ) -> dict[str, list[BaseMessage]]:
        return self._update(self._model.invoke(self._prompt(state), config, **kwargs))

    async def _aanswer(
        self, state: Any, config: RunnableConfig, **kwargs: Any
    ) -> dict[str, list[BaseMessage]]:
        return self._update(await self._model.ainvoke(self._prompt(state), config, **kwargs))

    def _update(self, answer: BaseMessage) -> dict[str, list[BaseMessage]]:
        return {self._messages_key: [checked(answer) if self._mends else answer]}

    def _prompt(self, state: Any) -> list[Any]:
        """What the model is given; LangChain turns tuples, dicts and strings into messages."""
        prompt = [*self._system, *self._messages(state)]
        if not prompt:
            raise ValueError(
                f"the state's {self._messages_key!r} is empty: there is nothing to answer"
            )
        return self._ordered(prompt)

    def _ordered(self, prompt: list[Any]) -> list[Any]:
        if not self._mends and not self._system:
            return prompt
        messages = as_messages(prompt)
        if self._mends:
            return well_formed(messages)
        leading = [each for each in takewhile(_is_system, messages) if _is_system(each)]
        return [*as_one(leading), *messages[len(leading) :]]

    def _messages(self, state: Any) -> Sequence[Any]:
        messages = _value(state, self._messages_key)
        if messages is _MISSING:
            raise ValueError(
                f"the state has no {self._messages_key!r}, only {_keys(state)}: give it that key, "
                "or name the one that holds the messages with chat_node(model, messages_key=...)"
            )
        if not isinstance(messages, (list, tuple)):
            raise TypeError(
                f"the state's {self._messages_key!r} is a list of messages, "
                f"not an object of type {type(messages).__name__}"
            )
        return messages


def _system_messages(prompt: str | SystemMessage | None) -> list[SystemMessage]:
    if prompt is None:
        return []
    if isinstance(prompt, SystemMessage):
        return [prompt]
    if isinstance(prompt, str):
        return [SystemMessage(prompt)]
    raise TypeError(
        f"a system prompt is text or a SystemMessage, not an object of type {type(prompt).__name__}"
    )


def _is_system(message: BaseMessage) -> TypeGuard[SystemMessage]:
    return isinstance(message, SystemMessage)


def _value(state: Any, key: str) -> Any:
    if isinstance(state, Mapping):
        return state.get(key, _MISSING)
    return getattr(state, key, _MISSING)


def _keys(state: Any) -> str:
    """The names of what the state holds, never the values: those are content."""
    if isinstance(state, Mapping):
        return ", ".join(sorted(map(repr, state))) or "nothing at all"
    return f"what a {type(state).__name__} has"
