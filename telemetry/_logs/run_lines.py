"""The handler's own lines: a run has started, its first chunk has come, it stalls, it has ended.

They go to the standard library's logger `nodespan.telemetry.runs`, never with content: where
nobody listens to it they cost a look at its level.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import attach, detach
from opentelemetry.trace import set_span_in_context

from .._context.current import current
from .._runs.current import run_fields, span_fields
from .._semconv import names as semconv
from .._stream.attributes import tokens_per_second
from .._translation.exceptions import signature
from .._translation.kinds import RunKind
from .._translation.outcome import Outcome
from .._translation.spans import span_plan
from .lines import Line
from .stalls import StallWatch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._content.door import Content
    from .._diagnostics import Diagnostics
    from .._runs.registry import OpenRuns
    from .._runs.run import Run
    from .._stream.clock import StreamClock, Waits
    from .._stream.counter import ChunkCounter
    from .._translation.ending import Ending

Fields = dict[str, Any]

LOGGER: Final = logging.getLogger("nodespan.telemetry.runs")
# A program that has set no logging up sees no warnings of it on standard error.
LOGGER.addHandler(logging.NullHandler())

_NS: Final = 1e9
_DECIMALS: Final = 6
_HINT: Final = "capture_content=SPAN_ONLY records on spans what exceptions say"
_STEPS: Final = (RunKind.NODE, RunKind.ATTEMPTS, RunKind.RETRIEVER, RunKind.RUNNABLE)
_FAILURES: Final = (Outcome.ERROR, Outcome.LOST)
_USAGE: Final = {
    "input_tokens": semconv.USAGE_INPUT_TOKENS,
    "output_tokens": semconv.USAGE_OUTPUT_TOKENS,
    "cost": semconv.COST,
    "currency": semconv.CURRENCY,
    "retries": semconv.HTTP_RESEND_COUNT,
    "retry_reasons": semconv.HTTP_RESEND_REASONS,
}


class RunLog:
    """Logs starts, first chunks and ends of runs.

    Graphs, models and tools are logged at level INFO, nodes and other steps at DEBUG; a failure
    is a WARNING where it arose and at the root that it has reached, and a stall while it lasts.

    Args:
        runs: the open runs.
        diagnostics: counts what could not be logged.
        waits: how long the chunks of streams may be waited for.
        has_messages: whether spans have what exceptions say; else the first failure says which
            setting does that.
    """

    reads_totals = False

    def __init__(
        self, runs: OpenRuns, diagnostics: Diagnostics, waits: Waits, *, has_messages: bool
    ) -> None:
        self._runs = runs
        self._diagnostics = diagnostics
        self._stalls = StallWatch(waits, self._stalled)
        self._owes_hint = not has_messages

    def forget(self) -> None:
        """Forget every run: this is a forked child, and they are its parent's."""
        self._stalls.forget()

    def opened(self, run: Run, _content: Content) -> None:
        """Log that a run has started."""
        level = logging.DEBUG if run.kind in _STEPS and run.parent is not None else logging.INFO
        if run.chunks is not None and run.span is not None and _is_heard():
            self._stalls.watch(run, run.chunks.clock)
        if LOGGER.isEnabledFor(level):
            if run.chunks is not None:
                self._runs.count_with(run, FirstChunk(run, run.chunks, self))
            _log(level, "run started", run, {})

    def closed(self, run: Run, ending: Ending) -> None:
        """Log that a run has ended, how, and in numbers."""
        if run.chunks is not None:
            self._stalls.let_go(run)
        outcome = ending.outcome
        level = logging.DEBUG if run.kind in _STEPS and run.parent is not None else logging.INFO
        if outcome in _FAILURES and (run.parent is None or _arose_in(run, ending)):
            level = logging.WARNING
        if LOGGER.isEnabledFor(level):
            fields = _result(run, ending, outcome)
            if ending.error is not None and self._owes_hint:
                self._owes_hint = False
                fields["hint"] = _HINT
            _log(level, "run ended", run, fields)

    def first_chunk(self, run: Run, counter: ChunkCounter, at: int) -> None:
        """Log that the first chunk of a run has come, *at* a time in ns, and await no more."""
        self._runs.count_with(run, counter)
        waited = _seconds(at - run.started_at)
        self._log_safely(_level(run), "first chunk", run, {"time_to_first_chunk": waited})

    def _stalled(self, run: Run, chunk: int, waited: int) -> None:
        fields = {"chunk": chunk, "waited": _seconds(waited)}
        self._log_safely(logging.WARNING, "stream stalled", run, fields)

    def _log_safely(self, level: int, event: str, run: Run, details: Fields) -> None:
        # A filter or a handler may be the application's.
        with self._diagnostics.contains(f"{event} could not be logged"):
            _log(level, event, run, details)


