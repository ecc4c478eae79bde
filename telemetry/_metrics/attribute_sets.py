"""The attributes of measurements, each set made once, with what waits to be counted of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import SpanContext

    from .._semconv.metrics import Histogram, Measure
    from .series import Series, SeriesLimit, Value

_MOST: Final = 128


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """Values of one series that wait to be counted together.

    Attributes:
        histogram: that they are of.
        series: that they belong to.
        values: in the histogram's scale, each with the span in which it was measured, where that
            one is sampled. A list takes a value in one step, with no lock.
    """

    histogram: Histogram
    series: Series
    values: list[tuple[int, SpanContext | None]] = field(default_factory=list)


class AttributeSet:
    """Attributes of measurements, which knows those that have one more.

    To find the series of attributes takes longer than to count a value: so what is measured with
    the same attributes time and again is measured with the same object.

    Args:
        attributes: never changed.
        limit: of the series.

    Attributes:
        series: that they belong to.
        waiting: values of each measure that wait to be counted.
    """

    __slots__ = ("_attributes", "_limit", "_with_more", "series", "waiting")

    def __init__(self, attributes: Mapping[str, Value], limit: SeriesLimit) -> None:
        self._attributes = attributes
        self._limit = limit
        self.series = limit.series(attributes)
        self.waiting: dict[Measure, Waiting] = {}
        self._with_more: dict[tuple[str, Value], AttributeSet] = {}

    def beside(self, name: str, value: Value) -> AttributeSet:
        """Return these attributes, and one more."""
        known = self._with_more.get((name, value))
        if known is None:
            if len(self._with_more) >= _MOST:
                self._with_more.clear()
            known = AttributeSet({**self._attributes, name: value}, self._limit)
            self._with_more[name, value] = known
        return known
