"""A chat model as a runnable from state to update."""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, SystemMessage
from langchain_core.runnables import Runnable, RunnableConfig

from ._chat_model import ChatModel, require_chat_model

_MISSING = object()


class ChatNode(Runnable[Any, dict[str, list[BaseMessage]]]):
    """A runnable, because LangGraph takes only those with a sync and an async side.

    It reports no run of its own: LangGraph reports the node's.
    """

    def __init__(
        self,
        model: ChatModel,
        system_prompt: str | SystemMessage | None,
        messages_key: str,
        name: str,
    ) -> None:
        require_chat_model(model)
        if not isinstance(messages_key, str) or not messages_key:
            raise TypeError(f"messages_key is the name of a key of the state, not {messages_key!r}")
        self.name = name
        self._model = model
        self._system = _system_messages(system_prompt)
        self._messages_key = messages_key

    def invoke(
        self,
        input: Any,  # noqa: A002 - Runnable's own name for it
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> dict[str, list[BaseMessage]]:
        answer = self._model.invoke(self._prompt(input), config, **kwargs)
        return {self._messages_key: [answer]}

    async def ainvoke(
        self,
        input: Any,  # noqa: A002 - Runnable's own name for it
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> dict[str, list[BaseMessage]]:
        answer = await self._model.ainvoke(self._prompt(input), config, **kwargs)
        return {self._messages_key: [answer]}

    def _prompt(self, state: Any) -> list[Any]:
        """What the model is given; LangChain turns tuples, dicts and strings into messages."""
        prompt = [*self._system, *self._messages(state)]
        if not prompt:
            raise ValueError(
                f"the state's {self._messages_key!r} is empty: there is nothing to answer"
            )
        return prompt

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


def _value(state: Any, key: str) -> Any:
    if isinstance(state, Mapping):
        return state.get(key, _MISSING)
    return getattr(state, key, _MISSING)


def _keys(state: Any) -> str:
    """The names of what the state holds, never the values: those are content."""
    if isinstance(state, Mapping):
        return ", ".join(sorted(map(repr, state))) or "nothing at all"
    return f"what a {type(state).__name__} has"
