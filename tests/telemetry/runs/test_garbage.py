"""What is over is gone at once: no run leaves anything that only the cyclic collector finds."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.language_models import FakeListLLM
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import StructuredTool, ToolException
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import StateGraph
from langgraph.types import Command, RetryPolicy, interrupt

from support.strangers import State, Talker
from support.waiting import wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from langchain_core.documents import Document

    from support.traced import Traced

pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")

GIVEN: Any = {"messages": ["hello"]}


class Library(BaseRetriever):
    """Finds nothing."""

    def _get_relevant_documents(self, *_: Any, **__: Any) -> list[Document]:
        return []


# pydantic leaves cycles of its own where a model is made.
TALKER = Talker()


def graph_of(node: Any, **of_node: Any) -> Any:
    """Return a graph of one node, which can be interrupted."""
    graph = StateGraph(State)
    graph.add_node("ask", node, **of_node)
    graph.set_entry_point("ask")
    return graph.compile(checkpointer=InMemorySaver())


def asking(state: State) -> State:
    """Ask a model."""
    return {"messages": [TALKER.invoke(state["messages"])]}


async def asking_later(state: State) -> State:
    """Ask a model, async."""
    return {"messages": [await Talker().ainvoke(state["messages"])]}


def failing(_: State) -> State:
    """Fail."""
    raise ValueError("wrong")


def waiting_for_a_person(_: State) -> State:
    """Ask a person, and then a model."""
    interrupt("well?")
    return {"messages": [Talker().invoke("hello")]}


def refusing(word: str) -> str:
    """Refuse."""
    raise ToolException(word)


async def waiting(*_: Any) -> None:
    """Wait for longer than the test does."""
    await wait()


def named(config: Any) -> Any:
    """Return a config with a thread of its own."""
    return {**config, "configurable": {"thread_id": str(object())}}


def is_resumed(config: Any) -> None:
    """Interrupt a graph, and have it go on."""
    graph, thread = graph_of(waiting_for_a_person), named(config)
    graph.invoke(GIVEN, thread)
    graph.invoke(Command(resume="yes"), thread)


def fails(call: Callable[[], object]) -> None:
    """Make a call that fails."""
    with suppress(ValueError, ToolException):
        call()


async def consume(stream: Any) -> None:
    """Read a stream to its end."""
    async for _ in stream:
        pass


async def events(source: Any, given: Any, config: Any) -> None:
    """Read a stream of events of the newest protocol to its end."""
    await consume(await source.astream_events(given, config, version="v3"))


async def left(stream: Any) -> None:
    """Walk away from a stream after its first chunk."""
    await anext(stream)
    await stream.aclose()


async def cancelled(call: Any) -> None:
    """Start a call in a task, and cancel it."""
    task = asyncio.create_task(call)
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def at_first(config: Any) -> None:
    """Walk away from a stream after its first chunk."""
    for _ in Talker().stream("hello", config):
        break


TOOL = StructuredTool.from_function(lambda word: word, name="say", description="Say.")
REFUSING = StructuredTool.from_function(refusing)
HANDLING = StructuredTool.from_function(refusing, handle_tool_error=True)
SYNC: dict[str, Callable[[Any], object]] = {
    "a graph": lambda c: graph_of(asking).invoke(GIVEN, named(c)),
    "a graph's stream": lambda c: list(
        graph_of(asking).stream(GIVEN, named(c), stream_mode="messages")
    ),
    "a graph that fails": lambda c: fails(lambda: graph_of(failing).invoke(GIVEN, named(c))),
    "a node that is tried again": lambda c: fails(
        lambda: graph_of(
            failing, retry_policy=RetryPolicy(max_attempts=2, initial_interval=0)
        ).invoke(GIVEN, named(c))
    ),
    "an interrupt": is_resumed,
    "a model": lambda c: Talker(reports_usage=True).invoke("hello", c),
    "a model that tells tokens": lambda c: Talker(reports_tokens=True).invoke("hello", c),
    "a model that fails": lambda c: fails(
        lambda: Talker(fails_with=ValueError("wrong")).invoke("hello", c)
    ),
    "a model's stream": lambda c: list(Talker().stream("hello", c)),
    "a model's stream that fails": lambda c: fails(
        lambda: list(Talker(fails_with=ValueError("wrong"), fails_after=1).stream("hello", c))
    ),
    "a model's events": lambda c: list(Talker().stream_events("hello", c, version="v3")),
    "a model's stream that is left": at_first,
    "several models": lambda c: Talker().batch(["hello", "you"], c),
    "a completion model": lambda c: FakeListLLM(responses=["so"]).invoke("hello", c),
    "a tool": lambda c: TOOL.invoke({"word": "owl"}, c),
    "a tool that fails": lambda c: fails(lambda: REFUSING.invoke({"word": "owl"}, c)),
    "a tool that answers its failure": lambda c: HANDLING.invoke({"word": "owl"}, c),
    "a retriever": lambda c: Library().invoke("owl", c),
    "fallbacks": lambda c: (
        Talker(fails_with=ValueError("wrong")).with_fallbacks([Talker()]).invoke("hello", c)
    ),
}
ASYNC: dict[str, Callable[[Any], Any]] = {
    "a graph": lambda c: graph_of(asking_later).ainvoke(GIVEN, named(c)),
    "a graph's stream": lambda c: consume(
        graph_of(asking_later).astream(GIVEN, named(c), stream_mode="messages")
    ),
    "a graph's events": lambda c: events(graph_of(asking_later), GIVEN, named(c)),
    "a model": lambda c: Talker().ainvoke("hello", c),
    "a model's stream": lambda c: consume(Talker().astream("hello", c)),
    "a model's events": lambda c: events(Talker(), "hello", c),
    "a model's stream that is left": lambda c: left(Talker().astream("hello", c)),
    "a model that is cancelled": lambda c: cancelled(Talker(waits=waiting).ainvoke("hello", c)),
    "a tool": lambda c: TOOL.ainvoke({"word": "owl"}, c),
    "a tool that answers its failure": lambda c: HANDLING.ainvoke({"word": "owl"}, c),
    "a retriever": lambda c: Library().ainvoke("owl", c),
}


@pytest.fixture
def only_new_objects() -> Iterator[None]:
    """Leave out what was there before; whatever the collector finds is kept to be looked at."""
    gc.freeze()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    yield
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


def in_cycles(found: Iterable[object]) -> list[str]:
    """Return the objects of ours that point back at themselves, however far around."""
    by_id = {id(each): each for each in found}
    ours = [one for one in by_id.values() if type(one).__module__.startswith("nodespan.")]
    return [type(one).__qualname__ for one in ours if _reaches(one, by_id)]


def _reaches(start: object, by_id: dict[int, object]) -> bool:
    seen: set[int] = set()
    ahead = [start]
    while ahead:
        for each in gc.get_referents(ahead.pop()):
            if each is start:
                return True
            if id(each) in by_id and id(each) not in seen:
                seen.add(id(each))
                ahead.append(each)
    return False


def left_behind(traced: Traced) -> list[str]:
    """Return what of ours only the collector finds."""
    traced.collector.clear()
    gc.collect()
    return in_cycles(gc.garbage)


@pytest.mark.usefixtures("only_new_objects")
@pytest.mark.parametrize("name", SYNC)
def test_a_run_leaves_no_cycle(traced: Traced, name: str) -> None:
    """However a run goes, nothing of ours points back at itself when it is over."""
    SYNC[name](traced.config())
    assert left_behind(traced) == []


@pytest.mark.usefixtures("only_new_objects")
@pytest.mark.parametrize("name", ASYNC)
def test_an_async_run_leaves_no_cycle(traced: Traced, name: str) -> None:
    """So it is in an event loop, whoever cancels or leaves."""

    async def call() -> None:
        await ASYNC[name](traced.config())

    asyncio.run(call())
    assert left_behind(traced) == []


@pytest.mark.usefixtures("only_new_objects")
def test_what_is_over_is_gone_at_once(traced: Traced) -> None:
    """Where LangGraph leaves nothing for the collector, a run of ours leaves nothing either."""
    graph = StateGraph(State).add_node("ask", asking).set_entry_point("ask").compile()
    graph.invoke(GIVEN, traced.config())
    traced.collector.clear()
    gc.collect()
    gc.garbage.clear()
    graph.invoke(GIVEN)
    gc.collect()
    assert len(gc.garbage) == 0
    graph.invoke(GIVEN, traced.config())
    traced.collector.clear()
    gc.collect()
    assert len(gc.garbage) == 0
