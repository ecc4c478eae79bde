"""The echo model does what the guide on custom chat models says, example by example."""

from __future__ import annotations

import time
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage
from pydantic import ValidationError

from nodespan.model import BadRequestError, EchoChatModel, UnsupportedError


@pytest.fixture
def model() -> EchoChatModel:
    """Give the guide's model, which echoes three characters."""
    return EchoChatModel(model_name="my_custom_model", n=3)


def test_it_echoes_the_first_characters_of_the_last_message(model: EchoChatModel) -> None:
    """With n=3 and three messages, the last one "Meow!", the answer is "Meo"."""
    messages = [HumanMessage("hello!"), AIMessage("Hi there human!"), HumanMessage("Meow!")]
    answer = model.invoke(messages)
    assert type(answer) is AIMessage
    assert answer.content == "Meo"


def test_it_takes_a_text(model: EchoChatModel) -> None:
    """A text is one human message."""
    assert model.invoke("hello").content == "hel"


async def test_it_takes_a_text_async(model: EchoChatModel) -> None:
    """The async call gives what the sync one gives."""
    assert (await model.ainvoke("hello")).content == "hel"


def test_it_answers_batches(model: EchoChatModel) -> None:
    """A batch has an answer for each input, in order."""
    assert [answer.content for answer in model.batch(["hello", "goodbye"])] == ["hel", "goo"]


async def test_it_answers_batches_async(model: EchoChatModel) -> None:
    """So does an async batch."""
    answers = await model.abatch(["hello", "goodbye"])
    assert [answer.content for answer in answers] == ["hel", "goo"]


def _check_cat(chunks: list[AIMessageChunk]) -> None:
    assert "".join(f"{chunk.content}|" for chunk in chunks) == "c|a|t||"
    *texts, last = chunks
    assert all(not chunk.response_metadata for chunk in texts)
    assert last.response_metadata["model_name"] == "my_custom_model"
    assert last.response_metadata["time_in_seconds"] > 0
    assert last.chunk_position == "last"


def test_it_streams_characters_and_then_metadata(model: EchoChatModel) -> None:
    """A stream is a chunk for each character, and an empty one with the metadata."""
    _check_cat(list(model.stream("cat")))


async def test_it_streams_natively_async(model: EchoChatModel) -> None:
    """So is an async stream."""
    _check_cat([chunk async for chunk in model.astream("cat")])


async def test_its_events_share_one_run(model: EchoChatModel) -> None:
    """Start, four streams and end come with one run id, name, tags and metadata."""
    config: Any = {"tags": ["pet"], "metadata": {"cats": 1}}
    events: list[Any] = [event async for event in model.astream_events("cat", config)]
    assert [event["event"] for event in events] == [
        "on_chat_model_start",
        *["on_chat_model_stream"] * 4,
        "on_chat_model_end",
    ]
    assert events[0]["data"] == {"input": "cat"}
    assert [event["data"]["chunk"].content for event in events[1:-1]] == ["c", "a", "t", ""]
    assert events[-1]["data"]["output"].content == "cat"
    assert {event["name"] for event in events} == {"EchoChatModel"}
    assert {event["run_id"] for event in events} == {events[0]["run_id"]}
    assert all(event["tags"] == ["pet"] for event in events)
    assert all(event["metadata"] == events[0]["metadata"] for event in events)
    assert events[0]["metadata"]["cats"] == 1


def test_its_time_is_measured(model: EchoChatModel) -> None:
    """The time taken is that of this answer: longer with a consumer that takes its time."""
    started = time.perf_counter()
    stream = model.stream("cat")
    next(stream)
    time.sleep(0.02)
    last = list(stream)[-1]
    elapsed = time.perf_counter() - started
    assert 0.02 <= last.response_metadata["time_in_seconds"] <= elapsed


def test_it_identifies_itself(model: EchoChatModel) -> None:
    """Tracing learns the model's name and its parameter."""
    assert model._identifying_params == {"model_name": "my_custom_model", "n": 3}


def test_it_counts_a_character_as_a_token(model: EchoChatModel) -> None:
    """Usage is exact, in the unit in which this model streams."""
    answer = model.invoke([SystemMessage("be brief"), HumanMessage("Meow!")])
    assert answer.usage_metadata == {"input_tokens": 13, "output_tokens": 3, "total_tokens": 16}
    assert "usage_is_estimated" not in answer.response_metadata


def test_without_n_it_echoes_everything() -> None:
    """No limit means the whole message."""
    assert EchoChatModel().invoke("Meow!").content == "Meow!"


@pytest.mark.parametrize("text", ["", "👩\u200d👧", "\ud800", "a\x00b"])
def test_it_echoes_any_text(text: str) -> None:
    """An empty text is echoed as an empty answer, and odd ones as they are."""
    assert EchoChatModel(n=5).invoke([HumanMessage(text)]).content == text[:5]


def test_an_empty_prompt_streams_only_the_metadata(model: EchoChatModel) -> None:
    """A stream of nothing is the one chunk that says so."""
    (only,) = model.stream("")
    assert only.content == ""
    assert only.response_metadata["finish_reason"] == "stop"


def test_n_of_zero_is_an_empty_answer() -> None:
    """Zero characters are allowed."""
    assert EchoChatModel(n=0).invoke("cat").content == ""


def test_a_negative_n_is_refused_by_name() -> None:
    """A negative number of characters is an error that names it, on construction and on a call."""
    with pytest.raises(ValidationError, match=r"(?s)n\n.*greater than or equal to 0.*-1"):
        EchoChatModel(n=-1)
    with pytest.raises(BadRequestError, match="-1 is not a valid n"):
        EchoChatModel().invoke("cat", n=-1)


def test_a_call_may_change_n(model: EchoChatModel) -> None:
    """A parameter given with the call holds for that call only."""
    assert model.invoke("hello", n=1).content == "h"
    assert model.bind(n=2).invoke("hello").content == "he"
    assert model.invoke("hello").content == "hel"


def test_an_unknown_argument_is_refused_by_name() -> None:
    """A misspelt argument is an error that says what may have been meant."""
    with pytest.raises(BadRequestError, match="no parameter 'model_nam'; did you mean"):
        EchoChatModel(model_nam="x")


def test_the_text_of_mixed_content_is_echoed(model: EchoChatModel) -> None:
    """Of a message with text and an image, the text is echoed."""
    image = {"type": "image", "url": "https://example.com/cat.png"}
    assert model.invoke([HumanMessage([image, {"type": "text", "text": "look"}])]).content == "loo"


def test_a_message_without_text_is_refused(model: EchoChatModel) -> None:
    """A last message that has content but no text is an error that says what it has."""
    image = {"type": "image", "url": "https://example.com/cat.png"}
    with pytest.raises(BadRequestError, match="no text to echo, only image"):
        model.invoke([HumanMessage([image])])


def test_no_message_is_refused(model: EchoChatModel) -> None:
    """Without any message there is nothing to echo."""
    with pytest.raises(BadRequestError, match="no message"):
        model.invoke([])


def test_it_takes_no_tools(model: EchoChatModel) -> None:
    """The echo model does not pretend that it could call tools."""
    with pytest.raises(UnsupportedError, match="EchoChatModel"):
        model.invoke("hi", tools=[{"type": "function", "function": {"name": "f"}}])
    with pytest.raises(NotImplementedError):
        model.bind_tools([])
