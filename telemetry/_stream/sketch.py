"""Counts of values in bounded memory, exact at the bounds of histograms (pure).

Values are integers from 0 up, for example nanoseconds or tokens.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from .._semconv.metrics import exact_integers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_VALUE: Final = 2**63 - 1

# Bounds of buckets whose middle is within 5 % of both ends; the smallest hold one value each.
_ACCURACY: Final = 0.05
_GROWTH: Final = (1 + _ACCURACY) / (1 - _ACCURACY)
_GROWING: Final = {int(_GROWTH**power) for power in range(437)}

# No bucket reaches across a bound of a histogram's buckets: so what was counted here falls,
# bucket by bucket, to the side of each bound where its values belong.
_BOUNDS: Final = sorted({0, MAX_VALUE} | _GROWING | exact_integers())


class Sketch:
    """Counts of values in buckets of about equal relative width: any quantile within 5 %.

    Attributes:
        count: how many values there are.
        total: their sum.
        minimum: the least of them; `MAX_VALUE` without any.
        maximum: the greatest of them; 0 without any.
    """

    __slots__ = ("_buckets", "count", "maximum", "minimum", "total")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self.count = 0
        self.total = 0
        self.minimum = MAX_VALUE
        self.maximum = 0

    def add(self, value: int, times: int = 1) -> None:
        """Count a *value*, from 0 to `MAX_VALUE`, that came so many *times*."""
        bucket = bisect_left(_BOUNDS, value)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + times
        self.count += times
        self.total += value * times
        self.minimum = min(self.minimum, value)
        self.maximum = max(self.maximum, value)

    def add_ordered(self, values: Sequence[int]) -> None:
        """Count *values*, from 0 to `MAX_VALUE`, in ascending order."""
        if not values:
            return
        # In order, whole buckets are counted at a time: this is most of what a chunk costs.
        buckets, bounds = self._buckets, _BOUNDS
        start, size, bucket = 0, len(values), 0
        while start < size:
            bucket = bisect_left(bounds, values[start], bucket)
            end = bisect_right(values, bounds[bucket], start)
            buckets[bucket] = buckets.get(bucket, 0) + end - start
            start = end
        self.count += size
        self.total += sum(values)
        self.minimum = min(self.minimum, values[0])
        self.maximum = max(self.maximum, values[-1])

    def discard(self, value: int) -> None:
        """Count a *value* no longer that was counted; least and greatest stay what they were."""
        bucket = bisect_left(_BOUNDS, value)
        self._buckets[bucket] -= 1
        if not self._buckets[bucket]:
            del self._buckets[bucket]
        self.count -= 1
        self.total -= value

    def merge(self, other: Sketch) -> None:
        """Count all that *other* has counted."""
        for bucket, count in other._buckets.items():
            self._buckets[bucket] = self._buckets.get(bucket, 0) + count
        self.count += other.count
        self.total += other.total
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)

    @property
    def mean(self) -> float:
        """The mean of the values; 0 without any."""
        return self.total / self.count if self.count else 0.0

    def quantile(self, share: float) -> float:
        """Return the least value that at least a *share* (0 to 1) of all do not exceed."""
        ascending = sorted(self._buckets)
        up_to = list(accumulate(map(self._buckets.__getitem__, ascending)))
        place = bisect_left(up_to, share * self.count)
        return self._value(ascending[place]) if place < len(up_to) else float(self.maximum)

    def counts(self) -> Iterator[tuple[float, int]]:
        """Give, in ascending order, values that stand for all that were counted, and how often."""
        for bucket in sorted(self._buckets):
            yield self._value(bucket), self._buckets[bucket]

    def _value(self, bucket: int) -> float:
        """Return the value that stands for those of a bucket."""
        return min(max(_middle(bucket), self.minimum), self.maximum)


def _middle(bucket: int) -> float:
    """Return the value that is, relatively, as far from the least of a bucket as from its most."""
    least, most = _BOUNDS[bucket - 1] + 1 if bucket else 0, _BOUNDS[bucket]
    return 2 * least * most / (least + most) if most else 0.0
