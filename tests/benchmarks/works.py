"""The work whose telemetry is measured: streams of a model and of graphs, and runs of a graph.

The model and the graphs are written by hand, with LangChain and LangGraph alone: they are what
an application has before any telemetry is added.
"""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypedDict

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langgraph.graph import START, MessagesState, StateGraph

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from langchain_core.runnables import RunnableConfig
    from langgraph.graph.state import CompiledStateGraph


class ByHand(BaseChatModel):
    """A model as one writes it with all of LangChain's native methods.

    Args:
        model_name: as applications would name it.
        temperature: a parameter that identifies it.
        tokens: how many it answers with, one a chunk.
        is_patient: whether it lets other tasks run before each token.
    """

    model_name: str = "by-hand"
    temperature: float = 0.0
    tokens: int
    is_patient: bool = False

    @property
    def _llm_type(self) -> str:
        return "by-hand"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name, "temperature": self.temperature}

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        message = AIMessage(" token" * self.tokens, usage_metadata=_usage(self.tokens))
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        for _number in range(self.tokens):
            yield ChatGenerationChunk(message=AIMessageChunk(content=" token"))
        yield self._last()

    async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        for _number in range(self.tokens):
            if self.is_patient:
                await asyncio.sleep(0)
            yield ChatGenerationChunk(message=AIMessageChunk(content=" token"))
        yield self._last()

    def _last(self) -> ChatGenerationChunk:
        told = {"model_name": self.model_name, "finish_reason": "stop"}
        message = AIMessageChunk(
            content="",
            response_metadata=told,
            usage_metadata=_usage(self.tokens),
            chunk_position="last",
        )
        return ChatGenerationChunk(message=message)


def _usage(tokens: int) -> Any:
    return {"input_tokens": 1, "output_tokens": tokens, "total_tokens": tokens + 1}


class Counted(TypedDict):
    """The state of the graph whose nodes only count."""

    steps: int


@dataclass(frozen=True, slots=True)
class Work:
    """Something to be done.

    Attributes:
        run: does it, with the callbacks of a config.
        units: how many tokens, or runs of a graph, it is.
    """

    run: Callable[[RunnableConfig], None]
    units: int


def stream(tokens: int) -> Work:
    """Return a stream of a model."""
    model = ByHand(tokens=tokens)

    def run(config: RunnableConfig) -> None:
        for _ in model.stream("go", config):
            pass

    return Work(run, tokens)


def astream(tokens: int) -> Work:
    """Return an async stream of a model."""
    model = ByHand(tokens=tokens)
    return Work(lambda config: _runner().run(_consume(model, config)), tokens)


def at_once(streams: int, tokens: int) -> Work:
    """Return many async streams of a model that take turns, token by token, in one event loop."""
    model = ByHand(tokens=tokens, is_patient=True)

    async def consume(config: RunnableConfig) -> None:
        await asyncio.gather(*(_consume(model, config) for _ in range(streams)))

    return Work(lambda config: _runner().run(consume(config)), streams * tokens)


def graph_stream(tokens: int) -> Work:
    """Return a stream of messages of a graph with one node, a model's."""
    graph = _model_graph(ByHand(tokens=tokens))

    def run(config: RunnableConfig) -> None:
        for _ in graph.stream(_ASKED, config, stream_mode="messages"):
            pass

    return Work(run, tokens)


def graph_astream(tokens: int) -> Work:
    """Return the same, async."""
    graph = _async_model_graph(ByHand(tokens=tokens))

    async def consume(config: RunnableConfig) -> None:
        async for _ in graph.astream(_ASKED, config, stream_mode="messages"):
            pass

    return Work(lambda config: _runner().run(consume(config)), tokens)


def graph_invoke(runs: int) -> Work:
    """Return runs of a graph with three nodes that do next to nothing."""
    graph = _three_nodes(_step)

    def run(config: RunnableConfig) -> None:
        for _ in range(runs):
            graph.invoke(_COUNTED, config)

    return Work(run, runs)


def graph_ainvoke(runs: int) -> Work:
    """Return the same, async."""
    graph = _three_nodes(_async_step)

    async def invoke(config: RunnableConfig) -> None:
        for _ in range(runs):
            await graph.ainvoke(_COUNTED, config)

    return Work(lambda config: _runner().run(invoke(config)), runs)


def three_nodes(runs: int) -> Work:
    """Return runs of a graph with three nodes, one of which calls a model: five spans a run."""
    graph = _model_between(ByHand(tokens=20))

    def run(config: RunnableConfig) -> None:
        for _ in range(runs):
            graph.invoke(asked(), config)

    return Work(run, runs)


def three_async_nodes(runs: int) -> Work:
    """Return the same, async."""
    graph = _async_model_between(ByHand(tokens=20))

    async def invoke(config: RunnableConfig) -> None:
        for _ in range(runs):
            await graph.ainvoke(asked(), config)

    return Work(lambda config: _runner().run(invoke(config)), runs)


