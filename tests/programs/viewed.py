"""A program whose runs are worth looking at: agents that fail, wait, stall, ask and fan out.

Usage: `python viewed.py JOURNAL` runs each of its scenes once, into that journal, with content on.
`python viewed.py JOURNAL live SECONDS` streams answers for so long, one after the other, and
`runs SECONDS` short ones; `spans COUNT` makes one trace of so many spans, `traces COUNT` so many
traces, `trip` runs the one scene of README's picture, and `crash` dies in the middle of one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypedDict

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, RetryPolicy, Send, interrupt
from opentelemetry import trace
from opentelemetry.context import Context

from nodespan.graph import build_agent, chat_node
from nodespan.model import Pause, ScriptedChatModel
from nodespan.telemetry import TelemetryConfig, configure

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.runnables import RunnableConfig

    from nodespan.telemetry import OpenTelemetryCallbackHandler, Telemetry

PRICES: Final = {
    "planner-large": {"input": 3, "output": 15},
    "writer-small": {"input": 0.25, "output": 1.25},
    "reader-huge": {"input": 15, "output": 75},
}
STALL: Final = 2.2
_DEAR_CHAPTER: Final = 3
_BETWEEN_FLUSHES: Final = 1_000
_RUNS_OF_STORY: Final = 5
_ANSWER: Final = (
    "Bern is sunny today, with 21 degrees at noon and a light wind from the west. Towards the "
    "evening a few clouds will come up over the Jura, but it stays dry until tomorrow morning."
)


def run_scenes(handler: OpenTelemetryCallbackHandler) -> None:
    """Run each scene once."""
    for scene in SCENES:
        scene(handler)


def forecast(handler: OpenTelemetryCallbackHandler) -> None:
    """Ask an agent that calls two tools, streams its answer, and remembers its conversation."""

    def get_weather(city: str) -> str:
        """Tell the weather in a city."""
        time.sleep(0.12)
        return f"Sunny in {city}, 21 degrees, wind from the west."

    def get_alerts(city: str) -> str:
        """Tell the warnings of a city."""
        time.sleep(0.05)
        return f"No warnings for {city}."

    model = _model(
        "planner-large",
        [
            _calls(("get_weather", {"city": "Bern"}), ("get_alerts", {"city": "Bern"}), used=412),
            _spoken(_ANSWER, used=688),
            _calls(("get_weather", {"city": "Zürich"}), used=702),
            _spoken("In Zürich it rains a little, 17 degrees; take an umbrella.", used=790),
            _spoken("You are welcome. Have a good trip!", used=812),
        ],
        delay=0.012,
    )
    agent = build_agent(
        model,
        [get_weather, get_alerts],
        name="forecaster",
        system_prompt="You tell the weather, briefly.",
        checkpointer=InMemorySaver(),
    )
    for question, wait in (
        ("Will it be dry in Bern today?", 0.6),
        ("And in Zürich?", 1.1),
        ("Thanks!", 0),
    ):
        _stream(agent, question, handler, "trip-to-bern")
        time.sleep(wait)


def stall(handler: OpenTelemetryCallbackHandler) -> None:
    """Stream an answer that stops in its middle for two seconds, and goes on."""
    words = _ANSWER.split(" ")
    steps = [f"{word} " for word in words[:14]] + [Pause(STALL)] + [f"{w} " for w in words[14:]]
    model = _model("writer-small", [[s for step in steps for s in (Pause(0.02), step)]])
    agent = build_agent(model, name="newsreader")
    _stream(agent, "Read me the weather report.", handler, "evening-news")


def trip(handler: OpenTelemetryCallbackHandler) -> None:
    """Ask an agent that looks three things up, and whose last answer stalls."""

    def get_weather(city: str) -> str:
        """Tell the weather in a city."""
        time.sleep(0.34)
        return f"Sunny in {city}."

    def get_trains(to: str) -> str:
        """Tell the trains to a city."""
        time.sleep(0.61)
        return f"08:02, 08:32 and 09:02 to {to}."

    def get_hotels(city: str) -> str:
        """Tell the hotels of a city."""
        time.sleep(0.27)
        return f"Two rooms left in {city}."

    words = [step for word in _ANSWER.split() for step in (Pause(0.024), f"{word} ")]
    model = _model(
        "planner-large",
        [
            _calls(("get_weather", {"city": "Bern"}), ("get_trains", {"to": "Bern"}), used=412),
            _calls(("get_hotels", {"city": "Bern"}), used=583),
            [Pause(0.3), *words[:24], Pause(STALL / 2), *words[24:]],
        ],
    )
    agent = build_agent(model, [get_weather, get_trains, get_hotels], name="trip planner")
    _stream(agent, "Plan a day in Bern for me.", handler, "a-day-in-bern")


def broken_tool(handler: OpenTelemetryCallbackHandler) -> None:
    """Ask an agent whose tool cannot reach its database."""

    def find_order(order: str) -> str:
        """Find an order."""
        time.sleep(0.08)
        message = f"no connection to orders-db:5432 while looking for {order}"
        raise ConnectionError(message)

    model = _model("planner-large", [_calls(("find_order", {"order": "A-1007"}), used=233)])
    agent = build_agent(model, [find_order], name="orders", checkpointer=InMemorySaver())
    _stream(agent, "Where is my order A-1007?", handler, "order-a-1007")


def retries(handler: OpenTelemetryCallbackHandler) -> None:
    """Run a node that fails twice before it succeeds."""
    failing = ConnectionError("503: the model is overloaded")
    model = _model("writer-small", [failing, failing, _spoken("Third time lucky.", used=24)])
    graph = StateGraph(MessagesState)
    policy = RetryPolicy(max_attempts=3, initial_interval=0.15, jitter=False, retry_on=Exception)
    graph.add_node("write", chat_node(model), retry_policy=policy)
    graph.add_edge(START, "write")
    _stream(graph.compile(name="stubborn"), "Write a proverb.", handler)


def approval(handler: OpenTelemetryCallbackHandler) -> None:
    """Stop for a person's word, and go on with it later."""

    def ask(_: MessagesState) -> dict[str, Any]:
        answer = interrupt({"question": "Send the money?", "amount": "120 CHF"})
        return {"messages": [AIMessage(f"The person said {answer}.")]}

    model = _model("planner-large", [_spoken("The money is on its way.", used=96)])
    graph = StateGraph(MessagesState)
    graph.add_node("approve", ask)
    graph.add_node("pay", chat_node(model))
    graph.add_edge(START, "approve")
    graph.add_edge("approve", "pay")
    bank = graph.compile(name="bank", checkpointer=InMemorySaver())
    _stream(bank, "Pay the rent.", handler, "rent-in-may")
    time.sleep(0.9)
    bank.invoke(Command(resume="yes"), _config(handler, "rent-in-may"))


