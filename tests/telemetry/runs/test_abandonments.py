"""Consumers that walk away from a stream, and streams that are driven from everywhere."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import LLMResult
from langchain_core.runnables import RunnableLambda
from langgraph.graph import StateGraph

from nodespan.telemetry.testing import capture_spans, span_tree
from support.strangers import (
    State,
    Talker,
    unchanged_context,
)
from support.waiting import (
    GREETING,
    asking,
    wait,
    wait_in_stream,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from support.traced import Traced

pytestmark = [
    # LangChain says so of each of its v3 streams.
    pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning"),
]


def abandon_sync(runnable: Any, given: Any, config: Any, **mode: Any) -> None:
    """Take one chunk of a stream, and close it."""
    stream = runnable.stream(given, config, **mode)
    next(stream)
    stream.close()


def drop_sync(runnable: Any, given: Any, config: Any, **mode: Any) -> None:
    """Take one chunk of a stream, and leave it to the garbage collector."""
    for _ in runnable.stream(given, config, **mode):
        break


def drop_in_thread(runnable: Any, given: Any, config: Any, **mode: Any) -> None:
    """Take one chunk of a stream, and drop it in another thread."""
    streams = [runnable.stream(given, config, **mode)]
    next(streams[0])
    thread = threading.Thread(target=streams.clear)
    thread.start()
    thread.join()


def abandon_async(runnable: Any, given: Any, config: Any, **mode: Any) -> None:
    """Take one chunk of an async stream, and close it."""

    async def run() -> None:
        with unchanged_context():
            stream = runnable.astream(given, config, **mode)
            await anext(stream)
            await stream.aclose()

    asyncio.run(run())


def drop_async(runnable: Any, given: Any, config: Any, **mode: Any) -> None:
    """Take one chunk of an async stream, and leave it to the garbage collector."""

    async def run() -> None:
        with unchanged_context():
            async for _ in runnable.astream(given, config, **mode):
                break
            await asyncio.sleep(0.02)
            if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(tasks, timeout=30)  # the stream's own are being closed

    asyncio.run(run())


def drop_last(runnable: Any, given: Any, config: Any, **mode: Any) -> None:
    """Take one chunk of an async stream as the last thing that is done in an event loop."""

    async def run() -> None:
        async for _ in runnable.astream(given, config, **mode):
            break

    asyncio.run(run())


ABANDONMENTS = (abandon_sync, drop_sync, drop_in_thread, abandon_async, drop_async)
EACH_ABANDONMENT = pytest.mark.parametrize("abandon", ABANDONMENTS, ids=lambda way: way.__name__)


@EACH_ABANDONMENT
def test_a_models_stream_that_is_abandoned(traced: Traced, abandon: Any) -> None:
    """A consumer that walks away from a model's stream ends it as abandoned."""
    with unchanged_context():
        abandon(Talker(), "hello", traced.config())
    assert traced.tree == ["chat talker [abandoned]"]


async def takes_its_time(_body: str, _given: int) -> None:
    """Wait a little in the body of a model."""
    await asyncio.sleep(0.005)


