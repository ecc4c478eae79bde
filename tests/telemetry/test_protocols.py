"""A model's stream gives the same numbers by both of LangChain's protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from nodespan.telemetry.testing import capture_spans
from support.strangers import AEVENTS_V3, ASTREAM, EVENTS_V3, STREAM

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from support.strangers import Call


class Piecemeal(BaseChatModel):
    """Gives chunks as they are, and a last one of metadata."""

    chunks: list[Any]

    @property
    def _llm_type(self) -> str:
        return "piecemeal"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        for chunk in self.chunks:
            message = AIMessageChunk(chunk) if isinstance(chunk, str) else chunk
            yield ChatGenerationChunk(message=message)
        last = AIMessageChunk("", response_metadata={"finish_reason": "stop"})
        yield ChatGenerationChunk(message=last)

    async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream():
            yield chunk


def says(*blocks: str | dict[str, Any]) -> AIMessageChunk:
    """Return a chunk with these content blocks."""
    return AIMessageChunk(content=list(blocks))


def calls(*chunks: Mapping[str, Any], text: str = "") -> AIMessageChunk:
    """Return a chunk with these pieces of tool calls, and a text."""
    return AIMessageChunk(text, tool_call_chunks=[tool_call_chunk(**told) for told in chunks])


def text(told: str, index: int = 0, **more: Any) -> dict[str, Any]:
    """Return a block of text."""
    return {"type": "text", "text": told, "index": index, **more}


def thought(told: str, index: int = 0) -> dict[str, Any]:
    """Return a block of reasoning."""
    return {"type": "reasoning", "reasoning": told, "index": index}


# LangChain says so of each of its v3 streams.
pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")

FIRST = {"name": "search", "args": "", "id": "1", "index": 0}
WHOLE = {"name": "search", "args": "{}", "id": "1", "index": 0}
SECOND = {"name": "count", "args": "{}", "id": "2", "index": 1}
CITED = [{"type": "citation", "url": "https://acme.dev"}]

# What a model's chunks are, and how many of them carry a piece of its answer.
STREAMS: Mapping[str, tuple[Sequence[str | AIMessageChunk], int]] = {
    "text": (["a", "b", "c"], 3),
    "an empty text first": (["", "a", "b"], 2),
    "blocks of text": ([says(text("a")), says(text("b"))], 2),
    "an empty block of text first": ([says(text("")), says(text("a"))], 1),
    "a citation": ([says(text("a")), says(text("", annotations=CITED))], 1),
    "a call, its name first": ([calls(FIRST), calls({"args": "{}", "index": 0})], 2),
    "a call in one chunk": ([calls(WHOLE)], 1),
    "two calls in one chunk": ([calls(WHOLE, SECOND)], 1),
    "calls one after the other": ([calls(WHOLE), calls(SECOND)], 2),
    "text and a call in one chunk": (["a", calls(WHOLE, text="b"), "c"], 3),
    "reasoning": ([says(thought("a")), says(thought("b")), says(text("c", 1))], 3),
    "no reasoning after all": ([says(thought("")), says(text("a", 1))], 1),
    "reasoning and text in one chunk": ([says(thought("a"), text("b", 1)), says(text("c", 1))], 2),
    "the text begins in the last chunk of reasoning": (
        [says(thought("a")), says(thought("b"), text("c", 1)), says(text("d", 1))],
        3,
    ),
    "an image": ([says({"type": "image", "url": "https://acme.dev/1.png", "index": 0})], 1),
    "a provider's own blocks": ([says({"type": "drawing", "lines": 3, "index": 0})], 1),
}


def chunks_told(call: Call, stream: Sequence[str | AIMessageChunk], **settings: Any) -> Any:
    """Stream a model, and return its span's windows, and how many chunks the span counts."""
    with capture_spans(**settings) as traced:
        call.run(Piecemeal(chunks=list(stream)), "hi", {"callbacks": [traced.handler]})
    (span,) = traced.spans
    windows = [e.attributes for e in span.events if e.name == "on_chat_model_stream"]
    return windows, span.attributes["nodespan.stream.chunks"]


@pytest.mark.parametrize("call", [STREAM, ASTREAM, EVENTS_V3, AEVENTS_V3], ids=str)
@pytest.mark.parametrize("name", STREAMS)
def test_a_chunk_counts_once(name: str, call: Call) -> None:
    """Whatever it carries, in however many events it is told; metadata alone do not count."""
    stream, expected = STREAMS[name]
    windows, counted = chunks_told(call, stream)
    assert counted == expected
    assert sum(window["nodespan.stream.window.chunks"] for window in windows) == expected


@pytest.mark.parametrize("call", [STREAM, ASTREAM, EVENTS_V3, AEVENTS_V3], ids=str)
def test_a_window_says_what_its_chunk_said(call: Call) -> None:
    """All of it, also where the chunk is told in several events."""
    stream = ["a", calls(WHOLE, text="b"), says(text("c", 2), text("d", 3)), "e"]
    windows, _ = chunks_told(call, stream, capture_content="SPAN_ONLY")
    assert [window["nodespan.stream.window.text"] for window in windows] == ["a", "b", "cd", "e"]
