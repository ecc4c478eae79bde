"""Spans are encoded as the official encoder encodes them, whatever others had in common before."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceState

from nodespan.telemetry._encoding import spans
from nodespan.telemetry._encoding.attributes import AttributeEncoder
from nodespan.telemetry._encoding.spans import SpanEncoder
from nodespan.telemetry._upstream.opentelemetry import span_encoder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CONTEXT = SpanContext(1 << 120, 1 << 60, is_remote=False)
# Few, so that most come again: equal ones that are not the same are among them.
TEXTS = st.sampled_from(["", "chat", "cat-1", "0", "x" * 200, "x" * 201, "\ud800", "é"])
INTEGERS = st.sampled_from([0, 1, -1, 42, 2**63 - 1, -(2**63), 2**63])
FLOATS = st.sampled_from([0.0, -0.0, 1.0, 42.0, float("nan"), float("inf"), 1e-300])
SINGLE = TEXTS | INTEGERS | FLOATS | st.booleans() | st.binary(max_size=2)
VALUES = SINGLE | st.lists(SINGLE, max_size=5).map(tuple) | st.none() | st.just(object())
ATTRIBUTES = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), VALUES, max_size=4)


@pytest.fixture
def _sdk_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says of each attribute that it drops it, or cannot encode it."""
    for name in ("attributes", "exporter.otlp.proto.common._internal"):
        monkeypatch.setattr(logging.getLogger(f"opentelemetry.{name}"), "disabled", True)


def span_with(attributes: Mapping[str, Any], **more: Any) -> ReadableSpan:
    """Return an ended span."""
    times = {"start_time": 1, "end_time": 2}
    return ReadableSpan("chat", CONTEXT, attributes=dict(attributes), **times | more)


def officially(span: ReadableSpan) -> bytes:
    """Return a span as the official encoder encodes it."""
    encoded: bytes = (
        encode_spans([span]).resource_spans[0].scope_spans[0].spans[0].SerializeToString()
    )
    return encoded


def encoded_by(encoder: SpanEncoder, span: ReadableSpan) -> bytes:
    """Return a span as ours encodes it."""
    encoded: bytes = encoder.encoded(span, span.attributes or {}).SerializeToString()
    return encoded


@pytest.mark.usefixtures("_sdk_is_silent")
@given(st.lists(ATTRIBUTES, max_size=8))
def test_what_was_encoded_before_changes_nothing(all_attributes: list[dict[str, Any]]) -> None:
    """Attributes of any kind come out as from the official encoder, those that come again too."""
    encoder = SpanEncoder()
    for attributes in all_attributes:
        span = span_with(attributes)
        assert encoded_by(encoder, span) == officially(span)


@pytest.mark.usefixtures("_sdk_is_silent")
def test_all_that_a_span_has_is_encoded() -> None:
    """Events, links, parent, status, state and what was dropped are those of the span."""
    provider = TracerProvider(
        span_limits=SpanLimits(max_span_attributes=1, max_events=1, max_links=1),
        shutdown_on_exit=False,
    )
    state = TraceState([("vendor", "1")])
    link = Link(SpanContext(5, 6, is_remote=True, trace_state=state), {"a": 1})
    span = provider.get_tracer("t").start_span("s", attributes={"a": 1, "b": "x"}, links=[link] * 2)
    for name in ("first", "second"):
        span.add_event(name, {"a": "x"}, 5)
    span.set_status(Status(StatusCode.ERROR, "why"))
    assert isinstance(span, ReadableSpan)
    assert encoded_by(SpanEncoder(), span) == officially(span)
    span.end()
    assert encoded_by(SpanEncoder(), span) == officially(span)


def test_events_are_dropped_where_none_is_allowed() -> None:
    """A span that may have no events tells how many it was given."""
    provider = TracerProvider(
        span_limits=SpanLimits(max_events=0, max_links=0), shutdown_on_exit=False
    )
    span = provider.get_tracer("t").start_span("s", links=[Link(CONTEXT)])
    span.add_event("one")
    assert isinstance(span, ReadableSpan)
    assert span.dropped_events == span.dropped_links == 1
    assert encoded_by(SpanEncoder(), span) == officially(span)


def test_few_attributes_are_kept() -> None:
    """Of a million different ones, so many are kept as come in a moment."""
    official = span_encoder()
    assert official is not None
    encoder = AttributeEncoder(official[1])
    for number in range(2_500):
        values = {"text": str(number), f"key {number}": number, f"part {number}": number / 2}
        values |= {"long": "x" * 201, "texts": (str(number),), "many": ("x",) * 5}
        encoder.encoded(values)
    kept = [encoder._texts, encoder._integers, encoder._floats]
    assert all(0 < len(each) <= 1_000 for each in kept)
    assert not any("x" in str(key) and "long" in str(key) for key in encoder._texts)


def test_texts_of_a_class_of_their_own_are_encoded_as_ever() -> None:
    """What only looks like a text that is known, is not taken for it."""

    class Loud(str):
        __slots__ = ()

    encoder = SpanEncoder()
    for value in ("cat-1", Loud("cat-1"), ("cat-1",), (Loud("cat-1"),)):
        span = span_with({"a": value})
        assert encoded_by(encoder, span) == officially(span)


@pytest.fixture
def _without_private_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(spans, "_official", lambda: None)
    return


@pytest.mark.usefixtures("_without_private_names")
def test_the_public_way_does_the_same() -> None:
    """Without the names that the library does not promise to keep, spans are encoded as a whole."""
    span = span_with({"a": 1, "b": "x"})
    assert encoded_by(SpanEncoder(), span) == officially(span)