@pytest.mark.parametrize("make", [lambda it: it, lambda it: it | StrOutputParser()])
def test_a_stream_left_at_the_end_of_its_loop(
    traced: Traced, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The loop closes it as it closes any stream, and has nothing to complain of."""
    drop_last(make(Talker(waits=takes_its_time)), "hello", traced.config())
    assert caplog.messages == []
    assert "chat talker" in traced.tree[-1]


@EACH_ABANDONMENT
def test_a_chains_stream_that_is_abandoned(traced: Traced, abandon: Any) -> None:
    """So it is with a chain, and with the model in it."""
    with unchanged_context():
        abandon(RunnableLambda(lambda text: text) | Talker(), "hello", traced.config())
    assert traced.tree == ["RunnableSequence [abandoned]", "  chat talker [abandoned]"]


@pytest.mark.parametrize("abandon", [abandon_sync, drop_sync, drop_async])
def test_a_stream_with_fallbacks_that_is_abandoned(traced: Traced, abandon: Any) -> None:
    """So it is with one that has fallbacks, of whose end nobody is told."""
    abandon(Talker().with_fallbacks([Talker()]), "hello", traced.config())
    assert traced.handler.open_runs == 0
    assert traced.tree == ["RunnableWithFallbacks [abandoned]", "  chat talker [abandoned]"]


@EACH_ABANDONMENT
def test_a_graphs_stream_that_is_abandoned(traced: Traced, abandon: Any) -> None:
    """A graph that is abandoned between its nodes has not failed, and they have not."""
    graph = StateGraph(State)
    for name in ("first", "second"):
        graph.add_node(name, lambda _: {"messages": ["done"]})
    graph.add_edge("__start__", "first")
    graph.add_edge("first", "second")
    with unchanged_context():
        abandon(graph.compile(), GREETING, traced.config())
    assert traced.tree[:2] == ["invoke_workflow LangGraph [abandoned]", "  node first"]


@pytest.mark.parametrize("abandon", [abandon_async, drop_async], ids=lambda way: way.__name__)
def test_a_graphs_stream_that_is_abandoned_in_mid_node(traced: Traced, abandon: Any) -> None:
    """A graph that is abandoned while its model speaks takes its node and the model along."""
    graph = asking(Talker(waits=wait_in_stream))
    abandon(graph, GREETING, traced.config(), stream_mode="messages")
    tree = traced.tree
    assert tree[0] == "invoke_workflow LangGraph [abandoned]"
    assert tree[1] in ("  node ask [abandoned]", "  node ask [cancelled]")
    assert tree[2] in ("    chat talker [abandoned]", "    chat talker [cancelled]")


def test_a_stream_of_events_that_is_dropped(traced: Traced) -> None:
    """A model's stream of events, of whose end nobody is told, ends when it is dropped."""
    for _ in Talker().stream_events("hello", traced.config(), version="v3"):
        break
    gc.collect()
    assert traced.handler.open_runs == 0
    assert traced.tree == ["chat talker [abandoned]"]


def test_a_start_that_a_program_reports_is_its_own_to_end() -> None:
    """Whoever calls the handler itself need not keep the id that it was called with."""
    with capture_spans() as captured:
        run_id = uuid4()
        captured.handler.on_chat_model_start({}, [[]], run_id=UUID(int=run_id.int))
        gc.collect()
        assert captured.handler.open_runs == 1
        captured.handler.on_llm_end(LLMResult(generations=[[]]), run_id=run_id)
    assert captured.tree == ["chat model"]


def test_each_step_of_a_stream_from_another_task(traced: Traced) -> None:
    """A stream of which each step is a task of its own ends as any other."""

    async def run() -> None:
        with unchanged_context():
            stream = Talker().astream("hello", traced.config())
            with suppress(StopAsyncIteration):
                while True:
                    await asyncio.create_task(step(stream))

    async def step(stream: AsyncIterator[Any]) -> Any:
        return await anext(stream)

    asyncio.run(run())
    tree = span_tree(traced.collector, "nodespan.stream.chunks")
    assert tree == ["chat talker [nodespan.stream.chunks=3]"]


def test_each_step_of_a_graphs_stream_from_another_task(traced: Traced) -> None:
    """So it is with the stream of a graph."""

    async def run() -> None:
        with unchanged_context():
            stream = asking(Talker()).astream(GREETING, traced.config(), stream_mode="messages")
            with suppress(StopAsyncIteration):
                while True:
                    await asyncio.create_task(step(stream))

    async def step(stream: AsyncIterator[Any]) -> Any:
        return await anext(stream)

    asyncio.run(run())
    assert traced.tree == ["invoke_workflow LangGraph", "  node ask", "    chat talker"]


def test_each_step_of_a_stream_from_another_thread(traced: Traced) -> None:
    """A stream of which each step is taken in another thread ends as any other."""
    stream = Talker().stream("hello", traced.config())
    chunks: list[Any] = []
    for _ in range(5):
        thread = threading.Thread(target=lambda: chunks.extend([next(stream, None)]))
        thread.start()
        thread.join()
    assert chunks[-1] is None
    tree = span_tree(traced.collector, "nodespan.stream.chunks")
    assert tree == ["chat talker [nodespan.stream.chunks=3]"]


def test_a_first_step_that_is_given_up_ends_the_stream(traced: Traced) -> None:
    """A consumer that does not wait for the first chunk cancels the stream."""

    async def run() -> None:
        stream = Talker(waits=wait).astream("hello", traced.config())
        step = asyncio.create_task(anext(stream))
        await wait.reached.wait()
        with suppress(TimeoutError):
            await asyncio.wait_for(step, 0)

    asyncio.run(run())
    assert traced.tree == ["chat talker [cancelled]"]


def test_a_stream_that_is_finished_in_another_loop(traced: Traced) -> None:
    """A sync generator over an async stream, as bridges make it, ends as any other."""

    def chunks(stream: AsyncIterator[Any]) -> Iterator[Any]:
        loop = asyncio.new_event_loop()
        try:
            while True:
                try:
                    yield loop.run_until_complete(anext(stream))
                except StopAsyncIteration:
                    return
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    assert len(list(chunks(Talker().astream("hello", traced.config())))) == 4
    assert traced.tree == ["chat talker"]


@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
def test_a_stream_whose_loop_is_gone(traced: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that nobody can close any more ends when it is dropped."""
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)  # pytest's keeps the stream alive
    loop = asyncio.new_event_loop()
    stream = Talker().astream("hello", traced.config())
    loop.run_until_complete(anext(stream))
    loop.close()
    assert traced.handler.open_runs == 1
    del stream
    gc.collect()
    assert traced.handler.open_runs == 0
    assert traced.tree == ["chat talker [abandoned]"]
