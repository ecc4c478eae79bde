"""A sketch of values: bounded, within 5 %, and exact at the conventions' boundaries."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodespan.telemetry._semconv.metrics import (
    AGENT_SECONDS,
    FAST_SECONDS,
    TOKENS,
    WORKFLOW_SECONDS,
)
from nodespan.telemetry._stream.sketch import MAX_VALUE, Sketch

NS = 1e9

durations = st.one_of(
    st.integers(0, MAX_VALUE),
    st.integers(0, 10**11),
    # On a boundary, and just beside it.
    st.sampled_from([*FAST_SECONDS, *AGENT_SECONDS, *WORKFLOW_SECONDS]).flatmap(
        lambda bound: st.integers(round(bound * NS) - 1, round(bound * NS) + 1)
    ),
)


def sketch_of(values: list[int]) -> Sketch:
    """Return a sketch of values that came one by one."""
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    return sketch


def histogram(values: list[tuple[float, int]], boundaries: tuple[float, ...]) -> list[int]:
    """Return how many of the values lie in each bucket, upper bounds included."""
    counts = [0] * (len(boundaries) + 1)
    for value, count in values:
        counts[bisect_left(boundaries, value)] += count
    return counts


@given(st.lists(durations))
def test_count_sum_least_and_greatest_are_exact(values: list[int]) -> None:
    """What a sketch says of all its values together is no estimate."""
    sketch = sketch_of(values)
    assert (sketch.count, sketch.total) == (len(values), sum(values))
    assert sketch.minimum == min(values, default=MAX_VALUE)
    assert sketch.maximum == max(values, default=0)
    assert sum(count for _, count in sketch.counts()) == len(values)


@pytest.mark.parametrize("boundaries", [FAST_SECONDS, AGENT_SECONDS, WORKFLOW_SECONDS])
@given(values=st.lists(durations))
def test_durations_fall_into_the_conventions_buckets_as_they_are(
    boundaries: tuple[float, ...], values: list[int]
) -> None:
    """A histogram of the sketch's values is the histogram of the values themselves."""
    exact = histogram([(value / NS, 1) for value in values], boundaries)
    told = [(value / NS, count) for value, count in sketch_of(values).counts()]
    assert histogram(told, boundaries) == exact


@given(st.lists(st.integers(0, 10**9)))
def test_tokens_fall_into_the_conventions_buckets_as_they_are(values: list[int]) -> None:
    """The same holds for counts of tokens."""
    exact = histogram([(value, 1) for value in values], TOKENS)
    assert histogram(list(sketch_of(values).counts()), TOKENS) == exact


@given(st.lists(durations, min_size=1), st.floats(0, 1))
def test_a_quantile_is_within_five_percent(values: list[int], share: float) -> None:
    """A quantile is, within 5 %, the least value that such a share of all do not exceed."""
    ordered = sorted(values)
    true = ordered[max(ceil(share * len(values)) - 1, 0)]
    assert sketch_of(values).quantile(share) == pytest.approx(true, rel=0.0501, abs=0)


@given(st.lists(durations), st.lists(durations))
def test_merged_is_as_if_counted_in_one(some: list[int], others: list[int]) -> None:
    """Two sketches in one are the sketch of all their values."""
    merged = sketch_of(some)
    merged.merge(sketch_of(others))
    whole = sketch_of(some + others)
    assert list(merged.counts()) == list(whole.counts())
    assert (merged.total, merged.minimum, merged.maximum) == (
        whole.total,
        whole.minimum,
        whole.maximum,
    )


@given(st.lists(durations))
def test_in_order_is_as_one_by_one(values: list[int]) -> None:
    """Values that are given together, in order, count as each would alone."""
    together = Sketch()
    together.add_ordered(sorted(values))
    assert list(together.counts()) == list(sketch_of(values).counts())


def test_memory_is_bounded() -> None:
    """However many values, there are no more than some hundred counts."""
    sketch = Sketch()
    for power in range(63):
        sketch.add_ordered([2**power + step * 2**power // 1000 for step in range(1000)])
    counts = [count for _, count in sketch.counts()]
    assert len(counts) < 500
    assert list(accumulate(counts))[-1] == 63_000
