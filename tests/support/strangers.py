"""Models, tools and graphs of people who know nothing of nodespan, and the ways to call them."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from langchain_core.language_models import LLM, BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, ToolCall
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import (
    ChatGeneration,
    ChatGenerationChunk,
    ChatResult,
    GenerationChunk,
)
from langgraph.graph.message import add_messages
from opentelemetry import trace
from pydantic import ConfigDict, Field

if TYPE_CHECKING:
    from langchain_core.callbacks import CallbackManagerForLLMRun
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import Runnable, RunnableConfig


class State(TypedDict, total=False):
    """The state of graphs that talk."""

    messages: Annotated[list[AnyMessage], add_messages]


class Count(TypedDict, total=False):
    """The state of graphs that count."""

    total: Annotated[int, operator.add]
    items: list[int]


Hook = Callable[[str, int], None]
AsyncHook = Callable[[str, int], Awaitable[None]]


class Talker(BaseChatModel):
    """Says words, natively in all four bodies, and lets a test look into each of them.

    Args:
        answer: what it says, a chunk a word.
        fails_with: raised in the body, after *fails_after* chunks of a stream.
        looks: called in each body with its name and the number of chunks given so far.
        waits: the same, awaited, in async bodies.
        calls: tool calls of its answers, one list an answer; afterwards it only speaks.
        reports_usage: whether it counts the words that it says.
        reports_tokens: whether it reports them itself, one by one, where it does not stream.
    """

    model_name: str = "talker"
    answer: str = "so it is"
    fails_with: BaseException | None = None
    fails_after: int = 0
    looks: Hook | None = None
    waits: AsyncHook | None = None
    calls: list[list[ToolCall]] = Field(default_factory=list)
    reports_usage: bool = False
    reports_tokens: bool = False

    model_config = ConfigDict(arbitrary_types_allowed=True)

    @property
    def _llm_type(self) -> str:
        return "talking"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name}

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        """Take tools along, as agents ask of their model."""
        return self.bind(tools=[tool.name for tool in tools], **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],  # noqa: ARG002 - LangChain's signature
        stop: list[str] | None = None,  # noqa: ARG002 - as above
        run_manager: CallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> ChatResult:
        self._look("_generate", 0)
        if self.reports_tokens and run_manager is not None:
            for word in self.answer.split():
                run_manager.on_llm_new_token(word)
        return self._result()

    async def _agenerate(self, *_: Any, **__: Any) -> ChatResult:
        await self._await("_agenerate", 0)
        return self._result()

    def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        chunks = self._chunks()
        for given, chunk in enumerate(chunks):
            self._look("_stream", given)
            yield chunk
        self._look("_stream", len(chunks))

    async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        chunks = self._chunks()
        for given, chunk in enumerate(chunks):
            await self._await("_astream", given)
            yield chunk
        await self._await("_astream", len(chunks))

    def _result(self) -> ChatResult:
        message = AIMessage(
            self.answer,
            tool_calls=self.calls.pop(0) if self.calls else [],
            usage_metadata=self._usage(),
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _usage(self) -> UsageMetadata | None:
        spoken = len(self.answer.split())
        told = UsageMetadata(input_tokens=1, output_tokens=spoken, total_tokens=1 + spoken)
        return told if self.reports_usage else None

    def _chunks(self) -> list[ChatGenerationChunk]:
        words = [f"{word} " for word in self.answer.split()]
        calls = self.calls.pop(0) if self.calls else []
        messages = [AIMessageChunk(word) for word in words]
        messages.append(
            AIMessageChunk(
                "", tool_calls=calls, usage_metadata=self._usage(), chunk_position="last"
            )
        )
        return [ChatGenerationChunk(message=message) for message in messages]

    def _look(self, body: str, given: int) -> None:
        if self.looks is not None:
            self.looks(body, given)
        if self.fails_with is not None and given == self.fails_after:
            raise self.fails_with

    async def _await(self, body: str, given: int) -> None:
        if self.waits is not None:
            await self.waits(body, given)
        self._look(body, given)


class Completer(LLM):
    """Completes text, natively in all four bodies, and lets a test look into each of them.

    Args:
        looks: called in each body with its name and the number of chunks given so far.
    """

    looks: Hook = lambda _body, _given: None

    @property
    def _llm_type(self) -> str:
        return "completing"

    def _call(self, *_: Any, **__: Any) -> str:
        self.looks("_call", 0)
        return "so it is"

    async def _acall(self, *_: Any, **__: Any) -> str:
        await asyncio.sleep(0)
        self.looks("_acall", 0)
        return "so it is"

    def _stream(self, *_: Any, **__: Any) -> Iterator[GenerationChunk]:
        for given, word in enumerate(("so", "it", "is")):
            self.looks("_stream", given)
            yield GenerationChunk(text=word)

    async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[GenerationChunk]:
        for given, word in enumerate(("so", "it", "is")):
            await asyncio.sleep(0)
            self.looks("_astream", given)
            yield GenerationChunk(text=word)


@dataclass(frozen=True, slots=True)
class Call:
    """A way to call a runnable.

    Attributes:
        name: of the way.
        sync: does it, to the end; None where the way is async.
        async_: as above.
    """

    name: str
    sync: Callable[[Runnable[Any, Any], Any, RunnableConfig], Any] | None = None
    async_: Callable[[Runnable[Any, Any], Any, RunnableConfig], Awaitable[Any]] | None = None

    def __str__(self) -> str:
        return self.name

    def run(self, runnable: Runnable[Any, Any], given: Any, config: RunnableConfig) -> Any:
        """Call *runnable* to the end, and see that it leaves the context as it was."""
        if self.sync is not None:
            with unchanged_context():
                return self.sync(runnable, given, config)
        return asyncio.run(self._run_async(runnable, given, config))

    async def _run_async(
        self, runnable: Runnable[Any, Any], given: Any, config: RunnableConfig
    ) -> Any:
        assert self.async_ is not None
        with unchanged_context():
            return await self.async_(runnable, given, config)


class unchanged_context:  # noqa: N801 - read as a function
    """Fails where another span is current at the exit than at the entry."""

    def __enter__(self) -> None:
        self._before = trace.get_current_span()

    def __exit__(self, *_: object) -> None:
        assert trace.get_current_span() is self._before, "another span is current than before"


async def drain(stream: AsyncIterator[Any]) -> list[Any]:
    """Take all that an async stream gives."""
    return [item async for item in stream]


def streaming(**settings: Any) -> tuple[Call, Call]:
    """Return the sync and the async way to stream with these settings."""
    told = ",".join(f"{name}={value}" for name, value in settings.items())
    return (
        Call(f"stream({told})", lambda r, given, c: list(r.stream(given, c, **settings))),
        Call(f"astream({told})", None, lambda r, given, c: drain(r.astream(given, c, **settings))),
    )


def _events_v3(runnable: Any, given: Any, config: RunnableConfig) -> list[Any]:
    return list(runnable.stream_events(given, config, version="v3"))


async def _aevents_v3(runnable: Any, given: Any, config: RunnableConfig) -> list[Any]:
    return await drain(await runnable.astream_events(given, config, version="v3"))


INVOKE = Call("invoke", lambda r, given, c: r.invoke(given, c))
AINVOKE = Call("ainvoke", None, lambda r, given, c: r.ainvoke(given, c))
STREAM, ASTREAM = streaming()
EVENTS_V2 = Call(
    "astream_events v2", None, lambda r, given, c: drain(r.astream_events(given, c, version="v2"))
)
EVENTS_V3 = Call("stream_events v3", _events_v3)
AEVENTS_V3 = Call("astream_events v3", None, _aevents_v3)

PLAIN_CALLS = (INVOKE, AINVOKE, STREAM, ASTREAM, EVENTS_V2)
MODEL_CALLS = (*PLAIN_CALLS, EVENTS_V3, AEVENTS_V3)
STREAM_MODES = (
    "values",
    "updates",
    "messages",
    "custom",
    "debug",
    "tasks",
    "checkpoints",
    "tools",
)
GRAPH_CALLS = (
    *MODEL_CALLS,
    *(way for mode in STREAM_MODES for way in streaming(stream_mode=mode)),
    *streaming(stream_mode=["values", "messages", "updates"], subgraphs=True),
    *streaming(stream_mode="messages", subgraphs=True),
)
