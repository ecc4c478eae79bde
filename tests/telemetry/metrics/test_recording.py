"""What readers collect is what was measured, whatever reader, view or provider there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.metrics import Histogram, Meter, MeterProvider
from opentelemetry.sdk import metrics as sdk
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import (
    DropAggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from nodespan.telemetry import OpenTelemetryCallbackHandler
from nodespan.telemetry._metrics import bulk as bulk_recording
from nodespan.telemetry._metrics import recorder
from nodespan.telemetry._metrics.meter import RunMeter
from nodespan.telemetry._semconv.metrics import Measure, histograms_of
from nodespan.telemetry._semconv.names import RELEASED
from nodespan.telemetry._stream.sketch import Sketch
from nodespan.telemetry._upstream.opentelemetry import add_metric_reader
from support.meters import collected, metered
from support.strangers import Talker

if TYPE_CHECKING:
    from collections.abc import Iterable

PER_CHUNK = "gen_ai.client.operation.time_per_output_chunk"
GAPS = histograms_of(RELEASED)[Measure.TIME_PER_OUTPUT_CHUNK]
CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
DELTA = {sdk.Histogram: AggregationTemporality.DELTA}
LONG = Talker(answer="word " * 5_000)

gaps = st.lists(st.integers(0, 10**12), min_size=1, max_size=200)


def sketch_of(values: list[int]) -> Sketch:
    """Return a sketch of values."""
    sketch = Sketch()
    sketch.add_ordered(sorted(values))
    return sketch


def points_of(metric: Any) -> list[Any]:
    """Return the points of a metric that was collected, or none."""
    return list(metric.data.data_points) if metric is not None else []


@dataclass(frozen=True, slots=True)
class Both:
    """A reader of what nodespan has recorded, and one of what was recorded one by one."""

    nodespan: InMemoryMetricReader
    one_by_one: InMemoryMetricReader
    meter: RunMeter
    histogram: Histogram

    def record(self, values: list[int]) -> None:
        """Record the same values in both ways."""
        call = self.meter.attributes(CALL)
        self.meter.record(Measure.TIME_PER_OUTPUT_CHUNK, call, sketch_of(values), None)
        for value in values:
            self.histogram.record(value / GAPS.scale, CALL)

    def points(self) -> tuple[list[Any], list[Any]]:
        """Return what was collected in both ways."""
        nodespan, one_by_one = (
            collected(reader).get(PER_CHUNK) for reader in (self.nodespan, self.one_by_one)
        )
        return points_of(nodespan), points_of(one_by_one)


def both(*, views: Iterable[View] = (), **settings: Any) -> Both:
    """Return a provider that nodespan records to, and another, that are set up alike."""
    readers = InMemoryMetricReader(**settings), InMemoryMetricReader(**settings)
    meters = [
        sdk.MeterProvider([reader], views=tuple(views), shutdown_on_exit=False).get_meter(
            "nodespan.telemetry"
        )
        for reader in readers
    ]
    histogram = meters[1].create_histogram(
        GAPS.name, GAPS.unit, explicit_bucket_boundaries_advisory=GAPS.boundaries
    )
    return Both(*readers, RunMeter(meters[0], RELEASED), histogram)


def assert_alike(ours: list[Any], theirs: list[Any]) -> None:
    """Fail where a histogram is not what it would be if its values came one by one."""
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        assert our.attributes == their.attributes
        assert (our.count, our.explicit_bounds) == (their.count, their.explicit_bounds)
        assert our.bucket_counts == their.bucket_counts
        assert our.sum == pytest.approx(their.sum)
        assert (our.min, our.max) == (pytest.approx(their.min), pytest.approx(their.max))


@given(gaps)
def test_many_at_once_are_as_one_by_one(values: list[int]) -> None:
    """Counts, buckets, sum, least and greatest are those that the SDK itself would have."""
    pair = both()
    pair.record(values)
    assert_alike(*pair.points())


@given(gaps, gaps)
def test_readers_of_deltas_get_what_is_new(first: list[int], second: list[int]) -> None:
    """Each collection has the values since the one before; one without values has none."""
    pair = both(preferred_temporality=DELTA)
    for values in (first, second):
        pair.record(values)
        assert_alike(*pair.points())
    assert pair.points() == ([], [])


@given(gaps)
def test_sums_go_on_from_collection_to_collection(values: list[int]) -> None:
    """A reader of sums since the start gets all of them each time."""
    pair = both()
    for _ in range(2):
        pair.record(values)
        assert_alike(*pair.points())


def test_a_view_that_drops_attributes_adds_up_the_rest() -> None:
    """Series that a view makes one are one."""
    pair = both(views=[View(instrument_name="gen_ai.*", attribute_keys={"gen_ai.operation.name"})])
    pair.record([1, 10**9])
    ours, theirs = pair.points()
    assert_alike(ours, theirs)
    assert dict(ours[0].attributes) == {"gen_ai.operation.name": "chat"}


def test_a_view_that_drops_the_metric_is_respected() -> None:
    """Nothing is recorded where the application wants nothing."""
    pair = both(views=[View(instrument_name="gen_ai.*", aggregation=DropAggregation())])
    pair.record([1, 10**9])
    assert pair.points() == ([], [])


def test_a_view_may_draw_other_buckets() -> None:
    """Values are in the buckets of the application's own bounds, to 5 % of their bounds."""
    buckets = ExplicitBucketHistogramAggregation(boundaries=[0.1, 1, 3])
    pair = both(views=[View(instrument_name="gen_ai.*", aggregation=buckets)])
    pair.record([round(seconds * 10**9) for seconds in (0.05, 0.09, 0.2, 0.9, 1.2, 2.8, 3.3, 9)])
    assert_alike(*pair.points())


