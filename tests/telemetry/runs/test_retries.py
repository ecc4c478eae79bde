"""A retry or a fallback says which attempt it is, hangs under its own run, and blames nobody."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.errors import NodeTimeoutError
from langgraph.func import entrypoint, task
from langgraph.graph import StateGraph
from langgraph.types import Command, RetryPolicy, TimeoutPolicy

from nodespan.telemetry.testing import span_tree
from support.strangers import AINVOKE, ASTREAM, INVOKE, STREAM, Call, Count, State, Talker

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.traced import Traced

NO_JITTER: dict[str, Any] = {"wait_exponential_jitter": False}
AT_ONCE = RetryPolicy(initial_interval=0.0, jitter=False, retry_on=Exception)


class Flaky(Talker):
    """Fails a number of times before it speaks."""

    failures: int = 1

    def _look(self, body: str, given: int) -> None:
        super()._look(body, given)
        if self.failures:
            self.failures -= 1
            raise ValueError("not yet")


def failing(name: str = "first") -> Talker:
    """Return a model that always fails."""
    return Talker(model_name=name, fails_with=ValueError("never"))


def inside(runnable: Any) -> Any:
    """Return a graph whose node calls *runnable*, sync or async as it is called."""

    def ask(_: State) -> State:
        return {"messages": [runnable.invoke("hello")]}

    async def aask(_: State) -> State:
        return {"messages": [await runnable.ainvoke("hello")]}

    graph = StateGraph(State)
    graph.add_node("ask", RunnableLambda(ask, aask))
    graph.set_entry_point("ask")
    return graph.compile()


def flaky_tool() -> Any:
    """Return a tool that fails once."""
    failures = [ValueError("not yet")]

    @tool
    def look_up(word: str) -> str:
        """Look a word up."""
        if failures:
            raise failures.pop()
        return word

    return look_up


def flaky_node() -> Any:
    """Return a graph whose node fails twice, beneath it a model of which the first call fails."""
    model, failures = Flaky(), [ValueError("not yet")]

    def work(_: Count) -> Count:
        model.invoke("hello")
        if failures:
            raise failures.pop()
        return {"total": 1}

    graph = StateGraph(Count)
    graph.add_node("work", work, retry_policy=AT_ONCE)
    graph.set_entry_point("work")
    return graph.compile()


def flaky_task() -> Any:
    """Return an entrypoint whose task fails once."""
    failures = [ValueError("not yet")]

    @task(retry_policy=AT_ONCE)
    def double(number: int) -> int:
        if failures:
            raise failures.pop()
        return 2 * number

    @entrypoint()
    def flow(number: int) -> int:
        return double(number).result()

    return flow


def rescued_node() -> Any:
    """Return a graph whose node fails and has an error handler."""
    graph = StateGraph(Count)
    graph.add_node("work", fail, error_handler=lambda _: Command(goto="after"))
    graph.add_node("after", lambda _: {"total": 1})
    graph.set_entry_point("work")
    return graph.compile()


def fail(_: Any) -> Any:
    """Fail."""
    raise ValueError("never")


@dataclass(frozen=True, slots=True)
class Case:
    """What people make robust, and the tree of one call of it, which succeeds.

    Attributes:
        name: of the case.
        build: makes it.
        given: its input.
        tree: of a call.
        calls: the ways to call it.
    """

    name: str
    build: Callable[[], Any]
    given: Any
    tree: list[str]
    calls: tuple[Call, ...] = (INVOKE, AINVOKE, STREAM, ASTREAM)


CALLS = (INVOKE, AINVOKE)
RETRIED = [
    "  chat talker [error: ValueError, langchain.attempt=1]",
    "  chat talker [langchain.attempt=2]",
]
FALLEN_BACK = [
    "RunnableWithFallbacks",
    "  chat first [error: ValueError, langchain.attempt=1]",
    "  chat second [langchain.attempt=2]",
]
IN_NODE = ["invoke_workflow LangGraph", "  node ask [langgraph.attempt=1]"]
GREETING = {"messages": ["hello"]}


def beneath_node(lines: list[str]) -> list[str]:
    """Return the tree of a graph whose node calls what has these lines."""
    return [*IN_NODE, *(f"    {line}" for line in lines)]


CASES = [
    # `with_retry` does not retry streams.
    Case("with_retry", lambda: Flaky().with_retry(**NO_JITTER), "hi", ["Flaky", *RETRIED], CALLS),
    Case(
        "with_retry, stream",
        lambda: Talker().with_retry(**NO_JITTER),
        "hi",
        ["chat talker"],
        (STREAM, ASTREAM),
    ),
    Case(
        "with_retry in a node",
        lambda: inside(Flaky().with_retry(**NO_JITTER)),
        GREETING,
        beneath_node(["Flaky", *RETRIED]),
    ),
    Case(
        "with_retry of a chain in a node",
        lambda: inside((Flaky() | StrOutputParser()).with_retry(**NO_JITTER)),
        GREETING,
        beneath_node(["RunnableSequence", *RETRIED]),
    ),
    Case(
        "with_retry of a tool",
        lambda: flaky_tool().with_retry(**NO_JITTER),
        {"word": "owl"},
        [
            "look_up",
            "  execute_tool look_up [error: ValueError, langchain.attempt=1]",
            "  execute_tool look_up [langchain.attempt=2]",
        ],
        CALLS,
    ),
    Case(
        "with_retry of a graph",
        lambda: inside(Flaky()).with_retry(**NO_JITTER),
        GREETING,
        [
            "LangGraph",
            "  invoke_workflow LangGraph [error: ValueError, langchain.attempt=1]",
            "    node ask [error: ValueError, langgraph.attempt=1]",
            "      chat talker [error: ValueError]",
            "  invoke_workflow LangGraph [langchain.attempt=2]",
            "    node ask [langgraph.attempt=1]",
            "      chat talker",
        ],
        CALLS,
    ),
    Case(
        "with_fallbacks",
        lambda: failing().with_fallbacks([Talker(model_name="second")]),
        "hi",
        FALLEN_BACK,
    ),
    Case(
        "with_fallbacks with a name",
        lambda: (
            failing()
            .with_fallbacks([Talker(model_name="second")])
            .with_config(run_name="robust model")
        ),
        "hi",
        ["robust model", *FALLEN_BACK[1:]],
        # A stream does not hand its name on: that it is of `with_fallbacks` cannot be told.
        CALLS,
    ),
    Case(
        "with_fallbacks with a name in a node",
        lambda: inside(
            failing().with_fallbacks([Talker(model_name="second")]).with_config(run_name="robust")
        ),
        GREETING,
        beneath_node(["robust", *FALLEN_BACK[1:]]),
    ),
    Case(
        "with_fallbacks in a node",
        lambda: inside(failing().with_fallbacks([Talker(model_name="second")])),
        GREETING,
        beneath_node(FALLEN_BACK),
    ),
    Case(
        "with_fallbacks of chains",
        lambda: inside(
            (failing() | StrOutputParser()).with_fallbacks(
                [Talker(model_name="second") | StrOutputParser()]
            )
        ),
        GREETING,
        beneath_node(FALLEN_BACK),
    ),
    Case(
        "with_fallbacks of with_retry",
        lambda: inside(
            failing()
            .with_retry(stop_after_attempt=2, **NO_JITTER)
            .with_fallbacks([Talker(model_name="second")])
        ),
        GREETING,
        beneath_node(
            [
                "RunnableWithFallbacks",
                "  Talker [error: ValueError, langchain.attempt=1]",
                "    chat first [error: ValueError, langchain.attempt=1]",
                "    chat first [error: ValueError, langchain.attempt=2]",
                "  chat second [langchain.attempt=2]",
            ]
        ),
    ),
    Case(
        "a node's retry policy",
        flaky_node,
        {"total": 0},
        [
            "invoke_workflow LangGraph",
            "  node work [error: ValueError, langgraph.attempt=1]",
            "    chat talker [error: ValueError]",
            "  node work [error: ValueError, langgraph.attempt=2]",
            "    chat talker",
            "  node work [langgraph.attempt=3]",
            "    chat talker",
        ],
    ),
    Case(
        "a task's retry policy",
        flaky_task,
        2,
        [
            "invoke_workflow LangGraph",
            "  node flow [langgraph.attempt=1]",
            "    node double [error: ValueError, langgraph.attempt=1]",
            "    node double [langgraph.attempt=2]",
        ],
    ),
    Case(
        "a node's error handler",
        rescued_node,
        {"total": 0},
        [
            "invoke_workflow LangGraph",
            "  node work [error: ValueError, langgraph.attempt=1]",
            "  node __error_handler__work [langgraph.attempt=1]",
            "  node after [langgraph.attempt=1]",
        ],
    ),
]


@pytest.mark.parametrize(
    ("case", "call"),
    [pytest.param(case, call, id=f"{case.name}-{call}") for case in CASES for call in case.calls],
)
def test_a_recovered_attempt_leaves_its_parents_clean(
    traced: Traced, case: Case, call: Call
) -> None:
    """Attempts are numbered under their own run; those that failed are the only errors."""
    call.run(case.build(), case.given, traced.config())
    assert span_tree(traced.collector, "langgraph.attempt", "langchain.attempt") == case.tree


@pytest.mark.parametrize("call", [INVOKE, AINVOKE], ids=str)
@pytest.mark.parametrize(
    ("way", "name"), [("with_retry", "Talker"), ("with_fallbacks", "RunnableWithFallbacks")]
)
def test_when_every_attempt_fails_so_does_their_run(
    traced: Traced, call: Call, way: str, name: str
) -> None:
    """The run fails with the exception that it raises; the graph above it does too."""
    tried: dict[str, Any] = {
        "with_retry": failing().with_retry(stop_after_attempt=2, **NO_JITTER),
        "with_fallbacks": failing().with_fallbacks([failing("second")]),
    }
    with pytest.raises(ValueError, match="never"):
        call.run(inside(tried[way]), GREETING, traced.config())
    second = "first" if way == "with_retry" else "second"
    assert span_tree(traced.collector, "langchain.attempt") == [
        "invoke_workflow LangGraph [error: ValueError]",
        "  node ask [error: ValueError]",
        f"    {name} [error: ValueError]",
        "      chat first [error: ValueError, langchain.attempt=1]",
        f"      chat {second} [error: ValueError, langchain.attempt=2]",
    ]


def test_functions_that_call_their_like_make_no_attempts(traced: Traced) -> None:
    """A function that calls another of its name, with a new input, is noise as ever."""
    inner = RunnableLambda(lambda _: Talker().invoke("hello"), name="step")
    outer = RunnableLambda(lambda state: inner.invoke({"again": state}), name="step")
    inside(outer).invoke(GREETING, traced.config())
    assert span_tree(traced.collector, "langchain.attempt") == [
        "invoke_workflow LangGraph",
        "  node ask",
        "    chat talker",
    ]


@pytest.mark.parametrize("call", [INVOKE, AINVOKE], ids=str)
def test_a_function_that_shares_the_name_of_what_it_calls(traced: Traced, call: Call) -> None:
    """It makes no attempts either, of a tool that is given its own input, however often."""

    @tool
    def weather(place: str) -> str:
        """Look out of the window."""
        return place

    def twice(place: str) -> str:
        return str(weather.invoke(place) + weather.invoke(place))

    call.run(inside(RunnableLambda(twice, name="weather")), GREETING, traced.config())
    assert span_tree(traced.collector, "langchain.attempt") == [
        "invoke_workflow LangGraph",
        "  node ask",
        "    execute_tool weather",
        "    execute_tool weather",
    ]


@pytest.mark.parametrize("way", ["batch", "abatch"])
def test_a_batch_numbers_the_attempts_of_each_input(traced: Traced, way: str) -> None:
    """Each input of a batch has its own run and its own attempts."""
    robust = failing().with_fallbacks([Talker(model_name="second")])
    if way == "batch":
        robust.batch(["one", "two"], traced.config())
    else:
        asyncio.run(robust.abatch(["one", "two"], traced.config()))
    assert span_tree(traced.collector, "langchain.attempt", in_order=False) == FALLEN_BACK * 2


LIMITS = ("run_timeout", "idle_timeout")


def slow_node(
    *, waits: list[float], limit: str = "run_timeout", seconds: float = 0.2, **settings: Any
) -> Any:
    """Return a graph with a node that waits so long, one time after another, for its model."""

    async def wait(_body: str, _given: int) -> None:
        await asyncio.sleep(waits.pop(0) if waits else 0)

    async def ask(_: State) -> State:
        return {"messages": [await Talker(waits=wait).ainvoke("hello")]}

    graph = StateGraph(State)
    graph.add_node("ask", ask, timeout=TimeoutPolicy(**{limit: seconds}), **settings)
    graph.set_entry_point("ask")
    return graph.compile()


@pytest.mark.slow
@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("call", [AINVOKE, ASTREAM], ids=str)
def test_a_node_that_times_out_and_is_retried_is_an_error(
    traced: Traced, call: Call, limit: str
) -> None:
    """The attempt that timed out failed, what ran beneath it was cancelled, the graph is fine."""
    # So long that the second attempt is in time on a machine that stands still for a while.
    graph = slow_node(waits=[60.0], limit=limit, seconds=2.0, retry_policy=AT_ONCE)
    call.run(graph, GREETING, traced.config())
    assert span_tree(traced.collector, "langgraph.attempt") == [
        "invoke_workflow LangGraph",
        "  node ask [error: NodeTimeoutError, langgraph.attempt=1]",
        "    chat talker [cancelled]",
        "  node ask [langgraph.attempt=2]",
        "    chat talker",
    ]


@pytest.mark.parametrize("call", [AINVOKE, ASTREAM], ids=str)
def test_a_node_that_times_out_takes_its_graph_along(traced: Traced, call: Call) -> None:
    """Without a retry the graph fails too; the exception is recorded on the node alone."""
    with pytest.raises(NodeTimeoutError):
        call.run(slow_node(waits=[9.0]), GREETING, traced.config())
    assert traced.tree == [
        "invoke_workflow LangGraph [error: NodeTimeoutError]",
        "  node ask [error: NodeTimeoutError]",
        "    chat talker [cancelled]",
    ]


@pytest.mark.slow
def test_a_node_that_times_out_each_time_is_an_error_each_time(traced: Traced) -> None:
    """Every attempt that timed out is an error, and so is the graph when there is none left."""
    policy = RetryPolicy(initial_interval=0.0, jitter=False, max_attempts=2)
    with pytest.raises(NodeTimeoutError):
        AINVOKE.run(slow_node(waits=[9.0] * 2, retry_policy=policy), GREETING, traced.config())
    assert span_tree(traced.collector, "langgraph.attempt") == [
        "invoke_workflow LangGraph [error: NodeTimeoutError]",
        "  node ask [error: NodeTimeoutError, langgraph.attempt=1]",
        "    chat talker [cancelled]",
        "  node ask [error: NodeTimeoutError, langgraph.attempt=2]",
        "    chat talker [cancelled]",
    ]


@pytest.mark.parametrize("call", [AINVOKE, ASTREAM], ids=str)
def test_a_node_that_times_out_and_is_rescued_is_an_error(traced: Traced, call: Call) -> None:
    """An error handler shows that the node failed, and keeps the graph clean."""
    graph = slow_node(waits=[9.0], error_handler=lambda _: {"messages": ["sorry"]})
    call.run(graph, GREETING, traced.config())
    assert traced.tree == [
        "invoke_workflow LangGraph",
        "  node ask [error: NodeTimeoutError]",
        "    chat talker [cancelled]",
        "  node __error_handler__ask",
    ]