class FirstChunk:
    """Stands in for a run's counter until the first chunk has come: the others cost no more.

    Args:
        run: whose chunks are counted.
        counter: counts them.
        log: called with the first chunk.
    """

    __slots__ = ("_counter", "_log", "_run")

    plain = None

    def __init__(self, run: Run, counter: ChunkCounter, log: RunLog) -> None:
        self._run = run
        self._counter = counter
        self._log = log

    def token(self, token: Any, chunk: Any) -> None:
        """Take what `on_llm_new_token` reports."""
        self._counter.token(token, chunk)
        self._look()

    def event(self, event: Mapping[str, Any]) -> None:
        """Take what `on_stream_event` reports."""
        self._counter.event(event)
        self._look()

    def _look(self) -> None:
        first = self._counter.clock.first_chunk_at
        if first is not None:
            self._log.first_chunk(self._run, self._counter, first)


def _log(level: int, event: str, run: Run, details: Fields) -> None:
    if run.span is None:
        return
    name = getattr(run.span, "name", None) or span_plan(run.kind, run.start).name
    ids = span_fields(run.span.get_span_context()) | run_fields(run)
    attempt = {"attempt": run.attempt} if run.attempt is not None else {}
    fields = {"run": name, **attempt, **details, **ids}
    token = attach(set_span_in_context(run.span, current()))
    try:
        LOGGER.log(level, Line(event, fields), extra=fields)
    finally:
        detach(token)


def _is_heard() -> bool:
    """Say whether anybody listens to warnings: a thread that watches streams has a price."""
    if not LOGGER.isEnabledFor(logging.WARNING):
        return False
    logger: logging.Logger | None = LOGGER
    while logger is not None:
        for handler in logger.handlers:
            if not isinstance(handler, logging.NullHandler):
                return True
        logger = logger.parent if logger.propagate else None
    return False


def _level(run: Run) -> int:
    return logging.DEBUG if run.kind in _STEPS and run.parent is not None else logging.INFO


def _arose_in(run: Run, ending: Ending) -> bool:
    return ending.error is None or signature(ending.error) not in run.failures


def _result(run: Run, ending: Ending, outcome: Outcome | None) -> Fields:
    fields: Fields = {
        "outcome": outcome.value if outcome is not None else "ok",
        "duration": _seconds(ending.at - run.started_at),
    }
    if outcome in _FAILURES and outcome is not None:
        fields["error_type"] = ending.error_type or outcome.value
    clock = run.chunks.clock if run.chunks is not None else None
    if clock is None:
        return fields | _usage(run, ending)
    return fields | _stream(clock) | _usage(run, ending) | _speed(run, ending, clock)


def _stream(clock: StreamClock) -> Fields:
    stalls: Fields = {"stalls": clock.stall_count} if clock.stall_count else {}
    first = clock.first_chunk_at
    if first is None:
        return stalls
    fields: Fields = {
        "time_to_first_chunk": _seconds(first - clock.started_at),
        "chunks": clock.chunks,
    }
    gaps = clock.gaps
    if gaps.count:
        fields |= {"gap_p95": _seconds(gaps.quantile(0.95)), "gap_max": _seconds(gaps.maximum)}
    return fields | stalls


def _usage(run: Run, ending: Ending) -> Fields:
    attributes = ending.result_attributes(run.start)
    return {name: attributes[key] for name, key in _USAGE.items() if key in attributes}


def _speed(run: Run, ending: Ending, clock: StreamClock) -> Fields:
    speed = tokens_per_second(clock, ending.result_attributes(run.start), ending.said)
    return {} if speed is None else {"tokens_per_second": round(speed, _DECIMALS)}


def _seconds(duration: float) -> float:
    return round(duration / _NS, _DECIMALS)
