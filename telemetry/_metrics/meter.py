"""The instruments of one meter provider, and what they are given when they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.metrics import Observation

from .._diagnostics import features_off
from .._process import in_forked_child
from .._providers import one_of
from .._semconv import metrics as instruments
from .._semconv import names as semconv
from .._semconv.metrics import histograms_of
from .live import LiveRun, LiveRuns
from .recorder import Recorder
from .series import SeriesLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider
    from opentelemetry.trace import SpanContext

    from .._semconv.metrics import Counter, Measure
    from .._semconv.names import Edition
    from .._stream.clock import StreamClock
    from .._stream.sketch import Sketch
    from .series import Series, Value

    Attributes = Mapping[str, Value]
    Read = Callable[[], Mapping[Series, float]]


class RunMeter:
    """Keeps what the handlers of one meter provider measure, until somebody collects it.

    A reader's collection asks observable instruments before all else: there the histograms are
    given their values, so that what a reader collects is complete.

    Args:
        meter: makes the instruments.
        edition: of the conventions.
    """

    def __init__(self, meter: Meter, edition: Edition) -> None:
        self._live = LiveRuns()
        self._recorder = Recorder()
        self._limit = SeriesLimit()
        self._kinds = histograms_of(edition)
        self._histograms = {
            kind: meter.create_histogram(
                kind.name,
                kind.unit,
                kind.description,
                explicit_bucket_boundaries_advisory=kind.boundaries,
            )
            for kind in dict.fromkeys(self._kinds.values())
        }
        _observe(meter, instruments.OPEN_RUNS, self._drain_and_read_open_runs)
        _observe(meter, instruments.OLDEST_RUN_AGE, self._live.oldest)
        _observe(meter, instruments.STALLED_STREAMS, self._live.stalled)
        _observe(meter, instruments.CHUNKS, self._live.chunks)
        for counter in instruments.counters_of(edition):
            _observe(meter, counter, self._totals_of(counter))
        # Its parent has measured what there is, and reports it itself.
        in_forked_child(self.clear)

    def open(self, run_id: int, kind: Attributes, started_at: int) -> None:
        """Take note of a run that has started, at *started_at* in ns of the monotonic clock."""
        self._live.open(run_id, LiveRun(self._limit.series(kind), started_at=started_at))

    def open_stream(
        self, run_id: int, kind: Attributes, request: Attributes, clock: StreamClock
    ) -> None:
        """Take note of a run that has started and may stream."""
        stream = self._limit.series(request)
        run = LiveRun(self._limit.series(kind), stream, clock, clock.started_at)
        self._live.open(run_id, run)

    def close(self, run_id: int) -> bool:
        """Take note of a run that has ended; return whether it was open until now."""
        return self._live.close(run_id) is not None

    def record(
        self,
        measure: Measure,
        attributes: Attributes,
        value: int | Sketch,
        span: SpanContext | None,
    ) -> None:
        """Record a value, or many.

        Args:
            measure: what they are of.
            attributes: of each.
            value: in the scale of the measure's histogram.
            span: in which they were measured, where that one is sampled.
        """
        series = self._limit.series(attributes)
        self._recorder.record(self._kinds[measure], series, value, span)

    def count(self, counter: Counter, attributes: Attributes, amount: float) -> None:
        """Let a counter grow."""
        self._recorder.add(counter, self._limit.series(attributes), amount)

    def clear(self) -> None:
        """Forget all that was measured."""
        self._live.clear()
        self._recorder.clear()

    def _drain_and_read_open_runs(self) -> Mapping[Series, float]:
        self._recorder.drain(self._histograms)
        return self._live.by_kind()

    def _totals_of(self, counter: Counter) -> Read:
        if counter is instruments.TROUBLES:
            return self._troubles
        return lambda: self._recorder.totals(counter)

    def _troubles(self) -> Mapping[Series, float]:
        off = {self._limit.series({semconv.TROUBLE: name}): n for name, n in features_off().items()}
        return {**self._recorder.totals(instruments.TROUBLES), **off}


def run_meter_of(provider: MeterProvider, meter: Meter, edition: Edition) -> RunMeter:
    """Return what measures for a meter provider, which all its handlers share.

    Of two observable instruments of one name the SDK asks only the first.
    """
    return one_of(provider, RunMeter, lambda: RunMeter(meter, edition), variant=edition)


def _observe(meter: Meter, kind: Counter, read: Read) -> None:
    def callback(_options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(amount, dict(series)) for series, amount in read().items()]

    create: Any = meter.create_observable_counter
    if isinstance(kind, instruments.UpDownCounter):
        create = meter.create_observable_up_down_counter
    elif isinstance(kind, instruments.Gauge):
        create = meter.create_observable_gauge
    create(kind.name, [callback], kind.unit, kind.description)
