"""Adds events to a span, many at a time, that are put together when somebody reads them.

A stream ends in the consumer's thread, often that of an event loop; its span is read by an
exporter, in another. A span of another make than the SDK's, or with a limit that would apply,
gets its events the public way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace import Event
from opentelemetry.sdk.trace import Span as SdkSpan

from .._upstream.opentelemetry import event_adder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.trace import Span

    from .._values.attributes import Attributes

_MAX_ATTRIBUTES: Final = 8


class LateEvent(Event):
    """An event whose attributes are made when they are read.

    Args:
        name: of the event.
        make: its attributes; at most 8, of types that need no cleaning.
        timestamp: of the event, in ns since 1970.
    """

    def __init__(self, name: str, make: Callable[[], Attributes], timestamp: int) -> None:
        super().__init__(name, None, timestamp)
        self._make = make

    @property
    def attributes(self) -> Attributes:
        """The attributes."""
        return self._make()


def add_events(span: Span, events: Iterable[tuple[int, str, Callable[[], Attributes]]]) -> None:
    """Add events to a span.

    Args:
        span: that has not ended.
        events: each with its time, in ns since 1970, its name, and what makes its attributes.
    """
    add = _adder(span)
    for at, name, make in events:
        if add is not None:
            add(LateEvent(name, make, at))
        else:
            span.add_event(name, make(), at)


def _adder(span: Span) -> Callable[[Event], None] | None:
    if not isinstance(span, SdkSpan):
        return None
    return event_adder(span, _MAX_ATTRIBUTES)
