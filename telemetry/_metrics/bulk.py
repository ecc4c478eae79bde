"""Records many values of a histogram at once.

The API records one value at a time, at 3 to 16 microseconds each: for the gaps of a stream that
would be more than LangChain itself spends on a chunk. The SDK has no other public way in, so its
aggregations are reached through what it keeps private. Where that is not as it is known here,
and for providers of another make, values are recorded one by one.
"""
# ruff: noqa: SLF001 - see above

from __future__ import annotations

from bisect import bisect_left
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from opentelemetry.context import Context
from opentelemetry.sdk import metrics as sdk
from opentelemetry.trace import NonRecordingSpan, set_span_in_context

from .._stream.sketch import Sketch

try:
    from opentelemetry.sdk.metrics._internal.aggregation import (
        DefaultAggregation,
        _DropAggregation,
        _ExplicitBucketHistogramAggregation,
    )
    from opentelemetry.sdk.metrics._internal.measurement import Measurement
except ImportError:  # an SDK that is laid out anew
    _IS_KNOWN_SDK = False
else:
    _IS_KNOWN_SDK = True

try:
    from opentelemetry.sdk.metrics._internal._view_instrument_match import _hash_attributes
except ImportError:  # before 1.45

    def _hash_attributes(value: Any) -> Any:
        return frozenset(value.items())


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.metrics import Histogram

    from .distributions import Distribution

    Attributes: TypeAlias = Mapping[str, str | int]

# A context that is not empty, which the SDK would take for none at all.
_NO_SPAN: Final = Context({"nodespan-no-span": True})


def record(
    histogram: Histogram,
    distribution: Distribution,
    scale: int,
    attributes: Attributes,
    until: float,
) -> Sketch | None:
    """Record all values of a distribution.

    Args:
        histogram: that they are of.
        distribution: of the values, as integers.
        scale: how many of the integers make one of the histogram's unit.
        attributes: of each value.
        until: when to stop, in seconds of the monotonic clock, where they go one by one.

    Returns:
        What was not recorded by then; None where nothing is left.
    """
    for exemplar in distribution.exemplars:
        context = set_span_in_context(NonRecordingSpan(exemplar.span), _NO_SPAN)
        histogram.record(exemplar.value / scale, attributes, context)
    sketch = distribution.sketch
    if not sketch.count or _record_at_once(histogram, sketch, scale, attributes):
        return None
    return _record_each(histogram, sketch, scale, attributes, until)


def _record_at_once(
    histogram: Histogram, sketch: Sketch, scale: int, attributes: Attributes
) -> bool:
    if not _IS_KNOWN_SDK or not isinstance(histogram, sdk.Histogram):
        return False
    try:
        aggregations = list(_aggregations(histogram, attributes))
        for aggregation in aggregations:
            _check(aggregation)
    except (AttributeError, TypeError):
        return False
    for aggregation in aggregations:
        if isinstance(aggregation, _ExplicitBucketHistogramAggregation):
            _add_to_buckets(aggregation, sketch, scale)
        elif not isinstance(aggregation, _DropAggregation):
            _aggregate_each(aggregation, histogram, sketch, scale, attributes)
    return True


def _aggregations(histogram: Any, attributes: Attributes) -> Iterator[Any]:
    """Give the aggregation of each reader and view, as the SDK finds them for a measurement."""
    if hasattr(histogram, "_is_enabled") and not histogram._is_enabled():
        return
    for storage in histogram._measurement_consumer._reader_storages.values():
        for match in storage._get_or_init_view_instrument_match(histogram):
            keys = match._view._attribute_keys
            told = {k: v for k, v in attributes.items() if keys is None or k in keys}
            yield _aggregation(match, told)


def _aggregation(match: Any, attributes: Attributes) -> Any:
    key = _hash_attributes(attributes)
    with match._lock:
        if hasattr(match, "_get_or_create_aggregation"):
            return match._get_or_create_aggregation(key, attributes)
        # Before 1.45.2 the SDK does in place what the method does.
        found = match._attributes_aggregation
        if key not in found:
            kind = match._view._aggregation
            if isinstance(kind, DefaultAggregation):
                kind = match._instrument_class_aggregation[type(match._instrument)]
            reservoirs = match._view._exemplar_reservoir_factory
            made = kind._create_aggregation(match._instrument, attributes, reservoirs, time_ns())
            found[key] = made
        return found[key]


def _check(aggregation: Any) -> None:
    """Raise an `AttributeError` where an aggregation is not as it is known here."""
    if isinstance(aggregation, _ExplicitBucketHistogramAggregation):
        for name in ("_lock", "_value", "_sum", "_min", "_max", "_boundaries", "_record_min_max"):
            getattr(aggregation, name)


def _add_to_buckets(aggregation: Any, sketch: Sketch, scale: int) -> None:
    with aggregation._lock:
        bounds = aggregation._boundaries
        counts = aggregation._value or [0] * (len(bounds) + 1)
        for value, times in sketch.counts():
            counts[bisect_left(bounds, value / scale)] += times
        aggregation._value = counts
        aggregation._sum += sketch.total / scale
        if aggregation._record_min_max:
            aggregation._min = min(aggregation._min, sketch.minimum / scale)
            aggregation._max = max(aggregation._max, sketch.maximum / scale)


def _aggregate_each(
    aggregation: Any, histogram: Any, sketch: Sketch, scale: int, attributes: Attributes
) -> None:
    for value, times in sketch.counts():
        measurement = Measurement(value / scale, time_ns(), histogram, _NO_SPAN, attributes)
        for _ in range(times):
            aggregation.aggregate(measurement, should_sample_exemplar=False)


def _record_each(
    histogram: Histogram, sketch: Sketch, scale: int, attributes: Attributes, until: float
) -> Sketch | None:
    left = Sketch()
    for value, times in sketch.counts():
        for done in range(times):
            if monotonic() > until:
                left.add(round(value), times - done)
                break
            histogram.record(value / scale, attributes, _NO_SPAN)
    return left if left.count else None
