"""Adds events to a span, many at a time, that are put together when somebody reads them.

A stream ends in the consumer's thread, often that of an event loop; its span is read by an
exporter, in another. A span of another make than the SDK's, or with a limit that would apply,
gets its events the public way.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace import Event
from opentelemetry.sdk.trace import Span as SdkSpan

from .._upstream.opentelemetry import events_adder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.trace import Span

    from .._stream.attributes import StreamEvent
    from .._values.attributes import Attributes

_MAX_ATTRIBUTES: Final = 8


class LateEvent(Event):
    """An event whose attributes are made when they are read.

    Args:
        name: of the event.
        make: its attributes; at most 8, of types that need no cleaning.
        timestamp: of the event, in ns since 1970.
    """

    # A stream has dozens: none of them needs what an event is made of that keeps its attributes.
    __slots__ = ("_make", "name", "timestamp")

    name: str
    timestamp: int

    def __init__(self, name: str, make: Callable[[], Attributes], timestamp: int) -> None:
        self.name = name
        self._make = make
        self.timestamp = timestamp

    @property
    def attributes(self) -> Attributes:
        """The attributes."""
        return self._make()

    @property
    def dropped_attributes(self) -> int:
        """How many attributes there was no room for."""
        return 0


def add_events(span: Span, events: Iterable[StreamEvent], epoch: int) -> None:
    """Add events to a span.

    Args:
        span: that has not ended.
        events: each with its time, in ns of a clock, its name, and what makes its attributes.
        epoch: what turns a time of that clock into one since 1970, in ns.
    """
    add = events_adder(span, _MAX_ATTRIBUTES) if _is_sdk(type(span)) else None
    if add is not None:
        add([LateEvent(name, make, at + epoch) for at, name, make in events])
        return
    for at, name, make in events:
        span.add_event(name, make(), at + epoch)


def add_mark(span: Span, name: str, at: int) -> None:
    """Add an event that has no attributes to a span.

    Args:
        span: that has not ended.
        name: of the event.
        at: its time, in ns since 1970.
    """
    add = events_adder(span, 0) if _is_sdk(type(span)) else None
    if add is not None:
        add((LateEvent(name, dict, at),))
    else:
        span.add_event(name, timestamp=at)


@lru_cache(maxsize=64)
def _is_sdk(span_class: type) -> bool:
    # An abstract class takes longer to look at an object than the event takes to be added.
    return issubclass(span_class, SdkSpan)
