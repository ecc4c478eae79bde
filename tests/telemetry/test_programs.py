"""Whatever people make of models, tools, graphs and spans of their own has the tree of its code."""

from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.tools import StructuredTool
from langgraph.graph import StateGraph

from nodespan.telemetry.testing import CapturedSpans, capture_spans, span_tree
from support.strangers import State, Talker, unchanged_context

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from langchain_core.runnables import RunnableConfig

    Way = Literal["handler", "instrument"]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a program.

    Attributes:
        kind: a model, or what has steps inside: a tool, a graph of one node, a span of the
            application's own, or steps that run at the same time.
        fate: of a model: it answers, fails, is stopped by a time limit, or left in mid-stream.
        inside: the steps inside.
    """

    kind: Literal["model", "tool", "graph", "own", "together"]
    fate: Literal["fine", "fails", "stopped", "left"] = "fine"
    inside: tuple[Step, ...] = ()


MODELS = st.sampled_from([Step("model", fate) for fate in ("fine", "fails", "stopped", "left")])


def with_inside(steps: st.SearchStrategy[Step]) -> st.SearchStrategy[Step]:
    """Make steps that have steps inside."""
    kinds = st.sampled_from(["tool", "graph", "own", "together"])
    several = st.lists(steps, min_size=1, max_size=3).map(tuple)
    return st.builds(lambda kind, inside: Step(kind, "fine", inside), kinds, several)


PROGRAMS = st.lists(st.recursive(MODELS, with_inside, max_leaves=8), min_size=1, max_size=3).map(
    tuple
)


def blocks(steps: tuple[Step, ...]) -> list[list[str]]:
    """Return the lines of each step, as a tree whose order of siblings is that of their text."""
    found: list[list[str]] = []
    for step in steps:
        inner = [f"  {line}" for block in blocks(step.inside) for line in block]
        found.extend(blocks(step.inside) if step.kind == "together" else [lines(step, inner)])
    return sorted(found)


def lines(step: Step, inner: list[str]) -> list[str]:
    """Return the lines of one step, around those inside it."""
    outcome = {"fine": "", "fails": " [error: ValueError]", "left": " [abandoned]"}
    match step.kind:
        case "model":
            return [f"chat talker{outcome.get(step.fate, ' [cancelled]')}"]
        case "tool":
            return ["execute_tool tool", *inner]
        case "graph":
            return ["invoke_workflow LangGraph", "  node ask", *(f"  {line}" for line in inner)]
        case _:
            return ["own", *inner]


def tree(steps: tuple[Step, ...]) -> list[str]:
    """Return the tree that a program makes."""
    return [line for block in blocks(steps) for line in block]


def tool_of(body: Callable[[], Any], abody: Callable[[], Awaitable[Any]]) -> StructuredTool:
    """Return a tool that runs these steps."""

    def run(word: str) -> str:
        """Run steps."""
        body()
        return word

    async def arun(word: str) -> str:
        await abody()
        return word

    return StructuredTool.from_function(run, arun, name="tool")


def graph_of(node: Any) -> Any:
    """Return a graph of one node."""
    graph = StateGraph(State)
    graph.add_node("ask", node)
    graph.set_entry_point("ask")
    return graph.compile()


class Sync:
    """Runs programs, in one thread and in several."""

    def __init__(self, captured: CapturedSpans) -> None:
        self._tracer = captured.tracer_provider.get_tracer("application")

    def run(self, steps: tuple[Step, ...], config: RunnableConfig) -> None:
        """Run steps; the outermost runs get the *config*."""
        for step in steps:
            with unchanged_context():
                self._step(step, config)

    def _step(self, step: Step, config: RunnableConfig) -> None:
        match step.kind:
            case "model":
                self._model(step.fate, config)
            case "tool":
                tool_of(lambda: self.run(step.inside, {}), wait).invoke({"word": "owl"}, config)
            case "graph":
                graph_of(lambda _: self.run(step.inside, {})).invoke({}, config)
            case "own":
                with self._tracer.start_as_current_span("own"):
                    self.run(step.inside, config)
            case "together":
                self._together(step.inside, config)

    def _together(self, steps: tuple[Step, ...], config: RunnableConfig) -> None:
        with ThreadPoolExecutor() as workers:
            calls = [
                workers.submit(contextvars.copy_context().run, self._step, step, config)
                for step in steps
            ]
        for call in calls:
            call.result()

    def _model(self, fate: str, config: RunnableConfig) -> None:
        match fate:
            case "fine":
                Talker().invoke("hello", config)
            case "fails":
                with suppress(ValueError):
                    Talker(fails_with=ValueError("wrong")).invoke("hello", config)
            case "stopped":
                with suppress(KeyboardInterrupt):
                    Talker(fails_with=KeyboardInterrupt()).invoke("hello", config)
            case "left":
                for _ in Talker().stream("hello", config):
                    break


class Async:
    """Runs programs, in one task and in several."""

    def __init__(self, captured: CapturedSpans) -> None:
        self._tracer = captured.tracer_provider.get_tracer("application")

    def run(self, steps: tuple[Step, ...], config: RunnableConfig) -> None:
        """Run steps in an event loop of their own."""
        asyncio.run(self._run(steps, config))

    async def _run(self, steps: tuple[Step, ...], config: RunnableConfig) -> None:
        for step in steps:
            with unchanged_context():
                await self._step(step, config)

    async def _step(self, step: Step, config: RunnableConfig) -> None:
        match step.kind:
            case "model":
                await self._model(step.fate, config)
            case "tool":
                tool = tool_of(lambda: None, lambda: self._run(step.inside, {}))
                await tool.ainvoke({"word": "owl"}, config)
            case "graph":
                await self._graph(step.inside, config)
            case "own":
                with self._tracer.start_as_current_span("own"):
                    await self._run(step.inside, config)
            case "together":
                await asyncio.gather(*(self._step(inner, config) for inner in step.inside))

    async def _graph(self, steps: tuple[Step, ...], config: RunnableConfig) -> None:
        async def ask(_: State) -> None:
            await self._run(steps, {})

        await graph_of(ask).ainvoke({}, config)

    async def _model(self, fate: str, config: RunnableConfig) -> None:
        match fate:
            case "fine":
                await Talker().ainvoke("hello", config)
            case "fails":
                with suppress(ValueError):
                    await Talker(fails_with=ValueError("wrong")).ainvoke("hello", config)
            case "stopped":
                with suppress(TimeoutError):
                    async with asyncio.timeout(0):
                        await Talker(waits=wait).ainvoke("hello", config)
            case "left":
                stream = Talker().astream("hello", config)
                await anext(stream)
                await stream.aclose()


async def wait(*_: Any) -> None:
    """Wait for longer than any test does."""
    await asyncio.sleep(60)


@pytest.mark.parametrize("runner", [Sync, Async])
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=PROGRAMS)
def test_any_program_has_its_tree(runner: type[Sync | Async], steps: tuple[Step, ...]) -> None:
    """Spans nest as the code does, end as it does, and leave nothing open or current."""
    with capture_spans() as captured:
        runner(captured).run(steps, {"callbacks": [captured.handler]})
        assert captured.handler.open_runs == 0
        assert captured.handler.diagnostics.counts == {}
    assert span_tree(captured.collector, in_order=False) == tree(steps)
    starts = {span.span_id: span.start_ns for span in captured.spans}
    assert all(span.start_ns >= starts[span.parent_id] for span in captured.spans if span.parent_id)
