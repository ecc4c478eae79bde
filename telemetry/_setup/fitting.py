"""Sends what a receiver finds too large in parts that it takes, without a journal."""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import Event, ReadableSpan

from .._diagnostics import Diagnostics
from .._spool.answers import Fate
from .._spool.sizes import CONTENT, LONG, MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from opentelemetry.sdk._logs import ReadableLogRecord

    from .receipts import Receipts

_Item = TypeVar("_Item")

STRIPPED: Final = "what was too large for the endpoint was sent without its content"
REFUSED: Final = "the endpoint has refused what was sent for good"

# Of one batch that is refused so many requests look for what is at fault.
_MOST_REQUESTS: Final = 64
# What the names of attributes, times and ids of an item may take up.
_LEAST_WEIGHT: Final = 1_024


class Fitting(Generic[_Item]):
    """Sends items, in parts where they are too large together, and without content where alone.

    Args:
        send: sends items in one request, and says whether the exporter took it for done.
        stripped: returns an item without content.
        weigh: says about how many bytes an item takes.
        receipts: what the endpoint says of each request.
        log: the exporter's, by its name.

    Attributes:
        diagnostics: count what was sent without its content, and what was refused.
    """

    def __init__(
        self,
        send: Callable[[Sequence[_Item]], bool],
        stripped: Callable[[_Item], _Item],
        weigh: Callable[[_Item], int],
        receipts: Receipts,
        log: str,
    ) -> None:
        self._log = logging.getLogger(log)
        self.diagnostics = Diagnostics()
        self._send = send
        self._stripped = stripped
        self._weigh = weigh
        self._receipts = receipts

    def close(self) -> None:
        """Send nothing more."""
        self._receipts.close()

    def deliver(self, items: Sequence[_Item]) -> int:
        """Send items, and return how many were taken."""
        return sum(self._deliver(part, [_MOST_REQUESTS]) for part in self._parts(items))

    def _parts(self, items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
        begin = weight = 0
        for place, item in enumerate(items):
            weighs = self._weigh(item)
            if weight + weighs > MOST_BYTES and place > begin:
                yield items[begin:place]
                begin, weight = place, 0
            weight += weighs
        yield items[begin:]

    def _deliver(self, items: Sequence[_Item], budget: list[int]) -> int:
        budget[0] -= 1
        if self._is_sent(items):
            return self._receipts.taken_of(len(items))
        if not self._receipts.is_mended:
            return 0
        if len(items) > 1 and budget[0] > 0:
            middle = len(items) // 2
            return self._deliver(items[:middle], budget) + self._deliver(items[middle:], budget)
        return self._deliver_alone(items)

    def _deliver_alone(self, items: Sequence[_Item]) -> int:
        answer = self._receipts.answer
        if answer is not None and answer.fate is Fate.TOO_LARGE and len(items) == 1:
            if self._is_sent([self._stripped(items[0])]):
                self.diagnostics.report(STRIPPED)
                return self._receipts.taken_of(1)
            answer = self._receipts.answer or answer
        reason = answer.reason if answer is not None else "no answer"
        self.diagnostics.report(f"{REFUSED} ({reason})")
        return 0

    def _is_sent(self, items: Sequence[_Item]) -> bool:
        self._receipts.begin()
        try:
            return self._send(items)
        except OSError as error:  # of a connection, before OpenTelemetry 1.40
            self._log.error("Failed to export a batch: %s", error)
            return False


def span_weight(span: ReadableSpan) -> int:
    """Say about how many bytes a span takes: what its texts are long."""
    events = sum(_weight(event.attributes) for event in span.events)
    return _LEAST_WEIGHT + _weight(span.attributes) + events


def record_weight(record: ReadableLogRecord) -> int:
    """Say about how many bytes a log record takes."""
    return _LEAST_WEIGHT + _weight(record.log_record.attributes) + len(str(record.log_record.body))


def _weight(attributes: Mapping[str, Any] | None) -> int:
    values = (attributes or {}).values()
    return sum(len(value) if isinstance(value, str) else 8 for value in values)


def span_without_content(span: ReadableSpan) -> ReadableSpan:
    """Return a span with nothing of what people wrote or a model said, nor any long text."""
    events = [Event(event.name, _kept(event.attributes), event.timestamp) for event in span.events]
    return ReadableSpan(
        name=span.name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=_kept(span.attributes),
        events=events,
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def record_without_content(record: ReadableLogRecord) -> ReadableLogRecord:
    """Return a log record with nothing of what people wrote or a model said, nor any long text."""
    stripped, log_record = copy.copy(record), copy.copy(record.log_record)
    log_record.attributes = _kept(log_record.attributes)
    if len(str(log_record.body)) > LONG:
        log_record.body = None
    object.__setattr__(stripped, "log_record", log_record)
    return stripped


def _kept(attributes: Mapping[str, Any] | None) -> BoundedAttributes:
    given = attributes or {}
    kept = {
        name: value
        for name, value in given.items()
        if name not in CONTENT and len(str(value)) <= LONG
    }
    bounded = BoundedAttributes(attributes=kept)
    bounded.dropped = getattr(attributes, "dropped", 0) + len(given) - len(kept)
    return bounded
