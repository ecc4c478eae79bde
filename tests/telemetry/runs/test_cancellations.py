"""Cancelled calls end every run then and there, and are no errors."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import time_ns
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.language_models import FakeListLLM
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import StructuredTool

from support.strangers import (
    State,
    Talker,
    drain,
    unchanged_context,
)
from support.waiting import (
    GREETING,
    SOON_NS,
    asking,
    graph_of,
    time_limit,
    wait,
    wait_in_stream,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.traced import Traced

pytestmark = [
    # LangChain says so of each of its v3 streams.
    pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning"),
]


def waiting_tool() -> StructuredTool:
    """Return a tool that waits."""

    async def look_up(word: str) -> str:
        """Look a word up."""
        await wait()
        return word

    return StructuredTool.from_function(coroutine=look_up)


async def invoke_model(config: Any) -> Any:
    """Wait for a model."""
    return await Talker(waits=wait).ainvoke("hello", config)


async def stream_model(config: Any) -> Any:
    """Wait for a model's first chunk."""
    return await drain(Talker(waits=wait).astream("hello", config))


async def stream_model_on(config: Any) -> Any:
    """Wait for a model's second chunk."""
    return await drain(Talker(waits=wait_in_stream).astream("hello", config))


async def events_of_model(config: Any) -> Any:
    """Wait for a model's second chunk in a stream of events."""
    return await drain(Talker(waits=wait_in_stream).astream_events("hello", config, version="v2"))


async def invoke_completion(config: Any) -> Any:
    """Wait for a completion model."""

    class Slow(FakeListLLM):
        async def _acall(self, *_: Any, **__: Any) -> str:
            await wait()
            return ""

    return await Slow(responses=["yes"]).ainvoke("hello", config)


async def invoke_tool(config: Any) -> Any:
    """Wait for a tool."""
    return await waiting_tool().ainvoke({"word": "owl"}, config)


async def invoke_graph(config: Any) -> Any:
    """Wait for a graph's model."""
    return await asking(Talker(waits=wait)).ainvoke(GREETING, config)


async def stream_graph(config: Any) -> Any:
    """Wait for a graph's model, in a stream."""
    return await drain(asking(Talker(waits=wait)).astream(GREETING, config))


async def stream_messages(config: Any) -> Any:
    """Wait for the second chunk of a graph's model, in a stream of messages."""
    graph = asking(Talker(waits=wait_in_stream))
    return await drain(graph.astream(GREETING, config, stream_mode="messages"))


async def invoke_chain(config: Any) -> Any:
    """Wait for a chain's model."""
    return await (RunnableLambda(lambda text: text) | Talker(waits=wait)).ainvoke("hi", config)


async def invoke_nested(config: Any) -> Any:
    """Wait for the model of a graph that a tool calls, which a node calls."""
    inner = asking(Talker(waits=wait))

    async def look_up(word: str) -> str:
        """Look a word up."""
        return str(await inner.ainvoke({"messages": [word]}))

    tool = StructuredTool.from_function(coroutine=look_up)

    async def ask(_: State) -> State:
        return {"messages": [str(await tool.ainvoke({"word": "owl"}))]}

    return await graph_of(ask).ainvoke(GREETING, config)


GRAPH_CANCELLED = [
    "invoke_workflow LangGraph [cancelled]",
    "  node ask [cancelled]",
    "    chat talker [cancelled]",
]
CANCELLED: dict[Callable[[Any], Any], list[str]] = {
    invoke_model: ["chat talker [cancelled]"],
    stream_model: ["chat talker [cancelled]"],
    stream_model_on: ["chat talker [cancelled]"],
    events_of_model: ["chat talker [cancelled]"],
    invoke_completion: ["text_completion FakeListLLM [cancelled]"],
    invoke_tool: ["execute_tool look_up [cancelled]"],
    invoke_graph: GRAPH_CANCELLED,
    stream_graph: GRAPH_CANCELLED,
    stream_messages: GRAPH_CANCELLED,
    invoke_chain: ["RunnableSequence [cancelled]", "  chat talker [cancelled]"],
    invoke_nested: [
        "invoke_workflow LangGraph [cancelled]",
        "  node ask [cancelled]",
        "    execute_tool look_up [cancelled]",
        *[f"      {line}" for line in GRAPH_CANCELLED],
    ],
}
EACH_WAIT = pytest.mark.parametrize("call", CANCELLED, ids=lambda call: call.__name__)


def told(traced: Traced) -> list[str]:
    """Return the tree, with a completion model named by its base."""
    return [line.replace("Slow", "FakeListLLM") for line in traced.tree]