def expensive(handler: OpenTelemetryCallbackHandler) -> None:
    """Make many cheap calls, and one that costs more than all of them."""
    cheap = _model("writer-small", [_spoken("A summary.", used=180)], repeat=True)
    dear = _model("reader-huge", [_spoken("The whole book, read.", used=182_400, out=2_210)])
    graph = StateGraph(MessagesState)
    for place in range(6):
        graph.add_node(f"chapter_{place + 1}", chat_node(dear if place == _DEAR_CHAPTER else cheap))
    graph.add_edge(START, "chapter_1")
    for place in range(5):
        graph.add_edge(f"chapter_{place + 1}", f"chapter_{place + 2}")
    _stream(graph.compile(name="book club"), "Summarise the book.", handler)


def walked_away(handler: OpenTelemetryCallbackHandler) -> None:
    """Stream an answer to somebody who closes the page in its middle."""
    words = [step for word in _ANSWER.split() for step in (Pause(0.01), f"{word} ")]
    agent = build_agent(_model("writer-small", [words]), name="storyteller")
    asked = {"messages": [HumanMessage("Tell me a story.")]}
    stream = agent.stream(asked, _config(handler, "bedtime"), stream_mode="messages")
    for _ in range(6):
        next(stream)
    stream.close()


def cancelled(handler: OpenTelemetryCallbackHandler) -> None:
    """Cancel an agent whose model does not answer."""
    agent = build_agent(_model("planner-large", [[Pause(30), "Late."]]), name="slowcoach")
    asked = {"messages": [HumanMessage("Are you there?")]}

    async def ask() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(agent.ainvoke(asked, _config(handler)), 0.4)

    asyncio.run(ask())


