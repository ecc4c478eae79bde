"""Gives a histogram of the SDK many values at once, through what the SDK keeps private.

The API records one value at a time, at 3 to 16 microseconds each: for the gaps of a stream that
would be more than LangChain itself spends on a chunk. There is no other public way in.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cache
from time import time_ns
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk import metrics as sdk
from opentelemetry.sdk.metrics.view import DefaultAggregation

from .opentelemetry import AGGREGATIONS, HISTOGRAMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.metrics import Histogram


@dataclass(frozen=True, slots=True)
class Values:
    """Values that a histogram is given, in its unit.

    Attributes:
        counts: each value, and how often there is it.
        total: their sum.
        minimum: the least of them.
        maximum: the greatest.
    """

    counts: Sequence[tuple[float, int]]
    total: float
    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True)
class _Classes:
    drop: Any
    buckets: Any
    measurement: Any


def record_at_once(
    histogram: Histogram, values: Values, attributes: Mapping[str, str | int], context: Context
) -> bool:
    """Record all *values*, if the histogram is one that can take them at once.

    Args:
        histogram: of any make.
        values: to be recorded.
        attributes: of each.
        context: in which they are recorded.

    Returns:
        Whether they are recorded.
    """
    if not isinstance(histogram, sdk.Histogram) or (classes := _classes()) is None:
        return False
    try:
        aggregations = list(_aggregations(histogram, attributes))
        for aggregation in aggregations:
            if isinstance(aggregation, classes.buckets):
                _check(aggregation)
    except (AttributeError, TypeError) as error:
        HISTOGRAMS.miss(error if isinstance(error, AttributeError) else None)
        return False
    for aggregation in aggregations:
        if isinstance(aggregation, classes.buckets):
            _add_to_buckets(aggregation, values)
        elif not isinstance(aggregation, classes.drop):
            for value, times in values.counts:
                measured = classes.measurement(value, time_ns(), histogram, context, attributes)
                for _ in range(times):
                    aggregation.aggregate(measured, should_sample_exemplar=False)
    return True


@cache
def _classes() -> _Classes | None:
    found = HISTOGRAMS.find()
    return _Classes(*found[1:4]) if found is not None else None


def _aggregations(histogram: Any, attributes: Mapping[str, str | int]) -> Iterator[Any]:
    """Give the aggregation of each reader and view, as the SDK finds them for a measurement."""
    newer = AGGREGATIONS.find()
    if newer is not None and not histogram._is_enabled():
        return
    for storage in histogram._measurement_consumer._reader_storages.values():
        for match in storage._get_or_init_view_instrument_match(histogram):
            keys = match._view._attribute_keys
            kept = {k: v for k, v in attributes.items() if keys is None or k in keys}
            with match._lock:
                if newer is None:
                    yield _found_or_made(match, kept)
                else:
                    yield match._get_or_create_aggregation(newer[0](kept), kept)


def _found_or_made(match: Any, attributes: Mapping[str, str | int]) -> Any:
    known = match._attributes_aggregation
    key = frozenset(attributes.items())
    if key not in known:
        kind = match._view._aggregation
        if isinstance(kind, DefaultAggregation):
            kind = match._instrument_class_aggregation[type(match._instrument)]
        reservoirs = match._view._exemplar_reservoir_factory
        known[key] = kind._create_aggregation(match._instrument, attributes, reservoirs, time_ns())
    return known[key]


def _check(buckets: Any) -> None:
    """Raise an `AttributeError` where buckets are not as they are known here."""
    for name in ("_lock", "_value", "_sum", "_min", "_max", "_boundaries", "_record_min_max"):
        getattr(buckets, name)


def _add_to_buckets(buckets: Any, values: Values) -> None:
    with buckets._lock:
        bounds = buckets._boundaries
        counts = buckets._value or [0] * (len(bounds) + 1)
        for value, times in values.counts:
            counts[bisect_left(bounds, value)] += times
        buckets._value = counts
        buckets._sum += values.total
        if buckets._record_min_max:
            buckets._min = min(buckets._min, values.minimum)
            buckets._max = max(buckets._max, values.maximum)
