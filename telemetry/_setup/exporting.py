"""Sends spans and log records, counts what was not taken, and keeps to its time."""

from __future__ import annotations

import logging
from functools import partial
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from .._process import in_forked_child, started_thread
from .._values.pacing import Pace
from .._values.tally import Tally
from .fitting import Fitting, span_weight, span_without_content

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

    from .receipts import Receipts


# Of the time that it has, a shutdown gives this part to exporters that were told to give up.
_GRACE: Final = 0.1

# Who is told to give up, and tries once more, says so: of that the application is told otherwise.
_LOGGERS: Final = tuple(
    f"opentelemetry.exporter.otlp.proto.http.{name}"
    for name in ("trace_exporter", "_log_exporter", "metric_exporter")
)


_OF_GIVING_UP: Final = ("already shutdown", "Shutdown in progress")


def _is_news(record: logging.LogRecord) -> bool:
    return not any(words in str(record.msg) for words in _OF_GIVING_UP)


class CountingExporter(SpanExporter):
    """Passes spans on to another exporter, and counts those that were taken.

    Args:
        exporter: sends the spans.
        receipts: what the receiver says of them.

    Attributes:
        taken: how many were.
        fitting: sends them in parts that the receiver takes.
    """

    def __init__(self, exporter: SpanExporter, receipts: Receipts) -> None:
        self._exporter = exporter
        self._is_shut_down = False
        self._pace = Pace()
        self.taken = 0
        self.fitting: Fitting[ReadableSpan] = Fitting(
            self._send, span_without_content, span_weight, receipts, type(exporter).__module__
        )

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send *spans*."""
        with self._pace.of(spans) as read:
            taken = self.fitting.deliver(read)
        self.taken += taken
        is_whole = taken == len(spans)
        return SpanExportResult.SUCCESS if is_whole else SpanExportResult.FAILURE

    def _send(self, spans: Sequence[ReadableSpan]) -> bool:
        is_sent = not self._is_shut_down and self._exporter.export(spans)
        return is_sent is SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Stop; a request that is being tried again is given up."""
        if not self._is_shut_down:
            self._is_shut_down = True
            self.fitting.close()
            self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what the exporter holds back."""
        return self._exporter.force_flush(timeout_millis)


class CountingProcessor(SpanProcessor):
    """Sends spans in batches, and counts each from its end until it is taken.

    Args:
        exporter: sends them.
        receipts: what the receiver says of them.
    """

    def __init__(self, exporter: SpanExporter, receipts: Receipts) -> None:
        self.exporter = CountingExporter(exporter, receipts)
        self._batches = BatchSpanProcessor(self.exporter)
        self._ended = Tally()
        in_forked_child(self._forget)

    @property
    def unsent(self) -> int:
        """How many were not taken: they wait, or found no room, or could not be sent."""
        return max(self._ended.total - self.exporter.taken, 0)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Take note that a span has started."""
        self._batches.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span."""
        context = span.context
        if context is not None and context.trace_flags.sampled:
            self._ended.add()
            self._batches.on_end(span)

    def shutdown(self) -> None:
        """Send what waits, and stop."""
        self._batches.shutdown()  # type: ignore[no-untyped-call]  # the SDK's

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits."""
        return bool(self._batches.force_flush(timeout_millis))

    def _forget(self) -> None:
        """In a child of a fork: what waits is the parent's."""
        self._ended = Tally()
        self.exporter.taken = 0


def shut_down(
    stops: Sequence[Callable[[], Any]], give_up: Sequence[Callable[[], Any]], timeout: float
) -> None:
    """Send what is waiting and stop, all within *timeout* seconds.

    The SDK's own way waits for as long as the exporters try again.

    Args:
        stops: each sends what waits, and stops.
        give_up: each has an exporter give up what it is trying.
        timeout: in seconds.
    """
    deadline = monotonic() + timeout
    works = [_started(stop) for stop in stops]
    if not _are_done(works, deadline - timeout * _GRACE):
        for name in _LOGGERS:  # a filter that is there already is not added again
            logging.getLogger(name).addFilter(_is_news)
        works += [_started(stop) for stop in give_up]
        _are_done(works, deadline)


def flushed(flushes: Sequence[Callable[[], Any]], timeout: float) -> bool:
    """Flush, all at once; say whether all was done within *timeout* seconds, and told so."""
    results: list[bool] = []

    def run(flush: Callable[[], Any]) -> None:
        """Note whether it was flushed."""
        results.append(flush() is not False)

    deadline = monotonic() + timeout
    works = [_started(partial(run, flush)) for flush in flushes]
    return _are_done(works, deadline) and len(results) == len(flushes) and all(results)


def _started(work: Callable[[], Any]) -> Event:
    """Do some work on a thread, or at once where there can be none; return what is set then."""
    is_done = Event()

    def quietly() -> None:
        """Do the work, and say nothing of its failure."""
        try:
            work()
        except Exception:  # noqa: BLE001 - the SDK raises what its exporters have logged
            return
        finally:
            is_done.set()

    if started_thread(quietly, "nodespan-flush") is None:
        quietly()
    return is_done


def _are_done(works: Sequence[Event], deadline: float) -> bool:
    return all(work.wait(max(deadline - monotonic(), 0)) for work in works)
