"""The messages of a state are told, whatever the state is, and however a node changes it."""

from __future__ import annotations

import gc
import json
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage, ToolMessage
from langchain_core.runnables import RunnableLambda
from langgraph.graph import START, StateGraph, add_messages
from langgraph.types import Command, Overwrite, Send
from pydantic import BaseModel, Field

from nodespan.telemetry._content.conversation import read_conversation
from nodespan.telemetry._content.readings import Readings
from nodespan.telemetry._translation import payload
from nodespan.telemetry._values.plain import Reader
from nodespan.telemetry.testing import capture_spans
from support.strangers import ASTREAM, INVOKE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.strangers import Call

HELLO = {"role": "user", "parts": [{"type": "text", "content": "hello"}]}
SO_IT_IS = {
    "role": "assistant",
    "parts": [{"type": "text", "content": "so it is"}],
    "finish_reason": "stop",
}
INPUT, OUTPUT = "gen_ai.input.messages", "gen_ai.output.messages"


class AsTypedDict(TypedDict):
    """A state that is a dictionary."""

    messages: Annotated[list[AnyMessage], add_messages]
    mood: str


class AsModel(BaseModel):
    """A state that is a pydantic model."""

    messages: Annotated[list[AnyMessage], add_messages] = Field(default_factory=list)
    mood: str = ""


@dataclass
class AsDataclass:
    """A state that is a dataclass."""

    messages: Annotated[list[AnyMessage], add_messages] = field(default_factory=list)
    mood: str = ""


ANSWER = AIMessage("so it is")
CHANGES: dict[str, Callable[[], Any]] = {
    "dictionary": lambda: {"messages": [ANSWER]},
    "command": lambda: Command(update={"messages": [ANSWER]}),
    "pairs": lambda: Command(update=[("messages", [ANSWER])]),
    "commands": lambda: [Command(update={"messages": [ANSWER]}), Command(update={"mood": "x"})],
    "overwrite": lambda: {"messages": Overwrite([ANSWER])},
    "plain overwrite": lambda: {"messages": {"__overwrite__": [ANSWER]}},
    "model": lambda: AsModel(messages=[ANSWER], mood="x"),
}


@pytest.mark.parametrize("call", [INVOKE, ASTREAM], ids=str)
@pytest.mark.parametrize("schema", [AsTypedDict, AsModel, AsDataclass])
@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_states_and_changes(call: Call, schema: Any, change: Callable[[], Any]) -> None:
    """What a node is given and answers is told of each kind of state and of change alike."""
    graph = StateGraph(schema)
    graph.add_node("say", lambda _state: change())
    graph.add_edge(START, "say")
    given = {"messages": [HumanMessage("hello")], "mood": "m"}
    with capture_spans(capture_content="SPAN_ONLY") as captured:
        call.run(graph.compile(), given, {"callbacks": [captured.handler]})
    node = next(span for span in captured.spans if span.name == "node say")
    assert json.loads(str(node.attributes[INPUT])) == [HELLO]
    assert json.loads(str(node.attributes[OUTPUT])) == [SO_IT_IS]
    assert json.loads(str(node.attributes["input.value"])) == {"mood": "m"}


def told(content: dict[str, object]) -> dict[str, Any]:
    """Return what is told of a value, with the messages as plain data."""
    messages = {key: list(value) for key, value in content.items() if key in (INPUT, OUTPUT)}  # type: ignore[call-overload]  # lists
    return {**content, **messages}


def test_where_a_command_goes() -> None:
    """What else it says stands beside the messages; without any it is told as it is."""
    there = Send("b", {"x": 1})
    command = Command(update={"messages": [ANSWER], "mood": "x"}, goto=["a", there])
    assert told(payload.state_output(command)) == {
        OUTPUT: [SO_IT_IS],
        "output.value": {"goto": ["a", there], "update": {"mood": "x"}},
    }
    alone: Any = Command(goto="a")
    assert told(payload.state_output(alone)) == {"output.value": alone}
    resumed = told(
        payload.state_input(Command(resume="yes", update={"messages": [HumanMessage("hello")]}))
    )
    assert resumed == {INPUT: [HELLO], "input.value": {"resume": "yes"}}
    several = [Command(update={"messages": [ANSWER]}), Command(update={"messages": [ANSWER]})]
    assert told(payload.state_output(several)) == {OUTPUT: [SO_IT_IS] * 2}


def test_what_is_sent() -> None:
    """The messages that a node sends to another are told, with where they go."""
    send = Send("b", {"messages": [ANSWER], "mood": "x"})
    rest = {"node": "b", "arg": {"mood": "x"}}
    assert told(payload.state_output(send)) == {OUTPUT: [SO_IT_IS], "output.value": rest}
    several = told(payload.state_output([send, send]))
    assert several == {OUTPUT: [SO_IT_IS] * 2, "output.value": [rest] * 2}


def test_a_message_that_takes_one_away() -> None:
    """It is told as one that does."""
    (message,) = told(payload.state_output({"messages": [RemoveMessage(id="7")]}))[OUTPUT]
    assert message["parts"] == [{"type": "remove", "id": "7"}]


@pytest.mark.parametrize("state", [{"messages": 7}, {"messages": [object()]}, {"messages": []}, 7])
def test_what_is_no_conversation(state: Any) -> None:
    """It is told as it is."""
    assert told(payload.state_input(state)) == {"input.value": state}


class Counting(list[Any]):
    """Counts how often one of its items is handed out."""

    touched = 0

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        self.touched += len(found) if isinstance(place, slice) else 1
        return found

    def __iter__(self) -> Iterator[Any]:
        for item in super().__iter__():
            self.touched += 1
            yield item


