"""What was measured, until somebody collects metrics.

Nothing is recorded while runs go on or end: sums and distributions are kept here. So the caller
of a run pays for a few additions, and memory is bounded also where nobody ever collects.
"""

from __future__ import annotations

from threading import RLock
from time import monotonic
from typing import TYPE_CHECKING, Final, TypeAlias

from .bulk import record
from .distributions import Distribution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.metrics import Histogram as SdkHistogram
    from opentelemetry.trace import SpanContext

    from .._semconv.metrics import Counter, Histogram
    from .._stream.sketch import Sketch
    from .series import Series

    _Waiting: TypeAlias = tuple[Histogram, Series, int, SpanContext | None]

# So many values wait to be counted together: the end of a run costs an append for each.
COUNT_EVERY: Final = 32
# How long a collection may record values one by one, in seconds; the rest waits for the next.
_BUDGET: Final = 2.0


class Recorder:
    """Keeps the sums of counters and the values of histograms.

    Attributes:
        waiting: values that wait to be counted. A list appends in one step, without the lock.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self.waiting: list[_Waiting] = []
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
        if isinstance(value, int):
            self.waiting.append((histogram, series, value, span))
            if len(self.waiting) >= COUNT_EVERY:
                self.count_waiting()
            return
        with self._lock:
            self._distribution(histogram, series).merge(value, span)

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
        self.count_waiting()
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

    def count_waiting(self) -> None:
        """Count the values that wait, all of one distribution together."""
        with self._lock:
            # One that another thread appends meanwhile waits for the next time.
            taken = self.waiting[:]
            del self.waiting[: len(taken)]
            together: dict[tuple[Histogram, Series], list[tuple[int, SpanContext | None]]] = {}
            for histogram, series, value, span in taken:
                together.setdefault((histogram, series), []).append((value, span))
            for (histogram, series), values in together.items():
                self._distribution(histogram, series).add_all(values)

    def _distribution(self, histogram: Histogram, series: Series) -> Distribution:
        key = histogram, series
        if key not in self._distributions:
            self._distributions[key] = Distribution(histogram)
        return self._distributions[key]
