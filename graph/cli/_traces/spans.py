"""A trace of the journal as a tree, and as one JSON document."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ....telemetry import EventRecord, LinkRecord, SpanRecord
from ....telemetry.console import Details, TraceTree

if TYPE_CHECKING:
    from ....telemetry.journal import (
        EventOfSpan,
        JournalSpan,
        JournalTrace,
        LinkOfSpan,
        TraceRecord,
    )


def tree(trace: JournalTrace, now: int, *, shows_all: bool = False) -> TraceTree:
    """Return the tree of a trace, those of its spans that are running among them.

    Args:
        trace: that is shown.
        now: in ns since 1970.
        shows_all: whether each attribute and event is shown.
    """
    last = {each.span_id: each.last_chunk_at for each in trace.spans if each.last_chunk_at}
    shown = [_span_record(span, shows_all=shows_all) for span in trace.spans]
    return TraceTree(shown, Details(now, last, shows_all))


def summary(trace: TraceRecord) -> dict[str, Any]:
    """Return a trace in a line, for programs: all of `TraceRecord`, and `duration`."""
    return {**asdict(trace), "duration": trace.duration}


def document(trace: JournalTrace) -> dict[str, Any]:
    """Return a trace with its spans, for programs: all of `JournalTrace`."""
    spans = [span_document(span) for span in trace.spans]
    return {**summary(trace.summary), "span_list": spans, "dropped_spans": trace.dropped}


def span_document(span: JournalSpan) -> dict[str, Any]:
    """Return a span for programs: all of `JournalSpan`, and `duration`."""
    return {**asdict(span), "duration": span.duration}


def _span_record(span: JournalSpan, *, shows_all: bool) -> SpanRecord:
    attributes: dict[str, Any] = {**_progress(span), **span.attributes}
    if not shows_all:  # those of other conventions have other names
        attributes = {**_usage(span), **attributes}
    if span.ended_at is not None and span.outcome != "ok":
        attributes.setdefault("nodespan.outcome", span.outcome)
    if shows_all and "service.name" in span.resource:
        attributes.setdefault("service.name", span.resource["service.name"])
    return SpanRecord(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_id,
        name=span.name,
        kind=span.kind,
        start_ns=span.started_at,
        end_ns=span.ended_at,
        status=span.status,
        status_description=span.status_message,
        attributes=attributes,
        events=tuple(EventRecord(each.name, each.at, _plain(each)) for each in span.events),
        links=tuple(LinkRecord(each.trace_id, each.span_id, _plain(each)) for each in span.links),
    )


def _progress(span: JournalSpan) -> dict[str, Any]:
    """Return what is known of a stream that goes on, or was lost, as attributes of its end."""
    if not span.chunks or span.first_chunk_at is None:
        return {}
    first = (span.first_chunk_at - span.started_at) / 1e9
    return {
        "nodespan.stream.chunks": span.chunks,
        "nodespan.stream.stalls": span.stalls,
        "gen_ai.response.time_to_first_chunk": first,
    }


def _usage(span: JournalSpan) -> dict[str, Any]:
    """Return the tokens of a model, by whichever convention it tells them, as attributes."""
    told = {
        "gen_ai.usage.input_tokens": span.input_tokens,
        "gen_ai.usage.output_tokens": span.output_tokens,
    }
    return {name: tokens for name, tokens in told.items() if tokens is not None}


def _plain(part: EventOfSpan | LinkOfSpan) -> dict[str, Any]:
    return dict(part.attributes)
