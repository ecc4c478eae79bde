"""A real server, llama.cpp's own with SmolLM2, answers over HTTP."""

from __future__ import annotations

import asyncio
import time
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

import pytest
from langchain_core.tools import tool
from pydantic import BaseModel, Field

from nodespan.model import (
    AuthenticationError,
    BadRequestError,
    ContextTooLongError,
    ModelNotFoundError,
    OpenAICompatibleChatModel,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def model(smollm2_server: str) -> Iterator[OpenAICompatibleChatModel]:
    """A model behind the server, that answers the same question in the same way."""
    with OpenAICompatibleChatModel(
        base_url=smollm2_server,
        model_name="smollm2",
        api_key="open-sesame",
        temperature=0,
        seed=1,
        max_tokens=12,
    ) as model:
        yield model


def test_it_answers_with_usage_and_metadata(model: OpenAICompatibleChatModel) -> None:
    """An answer has text, the server's own count of tokens, its name for the model, a reason."""
    answer = model.invoke("Hello")
    assert answer.text
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["output_tokens"] == 12
    assert answer.usage_metadata["input_tokens"] > 10
    assert answer.response_metadata["finish_reason"] == "length"
    assert answer.response_metadata["model_name"] == "smollm2"
    assert answer.response_metadata["id"].startswith("chatcmpl-")
    assert "usage_is_estimated" not in answer.response_metadata


def test_it_streams_token_by_token(model: OpenAICompatibleChatModel) -> None:
    """Each token is a chunk, and it is there long before the last one."""
    started = time.perf_counter()
    times = [time.perf_counter() - started for piece in model.stream("Hello") if piece.content]
    assert len(times) == 12
    assert times[0] < times[-1] / 2


async def test_async_streams_run_beside_each_other(model: OpenAICompatibleChatModel) -> None:
    """More of them than the server has room for, on one event loop that goes on ticking."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1

    ticker = asyncio.create_task(tick())
    answers = await asyncio.gather(*(model.ainvoke("Hello") for _ in range(4)))
    ticker.cancel()
    assert all(answer.usage_metadata["output_tokens"] == 12 for answer in answers)
    assert ticks > 20


def test_sync_equals_async(model: OpenAICompatibleChatModel) -> None:
    """At temperature 0 the same text comes back, on every event loop."""

    async def both() -> list[str]:
        streamed = "".join([piece.text async for piece in model.astream("Hello")])
        return [str((await model.ainvoke("Hello")).text), streamed]

    expected = str(model.invoke("Hello").text)
    assert "".join(piece.text for piece in model.stream("Hello")) == expected
    assert asyncio.run(both()) == [expected] * 2
    assert asyncio.run(both()) == [expected] * 2


def test_a_stop_string_ends_the_answer(model: OpenAICompatibleChatModel) -> None:
    """The server stops there; it is part of the answer where the server is asked to say so."""
    whole = model.invoke("Hello").text
    stop = whole[3:6]
    before = whole[: whole.index(stop)]
    assert model.invoke("Hello", stop=[stop]).text == before
    told = model.bind(stop=[stop], extra_body={"verbose": True})
    assert told.invoke("Hello").text == before + stop
    assert "".join(str(chunk.text) for chunk in told.stream("Hello")) == before + stop
    assert told.invoke("Hello", include_stop=False).text == before


async def test_leaving_frees_the_server(model: OpenAICompatibleChatModel) -> None:
    """Consumers that leave long answers, or are cancelled, make room for the next one."""
    endless = model.bind(max_tokens=3000)
    for _ in range(2):
        async for _ in endless.astream("Tell me a long story"):
            break
        task = asyncio.create_task(endless.ainvoke("Tell me a long story"))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(10):
        assert (await model.ainvoke("Hello")).text


def test_structured_output_is_held_to_its_schema(model: OpenAICompatibleChatModel) -> None:
    """A small model cannot help but answer in the schema."""

    class Cat(BaseModel):
        name: str = Field(max_length=12)
        age: int = Field(ge=0, le=30)

    asked = model.model_copy(update={"max_tokens": 60}).with_structured_output(Cat)
    assert isinstance(asked.invoke("Make up a cat."), Cat)


def test_a_wrong_key_says_so(model: OpenAICompatibleChatModel) -> None:
    """The server's refusal is told, and not the key."""
    with pytest.raises(AuthenticationError, match=r"401: Invalid API Key.*api_key") as caught:
        model.invoke("Hello", api_key="another-one")
    assert caught.value.status == 401
    assert "another-one" not in str(caught.value)


def test_a_conversation_that_is_too_long_says_so(model: OpenAICompatibleChatModel) -> None:
    """The error tells how long the conversation is, and how long it may be."""
    with pytest.raises(ContextTooLongError, match="shorten it") as caught:
        model.invoke("hi " * 9000)
    assert caught.value.prompt_tokens is not None
    assert caught.value.prompt_tokens > 9000
    assert caught.value.context_tokens is not None
    assert caught.value.status == 400


def test_a_bad_request_says_so(model: OpenAICompatibleChatModel) -> None:
    """The server's own words are in the message."""
    with pytest.raises(BadRequestError, match="400: ") as caught:
        model.invoke("Hello", extra_body={"response_format": {"type": "no such type"}})
    assert type(caught.value) is BadRequestError
    assert "no such type" in str(caught.value)


def test_a_wrong_address_says_so(model: OpenAICompatibleChatModel, smollm2_server: str) -> None:
    """A path with nothing behind it is told from a model that is not there by the hint."""
    with pytest.raises(ModelNotFoundError, match="base_url"):
        model.invoke("Hello", base_url=f"{smollm2_server}/nowhere")


def test_an_answer_that_is_cut_off_calls_nothing(model: OpenAICompatibleChatModel) -> None:
    """A real server that reaches the limit in the middle of a call has called nothing."""

    @tool
    def save_text(text: str) -> str:
        """Save a long text."""
        return text

    asked = model.bind_tools(
        [save_text], tool_choice="any", tool_calling="json_schema", max_tokens=14
    )
    for answer in (
        asked.invoke("Save a long poem."),
        reduce(add, asked.stream("Save a long poem.")),
        asked.invoke("Save a long poem.", streaming=False),
    ):
        assert answer.response_metadata["finish_reason"] == "length"
        assert answer.tool_calls == []
        assert [call["name"] for call in answer.invalid_tool_calls] == ["save_text"]


def test_without_streaming_a_real_server_answers_whole(model: OpenAICompatibleChatModel) -> None:
    """The answer is the same, in one piece."""
    (only,) = model.stream("Hello", streaming=False)
    streamed = model.invoke("Hello")
    assert only.text == streamed.text
    assert only.usage_metadata is not None
    assert streamed.usage_metadata is not None
    assert only.usage_metadata["total_tokens"] == streamed.usage_metadata["total_tokens"]
