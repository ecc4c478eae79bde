"""What a stream's clock has seen, as attributes of its span and of the span's events (pure)."""

from __future__ import annotations

from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from .._semconv import names as semconv

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._values.attributes import Attributes
    from .clock import Stall, StreamClock
    from .text import StreamText

_NS: Final = 1e9


def stream_attributes(clock: StreamClock, output_tokens: object = None) -> Attributes:
    """Return the attributes of a stream as a whole; where no chunk has come, of its wait alone.

    Args:
        clock: of the stream.
        output_tokens: how many it gave, where that is known: then it has a speed.
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
    speed = tokens_per_second(clock, output_tokens)
    if speed is not None:
        attributes[semconv.STREAM_TOKENS_PER_SECOND] = speed
    return attributes


def tokens_per_second(clock: StreamClock, output_tokens: object) -> float | None:
    """Return how many tokens a second came from the first chunk to the last.

    The first chunk's own tokens came before that time: they are taken for an equal share.
    """
    gaps = clock.gaps
    if not isinstance(output_tokens, int) or output_tokens <= 0 or not gaps.total:
        return None
    return output_tokens * gaps.count / clock.chunks / (gaps.total / _NS)


def stream_events(
    clock: StreamClock, text: StreamText | None = None
) -> list[tuple[int, str, Callable[[], Attributes]]]:
    """Return the events of a stream, its windows and its stalls, in order of their times.

    Each has its time, in ns of the clock, its name, and what makes its attributes.

    Args:
        clock: of the stream.
        text: of the stream, where that may be recorded.
    """
    events = [
        (started_at, semconv.EVENT_MODEL_STREAM, partial(_window, clock, place, text))
        for place, started_at in enumerate(clock.window_starts)
    ]
    events += [
        (stall.started_at, semconv.EVENT_STALL, partial(_stall, stall)) for stall in clock.stalls
    ]
    return sorted(events, key=itemgetter(0))


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
