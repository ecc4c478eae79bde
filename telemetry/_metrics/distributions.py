"""Values of one histogram that wait to be recorded, in bounded memory (pure)."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, TypeAlias

from .._stream.sketch import Sketch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.trace import SpanContext

    from .._semconv.metrics import Histogram


# A value that is exported together with the span in which it was measured. Plain: there are many.
Exemplar: TypeAlias = "tuple[int, SpanContext]"


class Distribution:
    """Counts of values, and of each of the histogram's buckets the last value as an exemplar.

    Args:
        histogram: that the values are of.
    """

    __slots__ = ("_exemplars", "_histogram", "sketch")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._exemplars: dict[int, Exemplar] = {}
        self.sketch = Sketch()

    @property
    def exemplars(self) -> Iterable[Exemplar]:
        """The values that are exported with their spans; the sketch does not count them."""
        return self._exemplars.values()

    def add_all(self, values: Iterable[tuple[int, SpanContext | None]]) -> None:
        """Count values; of each bucket the last is an exemplar, where its span is given."""
        boundaries, scale = self._histogram.boundaries, self._histogram.scale
        exemplars, counted = self._exemplars, []
        for value, span in values:
            if span is None:
                counted.append(value)
                continue
            bucket = bisect_left(boundaries, value / scale)
            displaced = exemplars.get(bucket)
            if displaced is not None:
                counted.append(displaced[0])
            exemplars[bucket] = value, span
        counted.sort()
        self.sketch.add_ordered(counted)

    def merge(self, sketch: Sketch, span: SpanContext | None) -> None:
        """Count what a *sketch* has counted, its greatest as an exemplar where *span* is given."""
        self.sketch.merge(sketch)
        if span is not None and sketch.count:
            self.sketch.discard(sketch.maximum)
            self._exhibit(sketch.maximum, span)

    def _exhibit(self, value: int, span: SpanContext) -> None:
        bucket = bisect_left(self._histogram.boundaries, value / self._histogram.scale)
        displaced = self._exemplars.get(bucket)
        self._exemplars[bucket] = value, span
        if displaced is not None:
            self.sketch.add(displaced[0])