def test_exponential_histograms_are_filled_too() -> None:
    """Where the application wants them, values come within 5 % of what they were."""
    exponential = ExponentialBucketHistogramAggregation()
    pair = both(preferred_aggregation={sdk.Histogram: exponential})
    pair.record([10**6, 10**7, 10**9, 10**9])
    (ours,), (theirs,) = pair.points()
    assert (ours.count, theirs.count) == (4, 4)
    assert ours.sum == pytest.approx(theirs.sum, rel=0.05)


def test_every_reader_gets_everything() -> None:
    """What one reader has collected is there for the others."""
    with metered() as meter:
        other = InMemoryMetricReader()
        add_metric_reader(meter.provider, other)
        list(Talker(answer="one two three").stream("hello", meter.config))
        assert meter.only(PER_CHUNK).count == 2
        (point,) = collected(other)[PER_CHUNK].data.data_points
        assert point.count == 2


def test_a_long_stream_is_recorded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is recorded while a stream goes on or ends; then a few calls are enough."""
    recorded: list[float] = []
    record = sdk.Histogram.record

    def counting(self: Any, amount: float, *more: Any) -> None:
        recorded.append(amount)
        record(self, amount, *more)

    monkeypatch.setattr(sdk.Histogram, "record", counting)
    with metered() as meter:
        list(LONG.stream("hello", meter.config))
        assert recorded == []
        assert meter.only(PER_CHUNK).count == 4_999
        assert len(recorded) < 10


def test_without_a_sampled_span_runs_are_measured_all_the_same() -> None:
    """Metrics are of all runs, and exemplars of those whose spans there are."""
    reader = InMemoryMetricReader()
    handler = OpenTelemetryCallbackHandler(
        tracer_provider=TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False),
        meter_provider=sdk.MeterProvider([reader], shutdown_on_exit=False),
    )
    list(Talker(reports_usage=True).stream("hello", {"callbacks": [handler]}))
    metrics = collected(reader)
    assert {"gen_ai.client.token.usage", PER_CHUNK} <= set(metrics)
    for metric in metrics.values():
        assert not [point for point in metric.data.data_points if point.exemplars]


class Wrapped(Histogram):
    """A histogram of a provider that is not the SDK's, and whose record is all it has."""

    def __init__(self, inner: Histogram) -> None:
        super().__init__("wrapped")
        self._inner = inner

    def record(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        """Record a value."""
        self._inner.record(amount, attributes, context)


def passed_on(name: str) -> Any:
    """Return a method that passes a call on to what is wrapped."""
    return lambda self, *args, **kwargs: getattr(self.inner, name)(*args, **kwargs)


class WrappingMeter(Meter):
    """A meter of such a provider."""

    def __init__(self, inner: Meter) -> None:
        super().__init__("wrapping")
        self.inner = inner

    create_counter = passed_on("create_counter")
    create_up_down_counter = passed_on("create_up_down_counter")
    create_observable_counter = passed_on("create_observable_counter")
    create_observable_gauge = passed_on("create_observable_gauge")
    create_observable_up_down_counter = passed_on("create_observable_up_down_counter")

    def create_histogram(self, *args: Any, **kwargs: Any) -> Histogram:
        """Make a histogram."""
        return Wrapped(self.inner.create_histogram(*args, **kwargs))


class WrappingProvider(MeterProvider):
    """A provider that is not the SDK's."""

    def __init__(self, inner: MeterProvider) -> None:
        self._inner = inner

    def get_meter(self, *args: Any, **kwargs: Any) -> Meter:
        """Make a meter."""
        return WrappingMeter(self._inner.get_meter(*args, **kwargs))


def test_a_provider_of_another_make_is_given_each_value() -> None:
    """Where the SDK's own histograms are not at hand, values are recorded one by one."""
    reader = InMemoryMetricReader()
    provider = WrappingProvider(sdk.MeterProvider([reader], shutdown_on_exit=False))
    pair = both()
    meter = RunMeter(provider.get_meter("nodespan.telemetry"), RELEASED)
    values = [1, 5, 10**7, 10**9, 10**9]
    meter.record(Measure.TIME_PER_OUTPUT_CHUNK, meter.attributes(CALL), sketch_of(values), None)
    pair.record(values)
    (ours,) = collected(reader)[PER_CHUNK].data.data_points
    (theirs,) = pair.points()[1]
    assert (ours.count, ours.bucket_counts) == (theirs.count, theirs.bucket_counts)
    assert ours.sum == pytest.approx(theirs.sum, rel=0.05)


def test_an_sdk_of_another_shape_is_given_each_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the SDK keeps things elsewhere, values are recorded one by one, and once."""
    monkeypatch.setattr(bulk_recording, "record_at_once", lambda *_: False)
    pair = both()
    pair.record([1, 10**7, 10**9])
    (ours,), (theirs,) = pair.points()
    assert ours.bucket_counts == theirs.bucket_counts


def test_what_takes_too_long_waits_for_the_next_collection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One by one, a collection records as much as it has time for; nothing is lost."""
    monkeypatch.setattr(bulk_recording, "record_at_once", lambda *_: False)
    monkeypatch.setattr(recorder, "_BUDGET", 0.0)
    pair = both()
    call = pair.meter.attributes(CALL)
    pair.meter.record(Measure.TIME_PER_OUTPUT_CHUNK, call, sketch_of([1, 10**7, 10**9]), None)
    assert pair.points()[0] == []
    monkeypatch.setattr(recorder, "_BUDGET", 60.0)
    assert [point.count for point in pair.points()[0]] == [3]
