"""Runs that wait for longer than any test does, and graphs of one node to wait in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableLambda
from langgraph.graph import StateGraph

from support.strangers import (
    AINVOKE,
    ASTREAM,
    INVOKE,
    STREAM,
    State,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.traced import Traced

GREETING = {"messages": ["hello"]}
CALLS = (INVOKE, AINVOKE, STREAM, ASTREAM)
FOREVER = 60.0
SOON_NS = 10_000_000_000


def graph_of(node: Any, anode: Any = None, **settings: Any) -> Any:
    """Return a graph of one node, native in both ways where it is given twice."""
    graph = StateGraph(State)
    bound = RunnableLambda(node, anode) if anode is not None else node
    graph.add_node("ask", bound, **settings)
    graph.set_entry_point("ask")
    return graph.compile()


def asking(model: Any) -> Any:
    """Return a graph whose node calls a model."""

    def ask(_: State) -> State:
        return {"messages": [model.invoke("hello")]}

    async def aask(_: State) -> State:
        return {"messages": [await model.ainvoke("hello")]}

    return graph_of(ask, aask)


class Waits:
    """Waits for longer than any test does, and says when it is reached.

    Attributes:
        reached: whether somebody waits.
        then: called when somebody does.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self, then: Callable[[], None] = lambda: None) -> None:
        """Forget that anybody has waited."""
        self.reached, self.then = asyncio.Event(), then

    async def __call__(self, *_: Any) -> None:
        """Wait."""
        self.reached.set()
        self.then()
        await asyncio.sleep(FOREVER)


wait = Waits()


async def wait_in_stream(_body: str, given: int) -> None:
    """Wait once a chunk is out."""
    if given:
        await wait()


def time_limit() -> asyncio.Timeout:
    """Limit the time of what is inside, until somebody waits in it."""
    loop, limit = asyncio.get_running_loop(), asyncio.timeout(None)
    wait.begin(lambda: limit.reschedule(loop.time()))
    return limit


def exceptions(traced: Traced) -> list[tuple[str, Any]]:
    """Return which span recorded which type of exception."""
    return [
        (span.name, event.attributes["exception.type"])
        for span in traced.spans
        for event in span.events
        if event.name == "exception"
    ]
