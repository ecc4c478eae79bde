"""The events of a stream: put together when they are read, and within the SDK's limits."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from nodespan.telemetry import OpenTelemetryCallbackHandler
from support.strangers import Talker

WINDOW = {
    "nodespan.stream.window.first_chunk",
    "nodespan.stream.window.chunks",
    "nodespan.stream.window.duration",
    "nodespan.stream.window.gap.max",
}


def streamed(**limits: Any) -> Any:
    """Stream a model, and return its span as the SDK exports it."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(span_limits=SpanLimits(**limits), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    list(
        Talker().stream(
            "hi", {"callbacks": [OpenTelemetryCallbackHandler(tracer_provider=provider)]}
        )
    )
    (span,) = exporter.get_finished_spans()
    return span


def test_they_can_be_read_again_and_again() -> None:
    """Whoever reads a span, and however often, finds the same attributes."""
    span = streamed()
    windows = [event for event in span.events if event.name == "on_chat_model_stream"]
    assert [set(window.attributes) for window in windows] == [WINDOW] * 3
    assert [window.attributes for window in windows] == [window.attributes for window in windows]
    assert [event.dropped_attributes for event in windows] == [0] * 3
    assert encode_spans([span]) == encode_spans([span])
    assert span.to_json() == span.to_json()


@pytest.mark.parametrize("limit", [0, 7])
def test_a_limit_for_attributes_is_kept(limit: int) -> None:
    """Where the application limits the attributes of events, so many are there, and no more."""
    windows = [e for e in streamed(max_event_attributes=limit).events if "stream" in e.name]
    kept = min(limit, len(WINDOW))
    assert [len(window.attributes) for window in windows] == [kept] * 3
    assert [window.dropped_attributes for window in windows] == [len(WINDOW) - kept] * 3


def test_a_limit_for_events_is_kept() -> None:
    """Where the application limits the events of a span, the newest are there."""
    span = streamed(max_events=2)
    assert [event.name for event in span.events] == ["on_chat_model_stream", "on_chat_model_end"]
    assert span.dropped_events == 3
