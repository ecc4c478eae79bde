"""What chunks have told is the same, however it was kept: as text, or chunk by chunk."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk

from nodespan.telemetry._stream.counter import ChunkCounter
from nodespan.telemetry._stream.text import StreamText

TEXT = st.text(st.characters(codec="utf-8"), max_size=5)
KINDS = st.one_of(
    TEXT.map(lambda text: {"content": text}),
    TEXT.map(lambda text: {"content": [{"type": "text", "text": text, "index": 0}]}),
    TEXT.map(lambda text: {"content": text, "additional_kwargs": {"reasoning_content": text}}),
    TEXT.map(
        lambda text: {
            "content": "",
            "tool_call_chunks": [tool_call_chunk(name=None, args=text, id=None, index=0)],
        }
    ),
    TEXT.map(lambda text: {"content": text, "response_metadata": {"model_name": "m"}}),
    TEXT.map(
        lambda text: {
            "content": text,
            "usage_metadata": {"input_tokens": 0, "output_tokens": 1, "total_tokens": 1},
        }
    ),
)


@given(st.lists(KINDS, min_size=1, max_size=12), st.sampled_from([1, 2, 30]))
def test_what_was_said_is_what_the_chunks_add_up_to(kinds: list[Any], copies: int) -> None:
    """Texts, blocks, calls of tools and reasoning, in any order, long streams too."""
    messages = [AIMessageChunk(id="run-1", **kind) for kind in kinds * copies]
    counter = ChunkCounter(0, lambda: None, text=StreamText(100_000))
    for message in messages:
        counter.token(message.content, ChatGenerationChunk(message=message))
    expected = reduce(add, messages)
    answer = counter.answer()
    if answer is None:
        assert not any((expected.content, expected.tool_call_chunks, expected.additional_kwargs))
        return
    said = answer.generations[0][0].message  # type: ignore[union-attr]  # a chat model's
    assert said.text == expected.text
    if not isinstance(expected.content, str) or expected.content:
        assert said.content == expected.content
    assert said.additional_kwargs == expected.additional_kwargs
    assert said.tool_call_chunks == expected.tool_call_chunks
    assert said.usage_metadata == expected.usage_metadata


def test_the_application_s_chunks_stay_what_they_are() -> None:
    """The first too, whose blocks a sum of chunks changes in some releases of LangChain."""
    blocks = [{"type": "text", "text": "a", "index": 0}]
    messages = [AIMessageChunk(id="run-1", content=content) for content in (blocks, "b")]
    counter = ChunkCounter(0, lambda: None, text=StreamText(100))
    for message in messages:
        counter.token(message.content, ChatGenerationChunk(message=message))
    assert counter.answer() is not None
    assert [message.content for message in messages] == [blocks, "b"]
