"""A real model, SmolLM2, answers through llama.cpp in this process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from pydantic import ValidationError

from nodespan.model import (
    ContextTooLongError,
    LlamaCppChatModel,
    MissingExtraError,
    ModelClosedError,
    ModelFileError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def model(smollm2: Path) -> Iterator[LlamaCppChatModel]:
    """Load SmolLM2 once for all tests of this module."""
    with LlamaCppChatModel(model_path=smollm2, temperature=0, seed=1, max_tokens=6) as model:
        yield model


def _generations() -> int:
    return sum(thread.name == "nodespan-llama" for thread in threading.enumerate())


def _wait_until_idle(seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while _generations():
        assert time.monotonic() < deadline, "llama.cpp is still generating"
        time.sleep(0.01)


def test_it_answers_with_usage_and_metadata(model: LlamaCppChatModel) -> None:
    """An answer has text, exact usage, the file's name as the model's, and its reason to end."""
    answer = model.invoke("Hello")
    assert answer.text
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["output_tokens"] == 6
    assert answer.usage_metadata["input_tokens"] > 10
    assert answer.response_metadata["finish_reason"] == "length"
    assert answer.response_metadata["model_name"] == "SmolLM2-135M-Instruct.Q4_1"
    assert "usage_is_estimated" not in answer.response_metadata


def test_it_streams_token_by_token(model: LlamaCppChatModel) -> None:
    """Each token is a chunk, and the first is there while the others are still to come."""
    stream = model.stream("Hello", max_tokens=64)
    first = next(stream)
    assert _generations() == 1
    assert sum(bool(chunk.content) for chunk in (first, *stream)) > 10


async def test_it_does_not_block_the_event_loop(model: LlamaCppChatModel) -> None:
    """While it streams, loads or answers, other tasks run."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1

    ticker = asyncio.create_task(tick())
    chunks = [chunk async for chunk in model.astream("Hello", max_tokens=16)]
    ticker.cancel()
    assert len(chunks) == 17
    assert ticks > 5


@pytest.mark.end_to_end  # four answers of a real model
async def test_sync_equals_async(model: LlamaCppChatModel) -> None:
    """At temperature 0 the same text comes back, whichever way it is asked for."""
    expected = model.invoke("Hello").text
    assert "".join(chunk.text for chunk in model.stream("Hello")) == expected
    assert (await model.ainvoke("Hello")).text == expected
    assert "".join([chunk.text async for chunk in model.astream("Hello")]) == expected


@pytest.mark.end_to_end  # six answers of a real model
async def test_several_calls_at_once(model: LlamaCppChatModel) -> None:
    """More calls than the model has room for are all answered."""
    answers = await model.abatch(["Hello"] * 6)
    assert all(answer.usage_metadata["output_tokens"] == 6 for answer in answers)


def test_a_stop_string_ends_the_answer_and_its_generation(model: LlamaCppChatModel) -> None:
    """The stop string is part of the answer, usage is still exact, and llama.cpp stops."""
    whole = model.invoke("Hello").text
    stop = whole[3:6]
    answer = model.invoke("Hello", stop=[stop])
    assert answer.text == whole[: whole.index(stop) + 3]
    assert answer.response_metadata["finish_reason"] == "stop"
    assert 0 < answer.usage_metadata["output_tokens"] < 6
    _wait_until_idle()


def test_a_consumer_that_leaves_cancels(model: LlamaCppChatModel) -> None:
    """Breaking out of a stream ends the generation soon."""
    for _ in model.stream("Tell me a long story", max_tokens=2000):
        break
    _wait_until_idle()


async def test_an_async_consumer_that_leaves_cancels(model: LlamaCppChatModel) -> None:
    """So does leaving an async stream, and cancelling a call."""
    async for _ in model.astream("Tell me a long story", max_tokens=2000):
        break
    task = asyncio.create_task(model.ainvoke("Tell me a long story", max_tokens=2000))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(_wait_until_idle)


def test_a_call_may_change_the_parameters(model: LlamaCppChatModel) -> None:
    """A parameter given with the call holds for that call only."""
    assert model.invoke("Hello", max_tokens=3).usage_metadata["output_tokens"] == 3
    assert model.invoke("Hello").usage_metadata["output_tokens"] == 6


@pytest.mark.end_to_end  # four answers of a real model
def test_a_seed_makes_answers_repeatable(model: LlamaCppChatModel) -> None:
    """The same seed gives the same answer, other seeds give others."""
    texts = [model.invoke("Hi", temperature=1.5, seed=seed).text for seed in (7, 8, 7, 9)]
    assert texts[0] == texts[2]
    assert len(set(texts)) > 1


def test_it_reads_system_and_earlier_messages(model: LlamaCppChatModel) -> None:
    """All messages of the conversation are sent, in the model's own template."""
    system, *talk = [SystemMessage("You are a cat."), HumanMessage("Hi"), AIMessage("Meow")]
    last = HumanMessage("?")
    sent = model.invoke([system, *talk, last]).usage_metadata["input_tokens"]
    assert sent > model.invoke([system, last]).usage_metadata["input_tokens"]


def test_it_counts_tokens_as_it_reads_them(model: LlamaCppChatModel) -> None:
    """A conversation is counted, with and without tools, as usage counts it afterwards."""
    messages = [SystemMessage("You are a cat."), HumanMessage("Hi")]
    definition = {"name": "purr", "description": "Purr.", "parameters": {"type": "object"}}
    for tools in ([], [{"type": "function", "function": definition}]):
        answer = model.invoke(messages, tools=tools, tool_choice="any" if tools else None)
        counted = model.get_num_tokens_from_messages(messages, tools)
        # A choice takes no words of its own, but the offer to answer with a text does.
        assert answer.usage_metadata["input_tokens"] <= counted
        if not tools:
            assert answer.usage_metadata["input_tokens"] == counted
    assert model.get_num_tokens("Hi there") == 2


