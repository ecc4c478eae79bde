"""The scripted model gives exactly the answers that a test has written for it."""

from __future__ import annotations

import asyncio
import pickle
import time
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.tools import tool
from pydantic import BaseModel, ValidationError

from nodespan.model import Pause, ScriptedCall, ScriptedChatModel, ScriptEndedError

_CALL: Any = {"name": "get_weather", "args": {"city": "Rome"}, "id": "1", "type": "tool_call"}


@tool
def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"sunny in {city}"


def _texts(model: ScriptedChatModel, text: str = "?") -> list[str]:
    return [str(chunk.text) for chunk in model.stream(text)]


def test_each_call_gets_the_next_answer() -> None:
    """Answers come in order, one for each call, sync or async."""
    model = ScriptedChatModel(["one", "two"])
    assert model.invoke("?").content == "one"
    assert asyncio.run(model.ainvoke("?")).content == "two"


def test_a_text_is_no_script() -> None:
    """One text in place of a list of them would be answers of a letter each: it is refused."""
    with pytest.raises(TypeError, match="answers is the text 'Meow'; give a list of answers"):
        ScriptedChatModel("Meow")


def test_a_script_ends() -> None:
    """A call too many is an error that counts, not the last answer once more."""
    model = ScriptedChatModel(["one"])
    model.invoke("?")
    with pytest.raises(ScriptEndedError, match="has 1 answers and this is call 2"):
        model.invoke("?")


def test_a_script_may_repeat() -> None:
    """With repeat=True it begins again."""
    model = ScriptedChatModel(["one", "two"], repeat=True)
    assert [model.invoke("?").content for _ in range(5)] == ["one", "two", "one", "two", "one"]


def test_a_text_is_streamed_word_by_word() -> None:
    """Without more said, each word is a chunk, and no space is lost."""
    text = "It is  sunny\nin Rome. "
    chunks = _texts(ScriptedChatModel([text]))
    assert "".join(chunks) == text
    assert len(chunks) == 7


def test_the_size_of_chunks_can_be_given() -> None:
    """chunk_size counts characters."""
    assert _texts(ScriptedChatModel(["abcde"], chunk_size=2)) == ["ab", "cd", "e", ""]


def test_a_list_is_its_own_chunking() -> None:
    """The steps of a list are the chunks of the stream."""
    model = ScriptedChatModel([["a", "bcd", AIMessageChunk("e")]])
    assert _texts(model) == ["a", "bcd", "e", ""]


async def test_a_pause_delays_what_follows() -> None:
    """A pause holds the stream up where it stands, without blocking the event loop."""
    model = ScriptedChatModel([["a", Pause(0.05), "b"]] * 2)
    for _ in range(2):
        times = {}
        started = time.perf_counter()
        async for chunk in model.astream("?"):
            times[chunk.content] = time.perf_counter() - started
        assert times["b"] - times["a"] >= 0.05


def test_a_delay_holds_for_every_chunk() -> None:
    """The delay is waited before each chunk."""
    started = time.perf_counter()
    ScriptedChatModel(["a b c"], delay=0.02).invoke("?")
    assert time.perf_counter() - started >= 0.06


def test_a_failure_is_raised_as_it_is() -> None:
    """An exception in a script comes out of the model, the very same object."""
    failure = ConnectionError("gone")
    with pytest.raises(ConnectionError) as caught:
        ScriptedChatModel([failure]).invoke("?")
    assert caught.value is failure


def test_a_failure_may_come_in_mid_stream() -> None:
    """What stands before it in the script has been streamed by then."""
    stream = ScriptedChatModel([["Hel", "lo", ConnectionError("gone")]]).stream("?")
    assert next(stream).content == "Hel"
    assert next(stream).content == "lo"
    with pytest.raises(ConnectionError, match="gone"):
        next(stream)


def test_tool_calls_are_replayed() -> None:
    """A message's tool calls come out whole, and in chunks when streamed."""
    script = AIMessage("Let me see.", tool_calls=[_CALL])
    model = ScriptedChatModel([script, script]).bind_tools([get_weather])
    answer = model.invoke("weather?")
    assert (answer.content, answer.tool_calls) == ("Let me see.", [_CALL])
    assert answer.response_metadata["finish_reason"] == "tool_calls"
    chunks = list(model.stream("weather?"))
    total = chunks[0]
    for chunk in chunks[1:]:
        total = total + chunk
    assert total.tool_calls == [_CALL]
    assert sum(bool(chunk.tool_call_chunks) for chunk in chunks) > 1