def crash(handler: OpenTelemetryCallbackHandler, telemetry: Telemetry) -> None:
    """Die in the middle of an answer, as a process does that is killed."""
    words = [step for word in _ANSWER.split() for step in (Pause(0.05), f"{word} ")]
    agent = build_agent(_model("writer-small", [words]), name="mayfly")
    asked = {"messages": [HumanMessage("How long do you live?")]}
    stream = agent.stream(asked, _config(handler, "a-day"), stream_mode="messages")
    for _ in range(22):
        next(stream)
    telemetry.tracer_provider.force_flush()
    os._exit(1)


class _Papers(TypedDict):
    titles: list[str]
    notes: Annotated[list[str], add]


def fan_out(handler: OpenTelemetryCallbackHandler) -> None:
    """Read eight papers at once, each in a subgraph of its own, and put the notes together."""
    reader = ScriptedChatModel(
        lambda asked: [f"Notes on {asked.messages[-1].text}. ", Pause(0.05), "It is good."],
        model_name="writer-small",
    )

    def skim(state: _Paper, config: RunnableConfig) -> dict[str, Any]:
        time.sleep(0.02 * (len(state["title"]) % 5))
        return {"note": reader.invoke(state["title"], config).text}

    def read(state: _Paper) -> dict[str, list[str]]:
        return {"notes": [one.invoke(state)["note"]]}

    single = StateGraph(_Paper)
    single.add_node("skim", skim)
    single.add_edge(START, "skim")
    one = single.compile(name="one paper")
    graph = StateGraph(_Papers)
    graph.add_node("read", read)
    graph.add_node("join", lambda state: {"notes": [f"{len(state['notes'])} papers read"]})
    graph.add_conditional_edges(
        START, lambda state: [Send("read", {"title": title}) for title in state["titles"]], ["read"]
    )
    graph.add_edge("read", "join")
    titles = [f"paper {'abcdefgh'[: place + 1]}" for place in range(8)]
    graph.compile(name="survey").invoke({"titles": titles, "notes": []}, _config(handler))


class _Paper(TypedDict):
    title: str
    note: str


def loop(handler: OpenTelemetryCallbackHandler) -> None:
    """Go round the same loop of model and tool twelve times."""

    def next_page(page: int) -> str:
        """Turn a page."""
        return f"This is page {page}."

    answers = [_calls(("next_page", {"page": page}), used=100 + page * 31) for page in range(12)]
    model = _model("writer-small", [*answers, _spoken("That was the last page.", used=520)])
    agent = build_agent(model, [next_page], name="page turner")
    _stream(agent, "Read to the end.", handler, "long-read")


def hostile(handler: OpenTelemetryCallbackHandler) -> None:
    """Say what would be markup, script or a way out of it, wherever something can be said."""
    graph = StateGraph(MessagesState)
    model = _model(MARKUP, [_spoken(MARKUP, used=10)])
    graph.add_node("<b>node</b>", chat_node(model))
    graph.add_edge(START, "<b>node</b>")
    _stream(graph.compile(name=MARKUP), MARKUP, handler, MARKUP)


MARKUP: Final = '<img src=x onerror="window.hacked=1"></script><script>window.hacked=2</script>\'"&'

SCENES: Final[tuple[Callable[[OpenTelemetryCallbackHandler], None], ...]] = (
    forecast,
    trip,
    broken_tool,
    retries,
    approval,
    expensive,
    fan_out,
    loop,
    hostile,
    walked_away,
    cancelled,
    stall,
)