def chat_calls(calls: int, seconds_before: float = 0.0) -> Work:
    """Return calls of a model, each after a sleep: by then much of what it runs is cold."""
    model = ByHand(tokens=20)

    def run(config: RunnableConfig) -> None:
        for _ in range(calls):
            if seconds_before:
                time.sleep(seconds_before)
            model.invoke([HumanMessage("go", id="1")], config)

    return Work(run, calls)


def long_conversation(messages: int, nodes: int) -> Work:
    """Return one run of a graph whose nodes pass a long conversation on, each with an answer."""
    said = [_message(number) for number in range(messages)]
    graph = _row([(f"node {number}", _answering(number)) for number in range(nodes)])

    def run(config: RunnableConfig) -> None:
        graph.invoke({"messages": said}, config)

    return Work(run, 1)


def streaming_agent(tokens: int, on_token: Callable[[], None]) -> CompiledStateGraph[Any]:
    """Return a graph whose node streams a model that lets other tasks run before each token."""
    model = ByHand(tokens=tokens, is_patient=True)

    async def answer(state: MessagesState) -> dict[str, list[BaseMessage]]:
        said: list[str] = []
        async for chunk in model.astream(state["messages"]):
            said.append(chunk.text)
            on_token()
        return {"messages": [AIMessage("".join(said))]}

    return _row([("plan", _nothing_async), ("answer", answer), ("check", _nothing_async)])


def asked() -> Any:
    """Return what a graph of messages is asked."""
    return {"messages": [HumanMessage("go", id="1")]}


def open_stream_bytes(config: RunnableConfig, streams: int, tokens: int) -> float:
    """Return the memory that one of many streams holds that have given so many tokens."""
    model = ByHand(tokens=2 * tokens)
    stream(1).run(config)  # what is made once is made
    gc.collect()
    tracemalloc.start()
    try:
        opened = [model.stream("go", config) for _ in range(streams)]
        for each in opened:
            for _ in range(tokens):
                next(each)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] / streams
    finally:
        tracemalloc.stop()


def _message(number: int) -> BaseMessage:
    """Return a message of a long conversation; an answer has what providers tell beside it."""
    text, name = f"message {number}: {'some words of it ' * 8}", str(number)
    if number % 2 == 0:
        return HumanMessage(text, id=name)
    told = {"model_name": "by-hand", "finish_reason": "stop"}
    return AIMessage(text, id=name, response_metadata=told, usage_metadata=_usage(40))


def _answering(number: int) -> Any:
    def answer(_state: MessagesState) -> dict[str, list[BaseMessage]]:
        return {"messages": [AIMessage("an answer", id=f"answer {number}")]}

    return answer


_ASKED: Final[Any] = {"messages": [("user", "go")]}
_COUNTED: Final[Any] = {"steps": 0}


@cache
def _runner() -> asyncio.Runner:
    return asyncio.Runner()


async def _consume(model: BaseChatModel, config: RunnableConfig) -> None:
    async for _ in model.astream("go", config):
        pass


def _model_graph(model: BaseChatModel) -> CompiledStateGraph[Any]:
    def answer(state: MessagesState) -> dict[str, list[BaseMessage]]:
        return {"messages": [model.invoke(state["messages"])]}

    return StateGraph(MessagesState).add_node("model", answer).add_edge(START, "model").compile()


def _async_model_graph(model: BaseChatModel) -> CompiledStateGraph[Any]:
    async def answer(state: MessagesState) -> dict[str, list[BaseMessage]]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    return StateGraph(MessagesState).add_node("model", answer).add_edge(START, "model").compile()


def _model_between(model: BaseChatModel) -> CompiledStateGraph[Any]:
    def answer(state: MessagesState) -> dict[str, list[BaseMessage]]:
        return {"messages": [model.invoke(state["messages"])]}

    return _row([("plan", _nothing), ("answer", answer), ("check", _nothing)])


def _async_model_between(model: BaseChatModel) -> CompiledStateGraph[Any]:
    async def answer(state: MessagesState) -> dict[str, list[BaseMessage]]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    return _row([("plan", _nothing_async), ("answer", answer), ("check", _nothing_async)])


def _row(nodes: Sequence[tuple[str, Any]]) -> CompiledStateGraph[Any]:
    """Return a graph of messages whose nodes follow each other."""
    graph, before = StateGraph(MessagesState), START
    for name, node in nodes:
        graph.add_node(name, node)
        graph.add_edge(before, name)
        before = name
    return graph.compile()


def _nothing(_state: MessagesState) -> dict[str, Any]:
    return {}


async def _nothing_async(_state: MessagesState) -> dict[str, Any]:
    return {}


def _three_nodes(step: Any) -> CompiledStateGraph[Any]:
    graph = StateGraph(Counted)
    for before, node in ((START, "first"), ("first", "second"), ("second", "third")):
        graph.add_node(node, step)
        graph.add_edge(before, node)
    return graph.compile()


def _step(state: Counted) -> Counted:
    return {"steps": state["steps"] + 1}


async def _async_step(state: Counted) -> Counted:
    return {"steps": state["steps"] + 1}
