"""Tokens per second are of tokens that the time between chunks accounts for, or not told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from nodespan.telemetry._stream.attributes import tokens_per_second
from nodespan.telemetry._stream.clock import StreamClock
from support.reporters import Nameless
from support.signals import record_signals

if TYPE_CHECKING:
    from collections.abc import Iterator

MS = 1_000_000
OUTPUT, REASONING = "gen_ai.usage.output_tokens", "gen_ai.usage.reasoning.output_tokens"


def speed(chunks: int, gap: int, tokens: int, said: int = 10**9, **more: Any) -> float | None:
    """Return the speed of a stream of so many chunks, each *gap* ms after the one before."""
    clock = StreamClock(0)
    clock.shows_reasoning = more.pop("shows_reasoning", False)
    for place in range(chunks):
        clock.tick(1_000 * MS + place * gap * MS)
    return tokens_per_second(clock, {OUTPUT: tokens, **more}, lambda: said)


def test_a_token_a_chunk() -> None:
    """The first chunk's own came before."""
    assert speed(101, 10, 101) == pytest.approx(100)


def test_hidden_reasoning_is_none_of_it() -> None:
    """What was thought before the first chunk is left out, unless chunks have shown it."""
    assert speed(101, 10, 2_101, **{REASONING: 2_000}) == pytest.approx(100)
    shown = speed(101, 10, 2_101, shows_reasoning=True, **{REASONING: 2_000})
    assert shown == pytest.approx(2_080, abs=1)


def test_reasoning_that_nobody_counts() -> None:
    """More tokens than the answer has bytes were not shown: then nobody knows."""
    assert speed(101, 10, 2_101, said=400) is None
    assert speed(101, 10, 101, said=0) == pytest.approx(100)


def test_much_in_few_chunks() -> None:
    """Where two chunks bring a thousand tokens, nobody knows when they were made."""
    assert speed(2, 100, 996) is None
    assert speed(2, 100, 4) == pytest.approx(20)
    assert speed(20, 100, 400) == pytest.approx(200)
    assert speed(20, 100, 20_000) is None


@pytest.mark.parametrize("usage", [{}, {OUTPUT: 0}, {OUTPUT: "many"}, {OUTPUT: 9, REASONING: 9}])
def test_what_is_not_known_has_no_speed(usage: dict[str, Any]) -> None:
    """No tokens, no time, no speed."""
    clock = StreamClock(0)
    for at in range(10):
        clock.tick(at * MS)
    assert tokens_per_second(clock, usage) is None
    assert speed(1, 10, 1) is None


class Thinking(Nameless):
    """Thinks 2,000 tokens before it says ten words, or shows what it thinks."""

    shows: bool = False

    def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        if self.shows:
            extra = {"reasoning_content": "hm " * 1_000}
            yield ChatGenerationChunk(message=AIMessageChunk("", additional_kwargs=extra))
        for word in ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]:
            yield ChatGenerationChunk(message=AIMessageChunk(word + " "))
        usage: Any = {
            "input_tokens": 1,
            "output_tokens": 2_010,
            "total_tokens": 2_011,
            "output_token_details": {"reasoning": 2_000},
        }
        yield ChatGenerationChunk(message=AIMessageChunk("", usage_metadata=usage))


def test_span_metric_and_log_line_agree(caplog: pytest.LogCaptureFixture) -> None:
    """Each has the speed of ten words."""
    with (
        caplog.at_level("INFO", logger="nodespan.telemetry.runs"),
        record_signals() as signals,
    ):
        list(Thinking().stream("hello", signals.config))
        metrics = signals.metrics
    (span,) = signals.spans
    told = span.attributes["nodespan.stream.tokens_per_second"]
    assert told == pytest.approx(9 / float(str(span.attributes["nodespan.stream.duration"])))
    (metric,) = [each for each in metrics if each.name == "nodespan.stream.tokens_per_second"]
    assert metric.data.data_points[0].sum == pytest.approx(told, rel=0.001)
    ended = next(each for each in caplog.records if each.getMessage().startswith("run ended"))
    assert vars(ended)["tokens_per_second"] == pytest.approx(told, rel=0.001)


def test_what_was_thought_in_one_chunk_has_no_speed() -> None:
    """Two thousand tokens came before the first chunk, that shows them."""
    with record_signals() as signals:
        list(Thinking(shows=True).stream("hello", signals.config))
    (span,) = signals.spans
    assert "nodespan.stream.tokens_per_second" not in span.attributes
