"""Encodes spans of the SDK's one by one, and who made them.

The encoder is imported on the writer's thread, before there is a span: it takes longer than all
else that a start does.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from .._process import importing
from .._upstream.opentelemetry import events_and_links, span_encoder
from .attributes import AttributeEncoder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceRequest,
    )
    from opentelemetry.proto.trace.v1.trace_pb2 import Span
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext


def load_encoder() -> None:
    """Import the encoder, which takes long."""
    with suppress(Exception), importing():  # who encodes raises it again
        _official()
        _public_encoder()


class SpanEncoder:
    """Encodes spans, and what many of them say once."""

    def __init__(self) -> None:
        self._attributes: AttributeEncoder | None = None

    def encoded(self, span: ReadableSpan, attributes: Mapping[str, Any]) -> Span:
        """Return a span as OTLP has it, without who made it.

        Args:
            span: ended or open.
            attributes: what it has of them, or a part.

        Raises:
            Exception: the span has what the official encoder does not take.
        """
        official = _official()
        if official is None:
            encoded: Span = _public_encoder()([span]).resource_spans[0].scope_spans[0].spans[0]
            return encoded
        encode_span, encode_attributes = official
        if self._attributes is None:
            self._attributes = AttributeEncoder(encode_attributes)
        encoded = encode_span(_WithoutAttributes(span))  # type: ignore[arg-type]  # as it reads
        if attributes:
            encoded.attributes.extend(self._attributes.encoded(attributes))
        return encoded


class _WithoutAttributes:
    """What the official encoder reads of a span, all at once, and no attributes.

    Args:
        span: of the SDK's.
    """

    __slots__ = (
        "_span",
        "attributes",
        "context",
        "dropped_attributes",
        "dropped_events",
        "dropped_links",
        "end_time",
        "events",
        "kind",
        "links",
        "name",
        "parent",
        "start_time",
        "status",
    )

    def __init__(self, span: ReadableSpan) -> None:
        self._span = span
        self.attributes = None
        self.context: SpanContext | None = span.context
        self.parent = span.parent
        self.name = span.name
        self.kind = span.kind
        self.start_time = span.start_time
        self.end_time = span.end_time
        self.status = span.status
        self.events, self.links = events_and_links(span)
        self.dropped_attributes = span.dropped_attributes
        self.dropped_events = span.dropped_events
        self.dropped_links = span.dropped_links

    def get_span_context(self) -> SpanContext | None:
        """Return the ids of the span."""
        return self.context

    def __getattr__(self, name: str) -> Any:
        """Return what only other releases of the encoder read."""
        return getattr(self._span, name)


def encoded_origin(span: ReadableSpan) -> tuple[bytes, bytes]:
    """Return who made a span, its resource and its scope, each as OTLP has it without any span."""
    (group,) = _public_encoder()([span]).resource_spans
    (scope,) = group.scope_spans
    del scope.spans[:]
    made_by = scope.SerializeToString()
    del group.scope_spans[:]
    return group.SerializeToString(), made_by


_official = cache(span_encoder)


def _public_encoder() -> Callable[[Sequence[ReadableSpan]], ExportTraceServiceRequest]:
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import (  # noqa: PLC0415 - late
        encode_spans,
    )

    return encode_spans
