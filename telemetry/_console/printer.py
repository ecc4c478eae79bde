"""Prints each trace as a tree when the last of its spans has ended."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import RLock
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import TraceFlags

from .._process import in_forked_child
from .._traces.records import SpanRecord

if TYPE_CHECKING:
    from typing import TextIO

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

# Of a larger trace the first spans that ended are shown; of more traces the oldest as it is.
_MOST_SPANS: Final = 1_000
_MOST_TRACES: Final = 256
# Columns where nothing is cut or wrapped: not on a terminal.
_WIDE: Final = 10_000
_HINT: Final = (
    "what exceptions say is recorded with OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="
    "SPAN_ONLY, or capture_content='SPAN_ONLY'"
)


@dataclass(slots=True)
class _Trace:
    """Spans of a trace: how many are open, those that have ended, and how many more did."""

    open: int = 0
    ended: list[ReadableSpan] = field(default_factory=list)
    more: int = 0


class TracePrinter(SpanProcessor):
    """Prints traces as trees, each when all of its spans that have started here have ended.

    Args:
        out: takes the trees, plain where it is no terminal.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._traces: OrderedDict[int, _Trace] = OrderedDict()
        self._lock = RLock()
        in_forked_child(self._forget)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the SDK's
        """Take note that a span has started."""
        known = _sampled_trace(span)
        if known is None:
            return
        with self._lock:
            self._traces.setdefault(known, _Trace()).open += 1
            surplus = [*self._traces][: len(self._traces) - _MOST_TRACES]
            given_way = [self._traces.pop(trace) for trace in surplus]
        for trace in given_way:
            self._print(trace)

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that has ended; print the trace if it is the last."""
        known = _sampled_trace(span)
        if known is None:
            return
        with self._lock:
            trace = self._traces.setdefault(known, _Trace(open=1))
            if len(trace.ended) < _MOST_SPANS:
                trace.ended.append(span)
            else:
                trace.more += 1
            trace.open -= 1
            if trace.open > 0:
                return
            del self._traces[known]
        self._print(trace)

    def shutdown(self) -> None:
        """Print what there is of the traces that have not ended."""
        with self._lock:
            left = list(self._traces.values())
            self._traces.clear()
        for trace in left:
            self._print(trace)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's
        """Say that nothing waits: a trace is printed when it ends."""
        return True

    def _print(self, trace: _Trace) -> None:
        if not trace.ended:
            return
        text = self._drawn(trace)
        try:
            with self._lock:
                self._out.write(text)
                self._out.flush()
        except (OSError, ValueError):  # whoever reads it is gone, or it was closed
            return

    def _drawn(self, trace: _Trace) -> str:
        # Imported late: only who prints traces needs it.
        from rich.console import Console  # noqa: PLC0415

        from .trace_tree import TraceTree  # noqa: PLC0415

        records = [SpanRecord.from_span(span) for span in trace.ended]
        console = Console(file=self._out, width=None if self._out.isatty() else _WIDE)
        with console.capture() as capture:
            console.print(TraceTree(records))
            if trace.more:
                console.print(f"and {trace.more:,} more spans", style="dim", highlight=False)
            if any(map(_is_silent, records)):
                console.print(_HINT, style="dim", highlight=False, soft_wrap=True)
        text = "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())
        encoding = getattr(self._out, "encoding", None) or "utf-8"
        return text.encode(encoding, "backslashreplace").decode(encoding)

    def _forget(self) -> None:
        """In a child of a fork: what is open is the parent's."""
        self._lock = RLock()
        self._traces.clear()


def _sampled_trace(span: ReadableSpan) -> int | None:
    """Return the id of a span's trace, where that is sampled."""
    context = span.get_span_context()
    is_sampled = context is not None and context.trace_flags & TraceFlags.SAMPLED
    return context.trace_id if context is not None and is_sampled else None


def _is_silent(span: SpanRecord) -> bool:
    """Whether an exception is shown by its class alone."""
    events = [event for event in span.events if event.name == "exception"]
    return bool(events) and not any("exception.message" in event.attributes for event in events)
