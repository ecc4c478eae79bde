"""The clock of a stream: whatever the times are, nothing is lost and memory is bounded."""

from __future__ import annotations

import sys
from itertools import accumulate, pairwise
from math import ceil

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nodespan.telemetry._stream.clock import StreamClock
from nodespan.telemetry._stream.timeline import MAX_WINDOWS

# From one nanosecond to ten days, as real streams have them, and every clock's lie: no time at all.
GAPS = st.one_of(
    st.integers(0, 3),
    st.integers(0, 50_000_000),
    st.integers(0, 10 * 86_400 * 10**9),
)
STREAMS = st.lists(GAPS, min_size=1, max_size=2_000)


def times_of(gaps: list[int]) -> list[int]:
    """Return when chunks come that are so far apart; the first gap is the wait for the first."""
    return list(accumulate(gaps, initial=1_000))[1:]


def clock_of(times: list[int]) -> StreamClock:
    """Return the clock of a stream whose chunks came at these times."""
    clock = StreamClock(started_at=0)
    for time in times:
        clock.tick(time)
    return clock


@given(STREAMS)
def test_windows_partition_the_chunks(gaps: list[int]) -> None:
    """Each chunk is in one window; windows follow each other without a hole, in order."""
    windows = clock_of(times_of(gaps)).windows
    assert windows[0].first_chunk == 0
    for window, later in pairwise(windows):
        assert window.first_chunk + window.chunks == later.first_chunk
    assert windows[-1].first_chunk + windows[-1].chunks == len(gaps)
    assert all(window.chunks > 0 for window in windows)


@given(STREAMS)
def test_windows_are_where_their_chunks_were(gaps: list[int]) -> None:
    """A window starts with its first chunk, ends with its last, and knows its longest wait."""
    times = times_of(gaps)
    waits = [0, *(later - earlier for earlier, later in pairwise(times))]
    for window in clock_of(times).windows:
        chunks = slice(window.first_chunk, window.first_chunk + window.chunks)
        assert window.started_at == times[chunks][0]
        assert window.ended_at == times[chunks][-1]
        assert window.max_gap == max(waits[chunks])


@given(STREAMS)
def test_no_count_and_no_maximum_is_lost(gaps: list[int]) -> None:
    """Chunks and gaps are counted exactly; the longest gap and the mean are exact."""
    times = times_of(gaps)
    waits = [later - earlier for earlier, later in pairwise(times)]
    clock = clock_of(times)
    assert clock.chunks == len(times)
    assert clock.first_chunk_at == times[0]
    assert clock.gaps.count == len(waits)
    assert clock.gaps.maximum == max(waits, default=0)
    assert clock.gaps.mean == pytest.approx(sum(waits) / len(waits) if waits else 0)


@given(st.lists(GAPS, min_size=2, max_size=500), st.floats(0, 1))
@example([0, *[100] * 95, *[10_000] * 5], 0.95)
@example([0, 1, 1, 1], 0.5)
@example([0, 25, 27, 41, 151], 0.95)
def test_quantiles_are_within_5_percent(gaps: list[int], share: float) -> None:
    """A quantile is within 5 % of the least gap that such a share of all do not exceed."""
    waits = sorted(gaps[1:])
    true = waits[max(ceil(share * len(waits)) - 1, 0)]
    told = clock_of(times_of(gaps)).gaps.quantile(share)
    assert told == pytest.approx(true, rel=0.05 + 1e-9, abs=1e-9)


@given(st.lists(GAPS, min_size=2, max_size=300))
def test_quantiles_grow_and_stay_below_the_maximum(gaps: list[int]) -> None:
    """A greater share has no smaller quantile, and none is above the longest gap."""
    sketch = clock_of(times_of(gaps)).gaps
    told = [sketch.quantile(share / 20) for share in range(21)]
    assert told == sorted(told)
    assert told[-1] <= sketch.maximum


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=300))
def test_a_clock_that_runs_backwards_loses_nothing(times: list[int]) -> None:
    """Times in any order are counted; a wait is never below zero."""
    clock = clock_of(times)
    assert sum(window.chunks for window in clock.windows) == len(times)
    assert clock.gaps.count == len(times) - 1
    assert all(window.max_gap >= 0 for window in clock.windows)
    assert clock.gaps.quantile(0.5) >= 0


@given(STREAMS, st.integers(0, 2_000))
def test_it_can_be_read_at_any_time(gaps: list[int], place: int) -> None:
    """Looking at the clock in mid-stream changes nothing of what it tells later."""
    times = times_of(gaps)
    watched = clock_of(times[:place])
    _ = watched.windows, watched.gaps, watched.chunks, watched.first_chunk_at
    for time in times[place:]:
        watched.tick(time)
    unwatched = clock_of(times)
    assert watched.windows == unwatched.windows
    assert watched.gaps.quantile(0.5) == unwatched.gaps.quantile(0.5)


@given(STREAMS, STREAMS)
def test_a_restart_forgets_everything(before: list[int], after: list[int]) -> None:
    """After a restart the clock tells of the chunks that come from then on, and no others."""
    clock = clock_of(times_of(before))
    clock.restart()
    assert (clock.chunks, clock.first_chunk_at, clock.windows) == (0, None, ())
    for time in times_of(after):
        clock.tick(time)
    assert clock.windows == clock_of(times_of(after)).windows


def test_a_stream_without_chunks_tells_nothing() -> None:
    """Without a chunk there is no window, no gap and no first chunk."""
    clock = StreamClock(started_at=0)
    assert clock.windows == ()
    assert clock.first_chunk_at is None
    assert (clock.gaps.count, clock.gaps.mean, clock.gaps.quantile(0.5)) == (0, 0, 0)


def held_by(clock: StreamClock) -> int:
    """Return how many bytes a clock holds, with all that only it holds."""
    seen: set[int] = set()
    todo: list[object] = [clock]
    total = 0
    while todo:
        value = todo.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        total += sys.getsizeof(value)
        slots = (name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()))
        todo += [getattr(value, name) for name in slots if hasattr(value, name)]
        todo += list(value) if isinstance(value, list | tuple) else []
        todo += [*value, *value.values()] if isinstance(value, dict) else []
    return total


@pytest.mark.parametrize("chunks", [10_000, 200_000])
def test_memory_is_bounded(chunks: int) -> None:
    """A stream of 200,000 chunks holds no more than one of 10,000: 32 windows, and buckets."""
    clock = StreamClock(started_at=0)
    now = 0
    for chunk in range(chunks):
        now += 1_000 + (chunk * 7_919) % 50_000_000
        clock.tick(now)
    assert len(clock.windows) <= MAX_WINDOWS
    assert clock.chunks == chunks
    assert held_by(clock) < 48_000
