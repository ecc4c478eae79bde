"""Metadata that LangChain has joined from several chunks are told as they were sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from nodespan.telemetry._content.repeated import once, one_reason
from support.reporters import Nameless
from support.signals import record_signals
from support.strangers import ASTREAM, EVENTS_V3, STREAM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.strangers import Call

pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")

METADATA = {"model_name": "claude-x", "finish_reason": "stop", "id": "msg_1"}


class Repeating(Nameless):
    """Sends its metadata with each of its chunks."""

    in_generation: bool = False

    def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        told: Any = METADATA
        for word in ("so ", "it ", "is"):
            if self.in_generation:
                chunk = AIMessageChunk(word)
                yield ChatGenerationChunk(message=chunk, generation_info=dict(told))
            else:
                yield ChatGenerationChunk(message=AIMessageChunk(word, response_metadata=told))


@pytest.mark.parametrize("in_generation", [False, True])
@pytest.mark.parametrize("call", [STREAM, ASTREAM, EVENTS_V3], ids=str)
def test_what_each_chunk_repeats_is_told_once(call: Call, in_generation: bool) -> None:
    """On the span, in its content, and on metrics."""
    with record_signals(capture_content="SPAN_ONLY") as signals:
        call.run(Repeating(in_generation=in_generation), "hello", signals.config)
        sent = signals.sent()
    (span,) = signals.spans
    assert span.attributes["gen_ai.response.model"] == "claude-x"
    assert span.attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert span.attributes["gen_ai.response.id"] == "msg_1"
    assert "claude-xclaude-x" not in sent
    assert "stopstop" not in sent


@pytest.mark.parametrize(
    ("joined", "reason"),
    [
        ("stopstop", "stop"),
        ("tool_callsstop", "stop"),
        ("STOPSTOPSTOP", "STOP"),
        ("stoplength", "length"),
        ("stop_sequence", "stop_sequence"),
        ("nullnullstop", "stop"),
        ("because", "because"),
        ("becausebecause", "because"),
        ("", ""),
        (None, None),
    ],
)
def test_reasons(joined: str | None, reason: str | None) -> None:
    """Of several that were joined the last counts; one that nobody knows stays."""
    assert one_reason(joined) == reason


@pytest.mark.parametrize(
    ("joined", "single"),
    [("gpt-4gpt-4gpt-4", "gpt-4"), ("yiyi", "yiyi"), ("aaaa", "aaaa"), ("gpt-4-gpt", "gpt-4-gpt")],
)
def test_names(joined: str, single: str) -> None:
    """A short name that repeats itself is a name, and so is what was asked for."""
    assert once(joined) == single
    assert once(joined, joined) == joined
    assert once(joined * 2, joined) == joined