@EACH_WAIT
def test_a_task_that_is_cancelled_ends_its_runs(traced: Traced, call: Any) -> None:
    """Cancellation, at any moment, ends every run then and there, and is not an error."""
    cancelled_at = 0

    async def run() -> None:
        nonlocal cancelled_at
        task = asyncio.create_task(call(traced.config()))
        await wait.reached.wait()
        cancelled_at = time_ns()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert told(traced) == CANCELLED[call]
    assert all(0 <= (span.end_ns or 0) - cancelled_at < SOON_NS for span in traced.spans)


@EACH_WAIT
def test_a_time_limit_around_a_call_ends_its_runs(traced: Traced, call: Any) -> None:
    """`asyncio.timeout` cancels what it is around: the task itself goes on."""

    async def run() -> None:
        before = len(asyncio.all_tasks())
        with suppress(TimeoutError):
            async with time_limit():
                await call(traced.config())
        limit_at = time_ns()
        await asyncio.sleep(0.01)
        assert told(traced) == CANCELLED[call]
        assert all((span.end_ns or 0) - limit_at < SOON_NS for span in traced.spans)
        assert len(asyncio.all_tasks()) == before

    asyncio.run(run())


@EACH_WAIT
def test_a_time_limit_leaves_nothing_current(traced: Traced, call: Any) -> None:
    """Where the limit is handled, what is current is already what it was."""

    async def run() -> None:
        with unchanged_context():
            try:
                async with time_limit():
                    await call(traced.config())
            except TimeoutError:
                with unchanged_context(), traced.tracer.start_as_current_span("own"):
                    pass

    asyncio.run(run())
    assert traced.tree[-1] == "own"


@EACH_WAIT
def test_a_loop_that_shuts_down_ends_the_runs(traced: Traced, call: Any) -> None:
    """An event loop whose main task returns, with calls under way, leaves no run open."""

    async def run() -> None:
        tasks.append(asyncio.create_task(call(traced.config())))
        await wait.reached.wait()

    tasks: list[Any] = []
    asyncio.run(run())
    assert told(traced) == CANCELLED[call]


def test_a_time_limit_inside_a_node_is_the_nodes_to_handle(traced: Traced) -> None:
    """A node that gives up on one model and asks another is fine; the first was cancelled."""

    async def ask(_: State) -> State:
        try:
            async with time_limit():
                await Talker(waits=wait).ainvoke("hello")
        except TimeoutError:
            return {"messages": [await Talker(model_name="other").ainvoke("hello")]}
        return {}

    asyncio.run(graph_of(ask).ainvoke(GREETING, traced.config()))
    assert traced.tree == [
        "invoke_workflow LangGraph",
        "  node ask",
        "    chat talker [cancelled]",
        "    chat other",
    ]
    first, second = traced.span("chat talker"), traced.span("chat other")
    assert (first.end_ns or 0) < (second.end_ns or 0) + SOON_NS


class Dawdler(AsyncCallbackHandler):
    """Another handler, which takes its time with one event."""

    def __init__(self, event: str) -> None:
        self.reached = asyncio.Event()

        async def dawdle(*_: Any, **__: Any) -> None:
            self.reached.set()
            await asyncio.sleep(0.05)

        setattr(self, event, dawdle)


@pytest.mark.parametrize(
    ("event", "is_over"),
    [
        ("on_chain_start", False),
        ("on_chat_model_start", False),
        ("on_llm_end", True),
        ("on_tool_start", False),
        ("on_tool_end", True),
        ("on_chain_end", True),
    ],
)
def test_a_cancellation_while_a_callback_runs(traced: Traced, event: str, *, is_over: bool) -> None:
    """While another handler is busy with a run's start or end, a cancellation ends the rest."""

    async def look_up(word: str) -> str:
        """Look a word up."""
        return word

    tool = StructuredTool.from_function(coroutine=look_up)

    async def ask(_: State) -> State:
        await tool.ainvoke({"word": "owl"})
        return {"messages": [await Talker().ainvoke("hello")]}

    async def run() -> None:
        dawdler = Dawdler(event)
        config = traced.config()
        config["callbacks"] = [*config.get("callbacks", ()), dawdler]
        task = asyncio.create_task(graph_of(ask).ainvoke(GREETING, config))
        await dawdler.reached.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.1)

    asyncio.run(run())
    assert traced.handler.open_runs == 0
    assert traced.tree
    assert is_over or "cancelled" in traced.tree[-1]
