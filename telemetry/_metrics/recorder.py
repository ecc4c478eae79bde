"""What was measured, until somebody collects metrics.

Nothing is recorded while runs go on or end: sums and distributions are kept here. So the caller
of a run pays for a few additions, and memory is bounded also where nobody ever collects.
"""

from __future__ import annotations

from threading import RLock
from time import monotonic
from typing import TYPE_CHECKING, Final

from .attribute_sets import Waiting
from .bulk import record
from .distributions import Distribution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.metrics import Histogram as SdkHistogram
    from opentelemetry.trace import SpanContext

    from .._semconv.metrics import Counter, Histogram
    from .._stream.sketch import Sketch
    from .series import Series

# So many values of a series wait to be counted together: the end of a run costs an append for each.
COUNT_EVERY: Final = 16
# How long a collection may record values one by one, in seconds; the rest waits for the next.
_BUDGET: Final = 2.0


class Recorder:
    """Keeps the sums of counters and the values of histograms."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._waiting: dict[tuple[Histogram, Series], Waiting] = {}
        self._distributions: dict[tuple[Histogram, Series], Distribution] = {}
        self._totals: dict[Counter, dict[Series, float]] = {}

    def waiting(self, histogram: Histogram, series: Series) -> Waiting:
        """Return what keeps the values of a series until they are counted."""
        with self._lock:
            key = histogram, series
            return self._waiting.get(key) or self._waiting.setdefault(key, Waiting(*key))

    def record(
        self, histogram: Histogram, series: Series, values: Sketch, span: SpanContext | None
    ) -> None:
        """Record all values of a sketch.

        Args:
            histogram: that they are of.
            series: that they belong to.
            values: in the histogram's scale.
            span: in which they were measured, where that one is sampled.
        """
        with self._lock:
            self._distribution(histogram, series).merge(values, span)

    def add(self, counter: Counter, series: Series, amount: float) -> None:
        """Add an amount to a counter."""
        with self._lock:
            totals = self._totals.setdefault(counter, {})
            totals[series] = totals.get(series, 0) + amount

    def totals(self, counter: Counter) -> Mapping[Series, float]:
        """Return the sums of a counter so far."""
        with self._lock:
            return dict(self._totals.get(counter, {}))

    def drain(self, histograms: Mapping[Histogram, SdkHistogram]) -> None:
        """Give the histograms all values that were recorded since the last time."""
        for waiting in list(self._waiting.values()):
            self.count(waiting)
        with self._lock:
            drained, self._distributions = self._distributions, {}
        until = monotonic() + _BUDGET
        for (kind, series), distribution in drained.items():
            left = record(histograms[kind], distribution, kind.scale, dict(series), until)
            if left is not None:
                self.record(kind, series, left, None)

    def clear(self) -> None:
        """Forget all that was measured; who has a list of what waits keeps it."""
        self._lock = RLock()
        self._distributions.clear()
        self._totals.clear()
        for waiting in self._waiting.values():
            waiting.values.clear()

    def count(self, waiting: Waiting) -> None:
        """Count the values of a series that wait."""
        with self._lock:
            # One that another thread appends meanwhile waits for the next time.
            taken = waiting.values[:]
            del waiting.values[: len(taken)]
            if taken:
                self._distribution(waiting.histogram, waiting.series).add_all(taken)

    def _distribution(self, histogram: Histogram, series: Series) -> Distribution:
        key = histogram, series
        if key not in self._distributions:
            self._distributions[key] = Distribution(histogram)
        return self._distributions[key]
