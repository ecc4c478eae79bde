"""Records many values of a histogram: at once where that goes, else one by one."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final, TypeAlias

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, set_span_in_context

from .._stream.sketch import Sketch
from .._upstream.histograms import Values, record_at_once

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    for value, span in distribution.exemplars:
        context = set_span_in_context(NonRecordingSpan(span), _NO_SPAN)
        histogram.record(value / scale, attributes, context)
    sketch = distribution.sketch
    if not sketch.count:
        return None
    if record_at_once(histogram, _values(sketch, scale), attributes, _NO_SPAN):
        return None
    return _record_each(histogram, sketch, scale, attributes, until)


def _values(sketch: Sketch, scale: int) -> Values:
    counts = [(value / scale, times) for value, times in sketch.counts()]
    return Values(counts, sketch.total / scale, sketch.minimum / scale, sketch.maximum / scale)


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
