"""Tool calls by a model that knows nothing of tools, but keeps to a schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.tools import tool
from pydantic import BaseModel, PrivateAttr

from nodespan.model import CustomChatModel
from nodespan.model._tools.reader import (
    CallArguments,
    CallStart,
    ConstrainedReader,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_OBJECTS = st.dictionaries(st.text(), _JSON, max_size=4)
_WRITERS = st.sampled_from(
    [
        json.dumps,
        lambda value: json.dumps(value, ensure_ascii=False),
        lambda value: json.dumps(value, indent=2),
        lambda value: f" {json.dumps(value)} \n",
    ]
)


def _read(text: str, size: int) -> list[Any]:
    reader = ConstrainedReader()
    chunks = [text[start : start + size] for start in range(0, len(text), size)]
    return [*(event for chunk in chunks for event in reader.feed(chunk)), *reader.end()]


@given(st.text(), _OBJECTS, _WRITERS, st.integers(1, 30))
def test_a_call_is_read_from_any_chunking(name: str, args: Any, write: Any, size: int) -> None:
    """However it is written and chunked, a call gives its name, then its arguments."""
    start, *parts = _read(write({"tool": name, "arguments": args}), size)
    assert start == CallStart(name)
    assert json.loads("".join(part.json for part in parts)) == args


@given(st.text(), _WRITERS, st.integers(1, 30))
def test_a_text_is_read_from_any_chunking(text: str, write: Any, size: int) -> None:
    """However it is written and chunked, a text answer gives its text."""
    events = _read(write({"answer": text}), size)
    assert "".join(event.text for event in events) == text


def test_a_text_is_read_as_it_comes() -> None:
    """Each piece of the text is passed on at once, but for half an escape."""
    reader = ConstrainedReader()
    pieces = ['{"answer": "Hel', "lo \\", "u00", "e9 \\ud83d", "\\ude00", '!"}']
    told = [[event.text for event in reader.feed(piece)] for piece in pieces]  # type: ignore[union-attr]
    assert told == [["Hel"], ["lo "], [], ["é "], ["😀"], ["!"]]


def test_arguments_are_read_as_they_come() -> None:
    """So are the arguments, up to the brace that closes them."""
    reader = ConstrainedReader()
    pieces = ['{"tool": "f", "arg', 'uments": {"a"', ': "}"', "}", "}"]
    told = [list(reader.feed(piece)) for piece in pieces]
    assert told[0] == []
    assert told[1:4] == [
        [CallStart("f"), CallArguments('{"a"')],
        [CallArguments(': "}"')],
        [CallArguments("}")],
    ]
    assert told[4] == []


def test_another_order_is_read_at_the_end() -> None:
    """A backend that keeps to the schema, but not to its order, is understood as well."""
    assert _read('{"arguments": {"a": 1}, "tool": "f"}', 4) == [
        CallStart("f"),
        CallArguments('{"a": 1}'),
    ]


def test_an_answer_that_broke_off_is_given_as_it_is() -> None:
    """What cannot be read is not lost."""
    assert _read('{"too', 2) == [Text('{"too')]
    assert _read('{"answer": "a \\ud83d b', 2)[-1] == Text("\\ud83d b")
    assert _read("", 1) == []


@tool
def look(where: str, times: int = 1) -> str:
    """Look somewhere."""
    return where * times


class Constrained(CustomChatModel):
    """Gives prepared texts, and remembers what it was asked."""

    texts: list[str]
    _asked: list[tuple[list[BaseMessage], Any]] = PrivateAttr(default_factory=list)

    def respond(
        self, messages: list[BaseMessage], *, response_format: Any = None
    ) -> Iterator[str | AIMessageChunk]:
        """Give the next text in small pieces, and usage."""
        self._asked.append((messages, response_format))
        text = self.texts[len(self._asked) - 1]
        yield from (text[start : start + 3] for start in range(0, len(text), 3))
        usage: Any = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        yield AIMessageChunk("", usage_metadata=usage, response_metadata={"finish_reason": "stop"})

    async def arespond(
        self, messages: list[BaseMessage], *, response_format: Any = None
    ) -> AsyncIterator[str | AIMessageChunk]:
        """Do the same, async."""
        for piece in self.respond(messages, response_format=response_format):
            yield piece


_CALL = '{"tool": "look", "arguments": {"where": "up"}}'


def _schema(model: Constrained, request: int = 0) -> Any:
    return model._asked[request][1]["json_schema"]["schema"]


async def test_a_call_is_made_of_text() -> None:
    """What the model writes becomes a tool call, sync and async, whole and streamed."""
    model = Constrained(texts=[_CALL] * 3)
    bound = model.bind_tools([look])
    answers = [bound.invoke("?"), await bound.ainvoke("?")]
    total = None
    async for chunk in bound.astream("?"):
        total = chunk if total is None else total + chunk
    for answer in (*answers, total):
        assert isinstance(answer, AIMessage)
        (call,) = answer.tool_calls
        assert (answer.content, call["name"], call["args"]) == ("", "look", {"where": "up"})
        assert call["id"]
        assert answer.response_metadata["finish_reason"] == "tool_calls"
        assert answer.usage_metadata == {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}


def test_the_model_is_told_of_the_tools() -> None:
    """The system message describes them, and the schema allows a call or a text."""
    model = Constrained(texts=[_CALL])
    model.bind_tools([look]).invoke([SystemMessage("Be brief."), HumanMessage("?")])
    system, question = model._asked[0][0]
    assert system.text.startswith("Be brief.\n\nYou can call these tools:\n")
    assert "- look(where: string, times?: integer): Look somewhere." in system.text
    assert question.text == "?"
    call, text = _schema(model)["anyOf"]
    assert call["properties"]["tool"] == {"const": "look"}
    assert call["properties"]["arguments"]["required"] == ["where"]
    assert list(text["properties"]) == ["answer"]


def test_a_text_answer_stays_text() -> None:
    """When the model answers with text, there is no call, and stop strings work on the text."""
    model = Constrained(texts=['{"answer": "nothing to see"}'] * 2)
    answer = model.bind_tools([look]).invoke("?")
    assert (answer.content, answer.tool_calls) == ("nothing to see", [])
    assert answer.response_metadata["finish_reason"] == "stop"
    assert model.bind_tools([look]).invoke("?", stop=["thing"]).content == "nothing"


def test_a_choice_narrows_the_schema() -> None:
    """A required call allows no text, a named one no other tool, and none no call at all."""

    @tool
    def listen() -> str:
        """Listen."""
        return ""

    model = Constrained(texts=[_CALL, _CALL, "plain"])
    model.bind_tools([look, listen], tool_choice="any").invoke("?")
    model.bind_tools([look, listen], tool_choice="look").invoke("?")
    answer = model.bind_tools([look, listen], tool_choice="none").invoke("?")
    names = [choice["properties"]["tool"]["const"] for choice in _schema(model)["anyOf"]]
    assert names == ["look", "listen"]
    assert _schema(model, 1)["properties"]["tool"] == {"const": "look"}
    assert model._asked[2][1] is None
    assert answer.content == "plain"


def _after_result(args: dict[str, Any]) -> list[BaseMessage]:
    call: Any = {"name": "look", "args": args, "id": "1"}
    return [
        HumanMessage("?"),
        AIMessage("Well.", tool_calls=[call]),
        ToolMessage("a bird", tool_call_id="1", name="look"),
    ]


def test_earlier_calls_and_results_are_told_as_text() -> None:
    """The model reads what was called, and what came of it, in words."""
    model = Constrained(texts=['{"answer": "a bird"}'])
    model.bind_tools([look]).invoke(_after_result({"where": "up"}))
    texts = [str(message.text) for message in model._asked[0][0][1:]]
    assert texts == ["?", f"Well.\n{_CALL}", "Result of look: a bird"]


def test_a_call_that_has_its_result_is_not_made_again() -> None:
    """A small model that repeats itself is asked for a text instead; usage counts both."""
    model = Constrained(texts=[_CALL, "There is a bird."])
    answer = model.bind_tools([look]).invoke(_after_result({"where": "up"}))
    assert (answer.content, answer.tool_calls) == ("There is a bird.", [])
    assert answer.usage_metadata == {"input_tokens": 2, "output_tokens": 2, "total_tokens": 4}
    assert model._asked[1][1] is None


def test_another_call_of_the_same_tool_is_made() -> None:
    """Only the very same call is held back."""
    model = Constrained(texts=[_CALL])
    answer = model.bind_tools([look]).invoke(_after_result({"where": "down"}))
    assert answer.tool_calls[0]["args"] == {"where": "up"}


def test_a_new_question_may_repeat_a_call() -> None:
    """What was called for an earlier question may be called again for the next one."""
    model = Constrained(texts=[_CALL])
    messages = [*_after_result({"where": "up"}), AIMessage("a bird"), HumanMessage("and now?")]
    assert model.bind_tools([look]).invoke(messages).tool_calls


class Bird(BaseModel):
    """A bird."""

    name: str


@pytest.mark.parametrize("method", [None, "json_schema", "json_mode", "function_calling"])
def test_structured_output_by_each_method(method: str | None) -> None:
    """Whichever method is asked for, data of the class comes back."""
    call = '{"tool": "Bird", "arguments": {"name": "wren"}}'
    text = call if method == "function_calling" else '{"name": "wren"}'
    model = Constrained(texts=[text] * 2)
    assert model.with_structured_output(Bird, method=method).invoke("?") == Bird(name="wren")
    both: Any = model.with_structured_output(Bird, method=method, include_raw=True).invoke("?")
    assert both["parsed"] == Bird(name="wren")
    assert both["parsing_error"] is None
    assert isinstance(both["raw"], AIMessage)


def test_an_answer_that_does_not_fit_is_a_parsing_error() -> None:
    """With include_raw the error comes along instead of being raised."""
    model = Constrained(texts=['{"nom": 1}'])
    both: Any = model.with_structured_output(Bird, include_raw=True).invoke("?")
    assert both["parsed"] is None
    assert "name" in str(both["parsing_error"])
