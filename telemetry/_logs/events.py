"""The events of models as OpenTelemetry log records, as they happen: a run can be followed."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import nsmallest
from threading import Lock
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import set_span_in_context

from .._context.current import current
from .._runs.current import run_attributes
from .._semconv import names as semconv
from .._stream.attributes import stream_attributes
from .._translation.outcome import Outcome
from .ticker import Ticker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry._logs import Logger
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from .._content.door import Content
    from .._diagnostics import Diagnostics
    from .._runs.run import Run
    from .._stream.clock import StreamClock
    from .._translation.ending import Ending
    from .._values.attributes import Attributes, AttributeValue

LOOK_EVERY: Final = 1.0
# A look reports no more streams; those that it leaves out come first the next time.
MAX_RECORDS_A_LOOK: Final = 256

_NS: Final = 1e9
_FAILURES: Final = (Outcome.ERROR, Outcome.LOST)


class LogEvents:
    """Emits a record when a model starts, once a second while it streams, and when it ends.

    And one when a stream has stalled, while it is still waited for. Nothing of it is on the
    token path: a thread looks at the streams that are open. The records of a stream report each
    of its chunks once, in order, and follow their trace's sampling.

    Args:
        logger: of OpenTelemetry.
        diagnostics: counts what could not be emitted.
    """

    reads_totals = False

    def __init__(self, logger: Logger, diagnostics: Diagnostics) -> None:
        self._logger = logger
        self._diagnostics = diagnostics
        self._followed: dict[int, _Followed] = {}
        self._lock = Lock()
        self._ticker = Ticker(self._look, lambda: bool(self._followed), LOOK_EVERY)

    def opened(self, run: Run, _content: Content) -> None:
        """Emit the record of a model's start, and follow its stream."""
        if run.span is None or not run.kind.is_model or not is_sampled(run.span):
            return
        context = set_span_in_context(run.span, current())
        followed = _Followed(run, context, {**run.attributes, **run_attributes(run)})
        self._followed[run.run_id] = followed
        self._ticker.wake()
        self._emit(followed, semconv.EVENT_MODEL_START, run.started_at, {})

    def closed(self, run: Run, ending: Ending) -> None:
        """Emit the records of the chunks that are left, and of the model's end."""
        followed = self._followed.pop(run.run_id, None)
        if followed is not None:
            self._emit_chunks(followed)
            outcome = ending.outcome
            severity = SeverityNumber.WARN if outcome in _FAILURES else SeverityNumber.INFO
            attributes = _result(run, ending, outcome)
            self._emit(followed, semconv.EVENT_MODEL_END, ending.at, attributes, severity)

    def forget(self) -> None:
        """Forget every stream: this is a forked child, and they are its parent's."""
        self._lock = Lock()
        self._followed.clear()
        self._ticker.forget()

    def _look(self) -> None:
        now = perf_counter_ns()
        followed = list(self._followed.values())
        moved = [one for one in followed if one.has_moved]
        stalled = [one for one in followed if one.has_stalled(now)]
        for one in nsmallest(MAX_RECORDS_A_LOOK, moved, key=lambda one: one.reported_at):
            with self._diagnostics.contains("LogEvents missed a look"):
                self._emit_chunks(one)
        for one in stalled[:MAX_RECORDS_A_LOOK]:
            with self._diagnostics.contains("LogEvents missed a look"):
                self._emit_stall(one)

    def _emit_chunks(self, followed: _Followed) -> None:
        # The end of a run and a look may meet.
        with self._lock:
            attributes, at = followed.advance(), followed.reported_at
        if attributes:
            self._emit(followed, semconv.EVENT_MODEL_STREAM, at, attributes)

    def _emit_stall(self, followed: _Followed) -> None:
        now = perf_counter_ns()
        attributes = followed.stall(now)
        self._emit(followed, semconv.EVENT_STALL, now, attributes, SeverityNumber.WARN)

    def _emit(
        self,
        followed: _Followed,
        name: str,
        at: int,
        attributes: Mapping[str, AttributeValue],
        severity: SeverityNumber = SeverityNumber.INFO,
    ) -> None:
        self._logger.emit(
            timestamp=followed.run.time(at),
            context=followed.context,
            severity_number=severity,
            severity_text=severity.name,
            attributes={**followed.attributes, **attributes},
            event_name=name,
        )


@dataclass(slots=True, eq=False)
class _Followed:
    """A model's run, and how much of its stream has been reported.

    Attributes:
        run: of the model.
        context: with its span.
        attributes: of all its records.
        chunks: how many have been reported.
        reported_at: when the last of them came, in ns of the monotonic clock.
        stalled_at: index of the last chunk whose lateness was reported.
    """

    run: Run
    context: Context
    attributes: Attributes
    chunks: int = 0
    reported_at: int = 0
    stalled_at: int | None = None

    @property
    def clock(self) -> StreamClock | None:
        """The stream's clock."""
        return self.run.chunks.clock if self.run.chunks is not None else None

    @property
    def has_moved(self) -> bool:
        """Whether there are chunks that have not been reported."""
        return self.clock is not None and self.clock.chunks > self.chunks

    def has_stalled(self, now: int) -> bool:
        """Whether the next chunk is late, and that has not been reported."""
        clock = self.clock
        return clock is not None and self.stalled_at != clock.chunks and clock.is_stalled(now)

    def stall(self, now: int) -> Attributes:
        """Return which chunk is late, and by how much, and note that it is reported."""
        clock = self.clock
        if clock is None:
            return {}
        self.stalled_at = clock.chunks
        waited = now - clock.waiting_since
        return {semconv.STALL_CHUNK: self.stalled_at, semconv.STALL_DURATION: waited / _NS}

    def advance(self) -> Attributes:
        """Return what is new as attributes, and note that it is reported; nothing if nothing is."""
        clock = self.clock
        last = clock.last_chunk_at if clock is not None else None
        if clock is None or last is None or not self.has_moved:
            return {}
        first, chunks = self.chunks, clock.chunks
        since = self.reported_at or clock.first_chunk_at or last
        # While another thread sorts its chunks in, the clock may be a moment behind.
        self.chunks, self.reported_at = chunks, max(last, since)
        return {
            semconv.WINDOW_FIRST_CHUNK: first,
            semconv.WINDOW_CHUNKS: chunks - first,
            semconv.WINDOW_DURATION: (self.reported_at - since) / _NS,
            semconv.STREAM_CHUNKS: chunks,
        }


def is_sampled(span: Span) -> bool:
    """Say whether the trace of a span is recorded; where there are no traces, nothing says no."""
    context = span.get_span_context()
    return not context.is_valid or context.trace_flags.sampled


def _result(run: Run, ending: Ending, outcome: Outcome | None) -> Attributes:
    attributes: Attributes = {semconv.RUN_DURATION: (ending.at - run.started_at) / _NS}
    if outcome is not None:
        attributes[semconv.OUTCOME] = outcome.value
    if outcome in _FAILURES:
        attributes[semconv.ERROR_TYPE] = ending.error_type or outcome.value
    answer = ending.result_attributes(run.start)
    clock = run.chunks.clock if run.chunks is not None else None
    if clock is None:
        return {**attributes, **answer}
    return {**attributes, **stream_attributes(clock, answer, ending.said), **answer}