def test_invalid_tool_calls_are_replayed() -> None:
    """They come out as they are, beside those that are valid; nothing is made of their arguments.

    LangChain itself reads the arguments anew when it adds the chunks of a stream up.
    """
    invalid: Any = {
        "type": "invalid_tool_call",
        "name": "get_weather",
        "args": '{"city": "Ro',
        "id": "2",
        "error": "cut",
    }
    script = AIMessage("Hm.", tool_calls=[_CALL], invalid_tool_calls=[invalid])
    model = ScriptedChatModel([script] * 3)
    for answer in (model.invoke("?"), asyncio.run(model.ainvoke("?"))):
        assert answer.tool_calls == [_CALL]
        assert answer.invalid_tool_calls == [invalid]
    assert [c.invalid_tool_calls for c in model.stream("?")][-2:] == [[invalid], []]


def test_an_id_and_a_name_are_replayed() -> None:
    """Each chunk has them, and the whole answer."""
    script = AIMessage("It is", id="msg_1", name="bob")
    model = ScriptedChatModel([script, script])
    assert {(chunk.id, chunk.name) for chunk in model.stream("?")} == {("msg_1", "bob")}
    answer = model.invoke("?")
    assert (answer.content, answer.id, answer.name) == ("It is", "msg_1", "bob")


def test_usage_and_metadata_are_replayed() -> None:
    """What a message says of itself is what the answer says."""
    usage: Any = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
    metadata = {"model_name": "gpt-9", "finish_reason": "length", "system_fingerprint": "f"}
    script = AIMessage("hi", usage_metadata=usage, response_metadata=metadata)
    answer = ScriptedChatModel([script]).invoke("?")
    assert answer.usage_metadata == usage
    assert metadata.items() <= answer.response_metadata.items()


def test_content_blocks_are_replayed() -> None:
    """Reasoning comes out as the block that it is."""
    blocks: Any = [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "hi"}]
    answer = ScriptedChatModel([AIMessage(blocks)]).invoke("?")
    assert [block["type"] for block in answer.content_blocks] == ["reasoning", "text"]


def test_a_function_answers_what_is_asked() -> None:
    """A function sees the conversation, so that calls may come in any order."""
    model = ScriptedChatModel(lambda call: f"You said {call.messages[-1].text}")
    answers = model.batch(["a", "b", "c"])
    assert [answer.content for answer in answers] == ["You said a", "You said b", "You said c"]


def test_calls_are_remembered() -> None:
    """A test can look at what its program asked, tools and all."""
    model = ScriptedChatModel(["a", "b"])
    model.invoke("first")
    model.bind_tools([get_weather], tool_choice="any").invoke("second")
    first, second = model.calls
    assert first == ScriptedCall(messages=[HumanMessage("first")])
    assert second.tools[0]["function"]["name"] == "get_weather"
    assert second.tool_choice == "required"


def test_structured_output_reads_the_script() -> None:
    """An answer in JSON is parsed into the class that was asked for."""

    class Weather(BaseModel):
        """The weather."""

        sky: str

    model = ScriptedChatModel(['{"sky": "blue"}']).with_structured_output(Weather)
    assert model.invoke("?") == Weather(sky="blue")


def test_the_script_is_not_in_what_identifies_the_model() -> None:
    """What an answer says is in no representation and no identifying parameter."""
    model = ScriptedChatModel(["a secret plan"])
    assert "plan" not in repr(model)
    assert "plan" not in str(model._identifying_params)
    assert "plan" not in str(model._serialized)


def test_a_pickled_model_begins_its_script_again() -> None:
    """A copy in another process has the whole script before it."""
    model = ScriptedChatModel(["one", "two"])
    model.invoke("?")
    assert pickle.loads(pickle.dumps(model)).invoke("?").content == "one"  # noqa: S301


@pytest.mark.parametrize("bad", [{"chunk_size": 0}, {"delay": -1}])
def test_a_parameter_out_of_range_is_refused(bad: dict[str, int]) -> None:
    """No chunk without a character, no time before now."""
    with pytest.raises(ValidationError, match=next(iter(bad))):
        ScriptedChatModel(["a"], **bad)
