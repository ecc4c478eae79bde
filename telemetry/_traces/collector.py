"""Keeps finished spans in memory."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import SpanProcessor

from .._process import Locked
from .records import SpanRecord

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


class SpanCollector(Locked, SpanProcessor):
    """Keeps the spans that have ended, for a look at them in the same process.

    Args:
        max_spans: how many are kept; beyond it the oldest go.
    """

    def __init__(self, max_spans: int = 10_000) -> None:
        super().__init__()
        self._spans: deque[ReadableSpan] = deque(maxlen=max_spans)
        self.dropped = 0

    def on_end(self, span: ReadableSpan) -> None:
        """Keep a span."""
        with self._lock:
            self.dropped += len(self._spans) == self._spans.maxlen
            self._spans.append(span)

    def spans(self) -> list[ReadableSpan]:
        """Return the spans that are kept, in the order in which they ended."""
        with self._lock:
            return list(self._spans)

    def records(self) -> list[SpanRecord]:
        """Return the spans that are kept as plain data, in the order in which they ended."""
        return [SpanRecord.from_span(span) for span in self.spans()]

    def clear(self) -> None:
        """Forget every span, and how many were dropped."""
        with self._lock:
            self._spans.clear()
            self.dropped = 0
