"""Writes a run to its span: started, current in the run's body, and ended with all it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.trace import Status, StatusCode

from . import _semconv as semconv
from ._chunks import ChunkCounter
from ._context import attach_body, context_beneath, current
from ._exceptions import exception_attributes
from ._outcome import Outcome
from ._spans import RunKind, metadata_attributes, span_start

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

    from ._attributes import AttributeValue
    from ._content import Content, ContentDoor
    from ._diagnostics import Diagnostics
    from ._ending import Ending
    from ._runs import Run
    from ._stream import StreamClock, Window

_NS: Final = 1e9
_FAILURES: Final = (Outcome.ERROR, Outcome.LOST)


class SpanWriter:
    """Starts and ends the spans of runs.

    Args:
        tracer: makes the spans.
        door: lets content through, or not.
        edition: of the conventions.
        diagnostics: counts what could not be written.
        metadata_keys: of the metadata that spans carry.
    """

    def __init__(
        self,
        tracer: Tracer,
        door: ContentDoor,
        edition: semconv.Edition,
        diagnostics: Diagnostics,
        metadata_keys: Collection[str] = (),
    ) -> None:
        self._tracer = tracer
        self._door = door
        self._edition = edition
        self._diagnostics = diagnostics
        self._metadata_keys = metadata_keys

    def open(self, run: Run, content: Content) -> None:
        """Start the span of a run, and make it current where the run has a body."""
        told = span_start(run.kind, run.start)
        run.span = span = self._tracer.start_span(
            told.name,
            context=_context_above(run),
            kind=told.kind,
            attributes=told.attributes,
            start_time=run.time(run.started_at),
            record_exception=False,
            set_status_on_exception=False,
        )
        if run.kind.has_body:
            run.body = attach_body(run.run_id, span, run.waiting)
        if run.kind.is_model:
            run.chunks = ChunkCounter(run.started_at, run.begin_stream)
        if span.is_recording():
            span.set_attributes(told.details(self._edition))
            if run.attempt is not None:
                span.set_attribute(_attempt_name(run), run.attempt)
            span.set_attributes(metadata_attributes(run.start, self._metadata_keys))
            self._write_content(span, content, semconv.INPUT_DROPPED)
            if run.kind.is_model:
                span.add_event(semconv.EVENT_MODEL_START, timestamp=run.time(run.started_at))

    def close(self, run: Run, ending: Ending, *, records_exception: bool) -> None:
        """End the span of a run.

        Args:
            run: that has ended.
            ending: how.
            records_exception: whether the exception arose here, and in no run beneath.
        """
        span = run.span
        if span is None:
            return
        try:
            if span.is_recording():
                self._write_result(run, span, ending)
                self._write_outcome(run, span, ending, records_exception=records_exception)
        finally:
            span.end(end_time=run.time(ending.at))

    def _write_result(self, run: Run, span: Span, ending: Ending) -> None:
        try:
            self._write_stream(run, span)
            span.set_attributes(ending.attributes(run.start))
        except Exception as error:  # noqa: BLE001 - a result of any shape must not keep a span open
            self._diagnostics.report("result could not be read", error)
        self._write_content(span, ending.content, semconv.OUTPUT_DROPPED)

    def _write_content(self, span: Span, content: Content, dropped_name: str) -> None:
        dropped = 0
        for name, passed in self._door.all_on_span(content):
            span.set_attribute(name, passed.text)
            if name in semconv.MIME_TYPES:
                span.set_attribute(semconv.MIME_TYPES[name], passed.mime_type)
            dropped += passed.dropped
        if dropped:
            span.set_attribute(dropped_name, dropped)

    def _write_stream(self, run: Run, span: Span) -> None:
        clock = run.chunks.clock if run.chunks is not None else None
        first = clock.first_chunk_at if clock is not None else None
        if clock is None or first is None:
            return
        for window in clock.windows:
            attributes = _window_attributes(window)
            started = run.time(window.started_at)
            span.add_event(semconv.EVENT_MODEL_STREAM, attributes, started)
        span.set_attributes(_stream_attributes(clock, first))

    def _write_outcome(
        self, run: Run, span: Span, ending: Ending, *, records_exception: bool
    ) -> None:
        outcome = ending.outcome or run.outcome
        at = run.time(ending.at)
        if outcome is None:
            if run.kind.is_model:
                span.add_event(semconv.EVENT_MODEL_END, timestamp=at)
            return
        span.set_attribute(semconv.OUTCOME, outcome.value)
        if ending.error is not None and records_exception:
            attributes = exception_attributes(ending.error, self._door)
            span.add_event(semconv.EXCEPTION_EVENT, attributes, at)
        if outcome in _FAILURES:
            told = ending.error_type or outcome.value
            span.set_attribute(semconv.ERROR_TYPE, told)
            span.set_status(Status(StatusCode.ERROR, told))


def _context_above(run: Run) -> Context:
    above = run.parent.nearest_with_span if run.parent is not None else None
    if above is None or above.span is None:
        return current()
    return context_beneath(above.run_id, above.span)


def _attempt_name(run: Run) -> str:
    return semconv.LANGGRAPH_ATTEMPT if run.kind is RunKind.NODE else semconv.LANGCHAIN_ATTEMPT


def _stream_attributes(clock: StreamClock, first: int) -> Mapping[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {
        semconv.REQUEST_STREAM: True,
        semconv.RESPONSE_TIME_TO_FIRST_CHUNK: (first - clock.started_at) / _NS,
        semconv.STREAM_CHUNKS: clock.chunks,
        semconv.STREAM_DURATION: (clock.windows[-1].ended_at - first) / _NS,
    }
    gaps = clock.gaps
    if gaps.count:
        attributes |= {
            semconv.STREAM_GAP_MEAN: gaps.mean / _NS,
            semconv.STREAM_GAP_P50: gaps.quantile(0.5) / _NS,
            semconv.STREAM_GAP_P95: gaps.quantile(0.95) / _NS,
            semconv.STREAM_GAP_MAX: gaps.maximum / _NS,
        }
    return attributes


def _window_attributes(window: Window) -> Mapping[str, AttributeValue]:
    return {
        semconv.WINDOW_FIRST_CHUNK: window.first_chunk,
        semconv.WINDOW_CHUNKS: window.chunks,
        semconv.WINDOW_DURATION: (window.ended_at - window.started_at) / _NS,
        semconv.WINDOW_GAP_MAX: window.max_gap / _NS,
    }