SHAPES: dict[str, Callable[[str], Any]] = {
    "dictionaries": lambda text: {"role": "user", "content": text},
    "dictionaries with more": lambda text: {"role": "user", "content": text, "name": "Bob"},
    "pairs": lambda text: ("user", text),
    "messages": HumanMessage,
    "texts": str,
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_a_long_conversation_costs_what_is_kept_of_it(shape: Callable[[str], Any]) -> None:
    """Of 20,000 messages no more are looked at than are told, give and take a few."""
    given = Counting(shape(f"hello {number}") for number in range(20_000))
    with capture_spans(capture_content="SPAN_ONLY", max_content_characters=10_000) as captured:
        handler: Any = captured.handler
        handler.on_chain_start({}, {"messages": given}, run_id=(run_id := _run_id()), name="one")
        handler.on_chain_end({"messages": given}, run_id=run_id)
    (span,) = captured.spans
    kept = 0
    for name in (INPUT, OUTPUT):
        messages = json.loads(str(span.attributes[name]))
        kept += len(messages)
        assert messages[0]["parts"] == [{"type": "text", "content": "hello 0"}]
        assert messages[-1]["parts"] == [{"type": "text", "content": "hello 19999"}]
        assert "messages left out" in messages[1]["parts"][0]["content"]
    assert 100 < kept <= given.touched < 3 * kept


def _run_id() -> Any:
    from uuid import uuid4  # noqa: PLC0415 - for this one

    return uuid4()


SAID: list[Any] = [
    HumanMessage("hello", id="1"),
    HumanMessage("pass\ud800word=1"),
    HumanMessage("Authorization: Bearer abcdefghijklmnopqrstuvwxyz"),
    HumanMessage([{"type": "text", "text": "hello"}, {"type": "tool_use", "input": {"a": 1}}]),
    HumanMessage([{"type": "image", "base64": "A" * 100, "mime_type": "image/png"}]),
    AIMessage("", tool_calls=[{"name": "find", "args": {"a": [1, None]}, "id": "c"}]),
    AIMessage("so", response_metadata={"finish_reason": "stop"}, additional_kwargs={"b": b"x"}),
    AIMessage("so", additional_kwargs={"thinking": "hm"}, name="Bob"),
    ToolMessage("found", tool_call_id="c", artifact=object()),
    {"role": "user", "content": "hello", "api_key": "k"},
    ("user", "hello"),
    "hello",
]


def test_messages_that_were_read_before_are_told_as_any_other() -> None:
    """What is remembered gives what reading gives, again and again, and takes up the same room."""
    for said in SAID:
        expected: Any = payload.state_input({"messages": [said]})[INPUT]
        long = Reader(100_000)
        plain = long.read(expected[0])
        readings = Readings()
        for _ in range(3):
            short = Reader(100_000)
            assert readings.read(said, expected.make, short) == plain
            assert (short.characters, short.dropped) == (long.characters, long.dropped)


def test_a_message_that_has_changed_is_told_anew() -> None:
    """Whatever of it has, however deep; and what somebody does to what was read stays with them."""
    call = {"name": "find", "args": {"a": [1]}, "id": "c", "type": "tool_call"}
    message, other = AIMessage("so", tool_calls=[call]), HumanMessage("hello")
    state = {"messages": [other, message]}
    with capture_spans(capture_content="SPAN_ONLY") as captured:
        for change in (
            lambda: message.tool_calls[0]["args"]["a"].append(2),
            lambda: setattr(message, "content", "otherwise"),
            lambda: message.additional_kwargs.update(thinking="hm"),
            lambda: setattr(message, "name", "Bob"),
        ):
            RunnableLambda(lambda _: 1).invoke(state, {"callbacks": [captured.handler]})
            change()
        RunnableLambda(lambda _: 1).invoke(state, {"callbacks": [captured.handler]})
    seen = [json.loads(str(span.attributes[INPUT]))[1] for span in captured.spans]
    assert [part["content"] for part in seen[0]["parts"] if part["type"] == "text"] == ["so"]
    assert seen[1]["parts"][-1]["arguments"] == {"a": [1, 2]}
    assert [part["content"] for part in seen[2]["parts"] if part["type"] == "text"] == ["otherwise"]
    assert seen[3]["parts"][0] == {"type": "reasoning", "content": "hm"}
    assert seen[4]["name"] == "Bob"


def test_messages_are_not_kept() -> None:
    """Those that were told are gone when the application lets them go."""
    messages = [HumanMessage(f"hello {number}") for number in range(3)]
    kept = [weakref.ref(message) for message in messages]
    with capture_spans(capture_content="SPAN_ONLY") as captured:
        handler: Any = captured.handler
        handler.on_chain_start({}, {"messages": messages}, run_id=(run_id := _run_id()), name="one")
        handler.on_chain_end({}, run_id=run_id)
        messages.clear()
        gc.collect()
        assert [each() for each in kept] == [None] * 3


def test_a_short_message_is_told_as_any_other() -> None:
    """The short way of reading gives what the long one gives, and counts the same room."""
    texts = ["hello", "", "pass\ud800word=1", "Authorization: Bearer abcdefghijklmnopqrstuvwxyz"]
    for role in ("user", "assistant", "system"):
        for more in ({}, {"finish_reason": "stop"}):
            said = [
                {"role": role, "parts": [{"type": "text", "content": t}], **more} for t in texts
            ]
            short, long = Reader(100_000), Reader(100_000)
            assert read_conversation(said, short, Readings()) == [long.read(each) for each in said]
            assert short.characters == long.characters
