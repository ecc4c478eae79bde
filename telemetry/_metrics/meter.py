"""The instruments of one meter provider, and what they are given when they are read."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.metrics import Observation

from .._diagnostics import features_off
from .._process import in_forked_child
from .._providers import one_of
from .._semconv import metrics as instruments
from .._semconv import names as semconv
from .._semconv.metrics import histograms_of
from .attribute_sets import AttributeSet
from .live import LiveRuns
from .measurements import Counted, run_measurements, shared_attributes
from .recorder import COUNT_EVERY, Recorder
from .series import SeriesLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider
    from opentelemetry.trace import SpanContext

    from .._semconv.metrics import Counter, Measure
    from .._semconv.names import Edition
    from .._stream.sketch import Sketch
    from .._translation.kinds import RunKind
    from .._values.attributes import AttributeValue
    from .measurements import EndedRun
    from .series import Series, Value

    Read = Callable[[], Mapping[Series, float]]


_MOST_SHARED: Final = 512
# So many runs wait to be measured together.
_MEASURE_EVERY: Final = 16


class RunMeter:
    """Keeps what the handlers of one meter provider measure, until somebody collects it.

    A reader's collection asks observable instruments before all else: whichever is asked gives
    the histograms their values first, so that what a reader collects is complete.

    Args:
        meter: makes the instruments.
        edition: of the conventions.

    Attributes:
        live: the runs that are going on.
        of_kinds: the attributes of the runs of each kind, and of what its spans call its operation.
    """

    def __init__(self, meter: Meter, edition: Edition) -> None:
        self.live = LiveRuns()
        self._recorder = Recorder()
        self._limit = SeriesLimit()
        self.of_kinds: dict[tuple[RunKind, object], AttributeSet] = {}
        self._edition = edition
        # What has ended and is not measured yet: in bulk it takes half as long.
        self._ended: deque[EndedRun] = deque()
        self._sets: dict[Series, AttributeSet] = {}
        self._shared: dict[int, tuple[object, AttributeSet]] = {}
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
        self._observe(meter, instruments.OPEN_RUNS, self.live.by_kind)
        self._observe(meter, instruments.OLDEST_RUN_AGE, self.live.oldest)
        self._observe(meter, instruments.STALLED_STREAMS, self.live.stalled)
        self._observe(meter, instruments.CHUNKS, self.live.chunks)
        for counter in instruments.counters_of(edition):
            self._observe(meter, counter, self._totals_of(counter))
        # Its parent has measured what there is, and reports it itself.
        in_forked_child(self.clear)

    def attributes(self, attributes: Mapping[str, Value]) -> AttributeSet:
        """Return the attributes of a measurement, one object for all that belong to one series."""
        series = self._limit.series(attributes)
        known = self._sets.get(series)
        if known is None:
            known = self._sets.setdefault(series, AttributeSet(dict(series), self._limit))
        return known

    def shared(self, attributes: Mapping[str, AttributeValue]) -> AttributeSet:
        """Return the attributes of all that is measured of runs, by those of their spans.

        Spans that are alike have them in common, as one object by which these are found.
        """
        known = self._shared.get(id(attributes))
        if known is None:
            known = attributes, self.attributes(shared_attributes(attributes))
            if len(self._shared) >= _MOST_SHARED:
                self._shared.clear()
            self._shared[id(attributes)] = known
        return known[1]

    def measure(self, run: EndedRun) -> None:
        """Measure a run that has ended, with those that wait, or let it wait."""
        self._ended.append(run)
        if len(self._ended) >= _MEASURE_EVERY:
            self._measure_waiting()

    def _measure_waiting(self) -> None:
        with suppress(IndexError):  # another thread was faster
            while self._ended:
                run = self._ended.popleft()
                for measured in run_measurements(run, self._edition):
                    if isinstance(measured, Counted):
                        self.count(measured.counter, measured.attributes, measured.amount)
                    else:
                        self.record(*measured, run.span)

    def record(
        self,
        measure: Measure,
        attributes: AttributeSet,
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
        if not isinstance(value, int):
            self._recorder.record(self._kinds[measure], attributes.series, value, span)
            return
        waiting = attributes.waiting.get(measure)
        if waiting is None:
            waiting = self._recorder.waiting(self._kinds[measure], attributes.series)
            attributes.waiting[measure] = waiting
        waiting.values.append((value, span))
        if len(waiting.values) >= COUNT_EVERY:
            self._recorder.count(waiting)

    def count(self, counter: Counter, attributes: AttributeSet, amount: float) -> None:
        """Let a counter grow."""
        self._recorder.add(counter, attributes.series, amount)

    def clear(self) -> None:
        """Forget all that was measured."""
        self._ended.clear()
        self.live.clear()
        self._recorder.clear()

    def _observe(self, meter: Meter, kind: Counter, read: Read) -> None:
        def callback(_options: CallbackOptions) -> Iterable[Observation]:
            """Return what is now, with all that was measured before it."""
            self._measure_waiting()
            self._recorder.drain(self._histograms)
            return [Observation(amount, dict(series)) for series, amount in read().items()]

        create: Any = meter.create_observable_counter
        if isinstance(kind, instruments.UpDownCounter):
            create = meter.create_observable_up_down_counter
        elif isinstance(kind, instruments.Gauge):
            create = meter.create_observable_gauge
        create(kind.name, [callback], kind.unit, kind.description)

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
