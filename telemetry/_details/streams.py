"""A stream as its span's events tell it: the windows of its timeline, its stalls (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._reading.decoding import attributes_of
from .._semconv import names as semconv

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

OF_STREAMS: Final = frozenset(
    (
        semconv.EVENT_MODEL_START,
        semconv.EVENT_MODEL_STREAM,
        semconv.EVENT_MODEL_END,
        semconv.EVENT_STALL,
    )
)
_MOST_WINDOWS: Final = 64
_MOST_STALLS: Final = 100


def timeline(span: Span) -> dict[str, list[int]] | None:
    """Return the windows of a stream in columns; None where the span has none."""
    windows = [event for event in span.events if event.name == semconv.EVENT_MODEL_STREAM]
    if not windows:
        return None
    made: dict[str, list[int]] = {"start_us": [], "duration_us": [], "chunks": [], "gap_max_us": []}
    for event in windows[:_MOST_WINDOWS]:
        said = attributes_of(event.attributes)
        made["start_us"].append((event.time_unix_nano - span.start_time_unix_nano) // 1000)
        made["duration_us"].append(_us(said.get(semconv.WINDOW_DURATION)))
        made["chunks"].append(_whole(said.get(semconv.WINDOW_CHUNKS), 1))
        made["gap_max_us"].append(_us(said.get(semconv.WINDOW_GAP_MAX)))
    return made


def stalls(span: Span) -> list[dict[str, Any]]:
    """Return where a stream has stalled."""
    found: list[dict[str, Any]] = []
    for event in span.events:
        if event.name == semconv.EVENT_STALL and len(found) < _MOST_STALLS:
            said = attributes_of(event.attributes)
            at_us = (event.time_unix_nano - span.start_time_unix_nano) // 1000
            took = _us(said.get(semconv.STALL_DURATION))
            chunk = _whole(said.get(semconv.STALL_CHUNK), 0)
            found.append({"at_us": at_us, "duration_us": took, "chunk": chunk})
    return found


def _us(seconds: object) -> int:
    is_number = isinstance(seconds, int | float) and abs(seconds) < 1e9  # noqa: PLR2004 - 30 years
    return int(seconds * 1e6) if is_number else 0  # type: ignore[operator]  # a number


def _whole(value: object, default: int) -> int:
    return value if isinstance(value, int) else default
