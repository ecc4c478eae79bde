"""A span as plain data, for whoever shows or stores it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from opentelemetry.trace import format_span_id, format_trace_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.trace import Link

RecordedValue: TypeAlias = (
    "str | bool | int | float | Sequence[str] | Sequence[bool] | Sequence[int] | Sequence[float]"
)


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event of a span.

    Attributes:
        name: of the event.
        time_ns: when it was, in nanoseconds since 1970.
        attributes: of the event.
    """

    name: str
    time_ns: int
    attributes: Mapping[str, RecordedValue]

    @classmethod
    def from_event(cls, event: Event) -> Self:
        """Return a record of one of the SDK's events."""
        return cls(event.name, event.timestamp, _attributes(event.attributes))


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """A link from a span to another.

    Attributes:
        trace_id: of the other span, 32 hexadecimal digits.
        span_id: of the other span, 16 hexadecimal digits.
        attributes: of the link.
    """

    trace_id: str
    span_id: str
    attributes: Mapping[str, RecordedValue]

    @classmethod
    def from_link(cls, link: Link) -> Self:
        """Return a record of one of the SDK's links."""
        context = link.context
        return cls(
            format_trace_id(context.trace_id),
            format_span_id(context.span_id),
            _attributes(link.attributes),
        )


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """A span.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
        parent_id: span id of its parent; None for a root.
        name: of the span.
        kind: `internal`, `client`, `server`, `producer` or `consumer`.
        start_ns: when it started, in nanoseconds since 1970.
        end_ns: when it ended; None while it is open.
        status: `unset`, `ok` or `error`.
        status_description: of an error.
        attributes: of the span.
        events: in order.
        links: in order.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: str
    start_ns: int
    end_ns: int | None
    status: str
    status_description: str | None
    attributes: Mapping[str, RecordedValue]
    events: tuple[EventRecord, ...]
    links: tuple[LinkRecord, ...]

    @classmethod
    def from_span(cls, span: ReadableSpan) -> Self:
        """Return a record of one of the SDK's spans."""
        context = span.get_span_context()
        return cls(
            trace_id=format_trace_id(context.trace_id) if context else "",
            span_id=format_span_id(context.span_id) if context else "",
            parent_id=format_span_id(span.parent.span_id) if span.parent else None,
            name=span.name,
            kind=span.kind.name.lower(),
            start_ns=span.start_time or 0,
            end_ns=span.end_time,
            status=span.status.status_code.name.lower(),
            status_description=span.status.description,
            attributes=_attributes(span.attributes),
            events=tuple(EventRecord.from_event(event) for event in span.events),
            links=tuple(LinkRecord.from_link(link) for link in span.links),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the record as what JSON has."""
        return asdict(self)


def _attributes(attributes: Mapping[str, Any] | None) -> dict[str, RecordedValue]:
    return dict(attributes or {})
