"""Sends spans, and knows how many could not be sent."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

# What an exporter that was told to stop may still need to give up a request that is under way.
_GRACE = 0.5


class CountingExporter(SpanExporter):
    """Passes spans on to another exporter, and counts those that it could not send.

    Args:
        exporter: sends the spans.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.unsent = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send *spans*."""
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self.unsent += len(spans)
        return result

    def shutdown(self) -> None:
        """Stop; a request that is being tried again is given up."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what the exporter holds back."""
        return self._exporter.force_flush(timeout_millis)


def shut_down(
    provider: TracerProvider, exporters: Sequence[CountingExporter], timeout: float
) -> None:
    """Send what is waiting and stop, within *timeout* seconds.

    The SDK's own way waits for as long as the exporters try again.
    """
    stopping = Thread(target=provider.shutdown, name="nodespan-shutdown", daemon=True)
    stopping.start()
    stopping.join(timeout)
    if stopping.is_alive():
        for exporter in exporters:
            exporter.shutdown()
        stopping.join(_GRACE)