def live(handler: OpenTelemetryCallbackHandler, seconds: float) -> None:
    """Stream answers for so many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        # Long enough for a page that is slow to come to see it run.
        said = 3 * _ANSWER.split()
        words = [step for word in said for step in (Pause(0.06), f"{word} ")]
        agent = build_agent(_model("writer-small", [words]), name="narrator")
        _stream(agent, "Go on.", handler, "endless-story")


def runs(handler: OpenTelemetryCallbackHandler, seconds: float) -> None:
    """Stream short answers for so many seconds, one after the other."""
    until = time.monotonic() + seconds
    place = 0
    while time.monotonic() < until:
        words = [step for word in _ANSWER.split()[:6] for step in (Pause(0.01), f"{word} ")]
        agent = build_agent(_model("writer-small", [words]), name="narrator")
        _stream(agent, "Go on.", handler, f"story {place // _RUNS_OF_STORY}")
        place += 1


def many_spans(telemetry: Telemetry, count: int) -> None:
    """Write one trace of *count* spans: rounds of a node and its model, some with 20 kB of text."""
    tracer = telemetry.tracer_provider.get_tracer("viewed")
    start = time.time_ns() - count * 1_000_000
    root = _span(tracer, "invoke_agent walker", start, _ROOT)
    for place in range((count - 1) // 2):
        at = start + place * 2_000_000
        node = _span(tracer, "node model", at, {"langgraph.step": place}, root)
        text = "word " * (4_000 if place % 100 == 0 else 4)
        said = {"gen_ai.output.messages": json.dumps([_said(text)])}
        chat = _span(tracer, "chat writer-small", at + 100_000, _CHAT | said, node)
        chat.end(at + 1_700_000)
        node.end(at + 1_900_000)
        if place % _BETWEEN_FLUSHES == 0:
            telemetry.tracer_provider.force_flush()
    root.end(start + count * 1_000_000)


def many_traces(telemetry: Telemetry, count: int) -> None:
    """Write *count* traces of one span."""
    tracer = telemetry.tracer_provider.get_tracer("viewed")
    start = time.time_ns() - count * 100_000_000
    for place in range(count):
        name = f"agent {place % 7}"
        about = {"gen_ai.agent.name": name, "gen_ai.conversation.id": f"talk {place // 5}"}
        failed = {"nodespan.outcome": "error", "error.type": "ValueError"}
        at = start + place * 100_000_000
        attributes = _ROOT | about | (failed if place % 50 == 0 else {})
        _span(tracer, f"invoke_agent {name}", at, attributes).end(at + 40_000_000)
        if place % _BETWEEN_FLUSHES == 0:
            telemetry.tracer_provider.force_flush()


_ROOT: Final = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "walker"}
_CHAT: Final = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "writer-small",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
}


def _span(tracer: Any, name: str, at: int, attributes: dict[str, Any], parent: Any = None) -> Any:
    above = trace.set_span_in_context(parent) if parent is not None else Context()
    return tracer.start_span(name, context=above, start_time=at, attributes=attributes)


def _said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "parts": [{"type": "text", "content": text}]}


def _stream(graph: Any, text: str, handler: Any, thread: str | None = None) -> None:
    given = {"messages": [HumanMessage(text)]}
    try:
        for _ in graph.stream(given, _config(handler, thread), stream_mode="messages"):
            pass
    except ConnectionError:
        return


def _config(handler: Any, thread: str | None = None) -> RunnableConfig:
    about = {"configurable": {"thread_id": thread}} if thread is not None else {}
    return {"callbacks": [handler], "recursion_limit": 100, **about}  # type: ignore[typeddict-item]  # as above


def _model(name: str, answers: list[Any], **settings: Any) -> ScriptedChatModel:
    return ScriptedChatModel(answers, model_name=name, **settings)


def _spoken(text: str, *, used: int, out: int | None = None) -> AIMessage:
    return AIMessage(text, usage_metadata=_usage(used, out or len(text) // 4))


def _calls(*calls: tuple[str, dict[str, Any]], used: int) -> AIMessage:
    asked = [
        {"name": name, "args": arguments, "id": f"call-{place}"}
        for place, (name, arguments) in enumerate(calls)
    ]
    return AIMessage("", tool_calls=asked, usage_metadata=_usage(used, 12 * len(calls)))


def _usage(given: int, made: int) -> UsageMetadata:
    return UsageMetadata(input_tokens=given, output_tokens=made, total_tokens=given + made)


def main(journal: Path, what: str = "scenes", number: float = 0) -> None:
    """Run what is asked for into a journal."""
    settings = {"capture_content": "SPAN_ONLY", "prices": PRICES, "stall_threshold": 1.0}
    with configure(
        TelemetryConfig(service_name="viewed", journal=journal, **settings)
    ) as telemetry:
        handler = telemetry.handler()
        if what == "live":
            live(handler, number)
        elif what == "runs":
            runs(handler, number)
        elif what == "spans":
            many_spans(telemetry, int(number))
        elif what == "traces":
            many_traces(telemetry, int(number))
        elif what == "crash":
            crash(handler, telemetry)
        elif what == "trip":
            trip(handler)
        else:
            run_scenes(handler)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3], *map(float, sys.argv[3:4]))
