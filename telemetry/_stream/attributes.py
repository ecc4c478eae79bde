"""What a stream's clock has seen, as attributes of its span and of the span's events (pure)."""

from __future__ import annotations

from functools import partial
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from .._semconv import names as semconv

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .._values.attributes import Attributes
    from .clock import Stall, StreamClock
    from .text import StreamText

    StreamEvent: TypeAlias = tuple[int, str, Callable[[], Attributes]]

_NS: Final = 1e9
_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})
# Servers put a few tokens in a chunk, some of them a sentence; a whole paragraph came at once.
_MANY_CHUNKS: Final = 5
_TOKENS_A_CHUNK: Final = 64
_FEW_TOKENS_A_CHUNK: Final = 16
# A token is a byte at the least, beside those that mark where parts begin and end.
_TOKENS_A_BYTE: Final = 2
_ANY_LENGTH: Final = 2**63


def _unknown() -> int:
    return _ANY_LENGTH


def stream_attributes(
    clock: StreamClock,
    spent: Mapping[str, object] = _NOTHING,
    said: Callable[[], int] = _unknown,
) -> Attributes:
    """Return the attributes of a stream as a whole; where no chunk has come, of its wait alone.

    Args:
        clock: of the stream.
        spent: what the answer reports of its tokens, as attributes: then it has a speed.
        said: how many bytes of text the answer has.
    """
    first, last = clock.first_chunk_at, clock.last_chunk_at
    if first is None or last is None:
        return {semconv.STREAM_STALLS: clock.stall_count} if clock.stall_count else {}
    attributes: Attributes = {
        semconv.REQUEST_STREAM: True,
        semconv.RESPONSE_TIME_TO_FIRST_CHUNK: (first - clock.started_at) / _NS,
        semconv.STREAM_CHUNKS: clock.chunks,
        semconv.STREAM_DURATION: (last - first) / _NS,
    }
    gaps = clock.gaps
    if gaps.count:
        attributes |= {
            semconv.STREAM_GAP_MEAN: gaps.mean / _NS,
            semconv.STREAM_GAP_P50: gaps.quantile(0.5) / _NS,
            semconv.STREAM_GAP_P95: gaps.quantile(0.95) / _NS,
            semconv.STREAM_GAP_MAX: gaps.maximum / _NS,
        }
    if clock.stall_count:
        attributes[semconv.STREAM_STALLS] = clock.stall_count
    speed = tokens_per_second(clock, spent, said)
    if speed is not None:
        attributes[semconv.STREAM_TOKENS_PER_SECOND] = speed
    return attributes


def tokens_per_second(
    clock: StreamClock, spent: Mapping[str, object], said: Callable[[], int] = _unknown
) -> float | None:
    """Return how many tokens a second came from the first chunk to the last.

    The first chunk's own tokens came before that time: they are taken for an equal share. So did
    reasoning that no chunk has shown. Where the rest is more than a few tokens a chunk, and the
    chunks are few, nobody knows which of them that time accounts for: then there is no speed.

    Args:
        clock: of the stream.
        spent: what the answer reports of its tokens, as attributes.
        said: how many bytes of text the answer has: a token that is none of them was not shown.
    """
    gaps, chunks = clock.gaps, clock.chunks
    tokens = _shown_tokens(clock, spent)
    if tokens is None or tokens <= 0 or not gaps.total:
        return None
    if tokens > chunks * (_TOKENS_A_CHUNK if chunks >= _MANY_CHUNKS else _FEW_TOKENS_A_CHUNK):
        return None
    if tokens > chunks and tokens > said() * _TOKENS_A_BYTE:
        return None
    return tokens * gaps.count / chunks / (gaps.total / _NS)


def _shown_tokens(clock: StreamClock, spent: Mapping[str, object]) -> int | None:
    """Return how many tokens the chunks have shown; None where that is not known."""
    tokens, hidden = spent.get(semconv.USAGE_OUTPUT_TOKENS), spent.get(semconv.USAGE_REASONING)
    if not isinstance(tokens, int):
        return None
    return tokens - hidden if isinstance(hidden, int) and not clock.shows_reasoning else tokens


def stream_events(clock: StreamClock, text: StreamText | None = None) -> list[StreamEvent]:
    """Return the events of a stream, its windows and its stalls, in order of their times.

    Each has its time, in ns of the clock, its name, and what makes its attributes.

    Args:
        clock: of the stream.
        text: of the stream, where that may be recorded.
    """
    windows: list[StreamEvent] = [
        (started_at, semconv.EVENT_MODEL_STREAM, partial(_window, clock, place, text))
        for place, started_at in enumerate(clock.window_starts)
    ]
    stalls = [
        (stall.started_at, semconv.EVENT_STALL, partial(_stall, stall)) for stall in clock.stalls
    ]
    return sorted([*windows, *stalls], key=itemgetter(0)) if stalls else windows


def _window(clock: StreamClock, place: int, text: StreamText | None) -> Attributes:
    window = clock.window(place)
    said = text.of(window) if text is not None else ""
    return {
        semconv.WINDOW_FIRST_CHUNK: window.first_chunk,
        semconv.WINDOW_CHUNKS: window.chunks,
        semconv.WINDOW_DURATION: (window.ended_at - window.started_at) / _NS,
        semconv.WINDOW_GAP_MAX: window.max_gap / _NS,
        **({semconv.WINDOW_TEXT: said} if said else {}),
    }


def _stall(stall: Stall) -> Attributes:
    return {
        semconv.STALL_CHUNK: stall.chunk,
        semconv.STALL_DURATION: stall.duration / _NS,
    }
