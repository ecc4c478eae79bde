"""What was measured, until somebody collects metrics.

Nothing is recorded while runs go on or end: sums and distributions are kept here. So the caller
of a run pays for a few additions, and memory is bounded also where nobody ever collects.
"""

from __future__ import annotations

from threading import RLock
from time import monotonic
from typing import TYPE_CHECKING, Final

from .bulk import record
from .distributions import Distribution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.metrics import Histogram as SdkHistogram
    from opentelemetry.trace import SpanContext

    from .._semconv.metrics import Counter, Histogram
    from .._stream.sketch import Sketch
    from .series import Series

# How long a collection may record values one by one, in seconds; the rest waits for the next.
_BUDGET: Final = 2.0


class Recorder:
    """Keeps the sums of counters and the values of histograms."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._distributions: dict[tuple[Histogram, Series], Distribution] = {}
        self._totals: dict[Counter, dict[Series, float]] = {}

    def record(
        self, histogram: Histogram, series: Series, value: int | Sketch, span: SpanContext | None
    ) -> None:
        """Record a value, or all values of a sketch.

        Args:
            histogram: that they are of.
            series: that they belong to.
            value: in the histogram's scale.
            span: in which they were measured, where that one is sampled.
        """
        with self._lock:
            distribution = self._distribution(histogram, series)
            if isinstance(value, int):
                distribution.add(value, span)
            else:
                distribution.merge(value, span)

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
        with self._lock:
            drained, self._distributions = self._distributions, {}
        until = monotonic() + _BUDGET
        for (kind, series), distribution in drained.items():
            left = record(histograms[kind], distribution, kind.scale, dict(series), until)
            if left is not None:
                self.record(kind, series, left, None)

    def clear(self) -> None:
        """Forget all that was measured."""
        self.__init__()  # type: ignore[misc]  # as new

    def _distribution(self, histogram: Histogram, series: Series) -> Distribution:
        key = histogram, series
        if key not in self._distributions:
            self._distributions[key] = Distribution(histogram)
        return self._distributions[key]
