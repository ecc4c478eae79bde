"""A trace of the journal as the spans that a tree is drawn of, and as one JSON document."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ....telemetry import SpanRecord

if TYPE_CHECKING:
    from ....telemetry.journal import JournalSpan, JournalTrace, TraceRecord


def span_records(trace: JournalTrace) -> list[SpanRecord]:
    """Return the spans of a trace, those that are running among them."""
    return [_span_record(span) for span in trace.spans]


def summary(trace: TraceRecord) -> dict[str, Any]:
    """Return a trace in a line, for programs: all of `TraceRecord`, and `duration`."""
    return {**asdict(trace), "duration": trace.duration}


def document(trace: JournalTrace) -> dict[str, Any]:
    """Return a trace with its spans, for programs: all of `JournalTrace`."""
    spans = [{**asdict(span), "duration": span.duration} for span in trace.spans]
    return {**summary(trace.summary), "span_list": spans, "dropped_spans": trace.dropped}


def _span_record(span: JournalSpan) -> SpanRecord:
    progress: dict[str, Any] = {"nodespan.stream.chunks": span.chunks} if span.chunks else {}
    attributes: dict[str, Any] = {**progress, **span.attributes}
    if span.ended_at is not None and span.outcome != "ok":
        attributes.setdefault("nodespan.outcome", span.outcome)
    return SpanRecord(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_id,
        name=span.name,
        kind=span.kind,
        start_ns=span.started_at,
        end_ns=span.ended_at,
        status=span.status,
        status_description=None,
        attributes=attributes,
        events=(),
        links=(),
    )
