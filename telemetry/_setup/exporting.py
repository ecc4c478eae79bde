"""Sends spans, and knows how many could not be sent."""

from __future__ import annotations

from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from .._providers import note_shutdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan


class _Stoppable(Protocol):
    def shutdown(self) -> None: ...


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
        # Counted before: a receiver that never answers must not hide what it did not take.
        self.unsent += len(spans)
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self.unsent -= len(spans)
        return result

    def shutdown(self) -> None:
        """Stop; a request that is being tried again is given up."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what the exporter holds back."""
        return self._exporter.force_flush(timeout_millis)


def shut_down(
    providers: Sequence[_Stoppable], exporters: Sequence[_Stoppable], timeout: float
) -> None:
    """Send what is waiting and stop, all within *timeout* seconds.

    The SDK's own way waits for as long as the exporters try again.
    """
    deadline = monotonic() + timeout
    note_shutdown(providers)
    threads = [
        Thread(target=provider.shutdown, name="nodespan-shutdown", daemon=True)
        for provider in providers
    ]
    for thread in threads:
        thread.start()
    if _are_done(threads, deadline):
        return
    for exporter in exporters:
        exporter.shutdown()
    _are_done(threads, monotonic() + _GRACE)


def _are_done(threads: Sequence[Thread], deadline: float) -> bool:
    for thread in threads:
        thread.join(max(deadline - monotonic(), 0))
    return not any(thread.is_alive() for thread in threads)
