"""A model that calls tools as it is told, and a handler that writes down which runs there were."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool


class PlayedModel(BaseChatModel):
    """Gives the answer whose turn it is by the answers that the prompt holds; no state."""

    answers: list[AIMessage]

    @property
    def _llm_type(self) -> str:
        return "played"

    def _answer(self, messages: list[BaseMessage]) -> AIMessage:
        turn = sum(isinstance(each, AIMessage) for each in messages)
        return self.answers[turn].model_copy()

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._answer(messages))])

    def _stream(
        self, messages: list[BaseMessage], *_: Any, **__: Any
    ) -> Iterator[ChatGenerationChunk]:
        yield from _chunks(self._answer(messages))

    async def _astream(
        self, messages: list[BaseMessage], *_: Any, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in _chunks(self._answer(messages)):
            yield chunk

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        """Bind tools as OpenAI's models do."""
        return self.bind(tools=[convert_to_openai_tool(each) for each in tools], **kwargs)


def _chunks(answer: AIMessage) -> Iterator[ChatGenerationChunk]:
    for word in answer.text.split(" ") if answer.text else []:
        yield ChatGenerationChunk(message=AIMessageChunk(word))
    last = AIMessageChunk("", tool_calls=answer.tool_calls, chunk_position="last")
    yield ChatGenerationChunk(message=last)


@dataclass
class Run:
    """What a handler is told when a run starts."""

    name: str
    kind: str
    parent: str | None
    metadata: dict[str, Any]
    tags: list[str]
    messages: list[BaseMessage] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)


class RunLog(BaseCallbackHandler):
    """Writes down the runs in the order in which they started."""

    raise_error = True
    run_inline = True

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self._names: dict[Any, str] = {}

    def _add(self, kind: str, serialized: Any, about: dict[str, Any], **more: Any) -> None:
        name = about["name"] or serialized["name"]
        parent = self._names.get(about["parent_run_id"])
        self._names[about["run_id"]] = name
        self.runs.append(Run(name, kind, parent, about["metadata"], about["tags"], **more))

    def on_chain_start(self, serialized: Any, _: Any, **about: Any) -> None:  # noqa: D102
        self._add("chain", serialized, about)

    def on_tool_start(self, serialized: Any, _: Any, **about: Any) -> None:  # noqa: D102
        self._add("tool", serialized, {"name": None, **about})

    def on_chat_model_start(self, serialized: Any, messages: Any, **about: Any) -> None:  # noqa: D102
        params = about["invocation_params"]
        about = {"name": None, **about}
        self._add("chat", serialized, about, messages=list(messages[0]), kwargs=params)

    def of_kind(self, kind: str) -> list[Run]:
        """The runs of one kind."""
        return [run for run in self.runs if run.kind == kind]