def test_models_share_what_is_loaded(model: LlamaCppChatModel, smollm2: Path) -> None:
    """A second model with the same file and settings answers without loading it again."""
    second = LlamaCppChatModel(model_path=smollm2, max_tokens=1)
    assert second._backend.server(second._settings) is model._backend.server(model._settings)


def test_a_conversation_that_is_too_long_says_so(model: LlamaCppChatModel) -> None:
    """The error tells how long the conversation is, and how long it may be."""
    with pytest.raises(ContextTooLongError, match="n_ctx") as caught:
        model.invoke("hi " * 5000)
    assert caught.value.prompt_tokens is not None
    assert caught.value.prompt_tokens > 5000
    assert caught.value.context_tokens == 4096


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    """The error names the path and comes when the model is made."""
    with pytest.raises(ModelFileError, match=r"nowhere\.gguf.*No such file"):
        LlamaCppChatModel(model_path=tmp_path / "nowhere.gguf")


def test_a_file_that_is_no_model_says_so(tmp_path: Path) -> None:
    """So does the one for a file of another format."""
    path = tmp_path / "notes.gguf"
    path.write_text("not a model")
    with pytest.raises(ModelFileError, match="not a GGUF file"):
        LlamaCppChatModel(model_path=path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    """Nobody may ever write into it."""
    pipe = tmp_path / "model.gguf"
    os.mkfifo(pipe)
    with pytest.raises(ModelFileError, match="it is no file"):
        LlamaCppChatModel(model_path=pipe)


def test_a_broken_model_says_so(tmp_path: Path, smollm2: Path) -> None:
    """A file that ends early fails on the first call, as it can only be told by loading it."""
    path = tmp_path / "half.gguf"
    path.write_bytes(smollm2.read_bytes()[:1_000_000])
    with pytest.raises(ModelFileError, match="cannot load"):
        LlamaCppChatModel(model_path=path).invoke("Hello")


def test_an_image_is_refused(model: LlamaCppChatModel) -> None:
    """A message with more than text is refused, and the error says which and what."""
    image = {"type": "image", "url": "https://example.com/cat.png"}
    with pytest.raises(UnsupportedError, match="message 2 has image"):
        model.invoke([HumanMessage("look"), HumanMessage([image])])


@pytest.mark.parametrize(
    "bad", [{"n_ctx": 0}, {"top_p": 0}, {"max_tokens": 0}, {"temperature": -1}]
)
def test_a_parameter_out_of_range_is_refused(smollm2: Path, bad: dict[str, int]) -> None:
    """A value out of range is refused when the model is made."""
    with pytest.raises(ValidationError, match=next(iter(bad))):
        LlamaCppChatModel(model_path=smollm2, **bad)


def test_a_closed_model_says_so(smollm2: Path) -> None:
    """A closed model refuses calls, and closing it twice is closing it once."""
    model = LlamaCppChatModel(model_path=smollm2)
    model.close()
    model.close()
    with pytest.raises(ModelClosedError, match="closed"):
        model.invoke("Hello")


def test_closing_ends_the_calls_under_way(model: LlamaCppChatModel, smollm2: Path) -> None:
    """A stream that is under way when its model is closed fails, and others go on."""
    closing = LlamaCppChatModel(model_path=smollm2)
    stream = closing.stream("Tell me a long story", max_tokens=2000)
    next(stream)
    closing.close()
    assert _generations() == 0
    with pytest.raises(ModelClosedError, match="during the call"):
        list(stream)
    assert model.invoke("Hello").text


def test_without_the_extra_the_error_says_how_to_get_it(
    smollm2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where xllamacpp is not installed, the error names the extra."""
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'nodespan\[local\]'"):
        LlamaCppChatModel(model_path=smollm2)


_LEAVES_A_STREAM_OPEN = """
import sys
from nodespan.model import LlamaCppChatModel
stream = LlamaCppChatModel(model_path=sys.argv[1]).stream("Tell me a long story", max_tokens=2000)
print(next(stream).content)
"""


@pytest.mark.end_to_end  # a process that loads a real model
def test_the_interpreter_exits_cleanly_in_mid_stream(smollm2: Path) -> None:
    """A program that ends while an answer is generated ends at once, and without a word."""
    command = [sys.executable, "-c", _LEAVES_A_STREAM_OPEN, str(smollm2)]
    result = subprocess.run(command, capture_output=True, timeout=30, check=False, text=True)
    assert (result.returncode, result.stderr) == (0, "")


_ANSWERS_IN_A_FORK = """
import os, sys
from nodespan.model import LlamaCppChatModel
model = LlamaCppChatModel(model_path=sys.argv[1], temperature=0, max_tokens=4)
stream = model.stream("Tell me a long story", max_tokens=2000)
next(stream)
child = os.fork()
text = model.invoke("Hello").text
status = os.waitpid(child, 0)[1] if child else 0
print(text, flush=True)  # not both at once: a line may be written in two parts
if child == 0:
    os._exit(0)
sys.exit(status)
"""


@pytest.mark.end_to_end  # a process that loads a real model twice
@pytest.mark.skipif(sys.platform != "linux", reason="macOS and Windows do not fork safely at all")
def test_a_forked_child_answers_too(smollm2: Path) -> None:
    """A child of a fork, made in mid-stream, answers as its parent does."""
    command = [sys.executable, "-W", "ignore", "-c", _ANSWERS_IN_A_FORK, str(smollm2)]
    result = subprocess.run(command, capture_output=True, timeout=60, check=True, text=True)
    first, second = result.stdout.splitlines()
    assert first == second
