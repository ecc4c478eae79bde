"""Stalls: waits in mid-stream above a threshold, found where they were."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from nodespan.telemetry._stream.clock import MAX_STALLS, Stall, StreamClock, Waits

THRESHOLD = 1_000
WAITS = Waits(THRESHOLD, THRESHOLD)

gaps = st.lists(st.integers(0, 2 * THRESHOLD), max_size=400)


def clock_of(first: int, waits: list[int]) -> StreamClock:
    """Return the clock of a stream whose chunks were waited for so long."""
    clock = StreamClock(0, WAITS)
    for now in accumulate([first, *waits]):
        clock.tick(now)
    return clock


def stalls_of(first: int, waits: list[int]) -> list[Stall]:
    """Return every wait above the threshold, the simple way."""
    before = [0, *accumulate([first, *waits])]
    return [
        Stall(place, before[place], wait)
        for place, wait in enumerate([first, *waits])
        if wait > THRESHOLD
    ]


@given(st.integers(0, 10**6), gaps)
def test_stalls_are_found_where_they_were(first: int, waits: list[int]) -> None:
    """Each is told with its chunk, when it began and how long it took; the longest are kept."""
    clock, true = clock_of(first, waits), stalls_of(first, waits)
    assert clock.stalls_until(first + sum(waits)) == len(true)  # none is folded in
    assert len(clock.stalls) == min(len(true), MAX_STALLS)
    now = first + sum(waits)
    assert clock.stalls_until(now) == clock.stall_count == len(true)
    # The wait of now counts once it is too long, and not twice when it ends.
    assert clock.stalls_until(now + THRESHOLD + 1) == len(true) + 1
    assert set(clock.stalls) <= set(true)
    assert [stall.chunk for stall in clock.stalls] == sorted(stall.chunk for stall in clock.stalls)
    longest = sorted((stall.duration for stall in true), reverse=True)[:MAX_STALLS]
    assert sorted((stall.duration for stall in clock.stalls), reverse=True) == longest


def test_the_wait_for_the_first_chunk_is_a_stall_like_any_other() -> None:
    """It is one while it lasts, and afterwards, once."""
    clock = StreamClock(0, WAITS)
    assert not clock.is_stalled(THRESHOLD)
    assert clock.is_stalled(THRESHOLD + 1)
    clock.tick(50 * THRESHOLD)
    assert not clock.is_stalled(50 * THRESHOLD)
    clock.end(51 * THRESHOLD)
    assert clock.stalls == (Stall(0, 0, 50 * THRESHOLD),)


def test_a_whole_answer_that_takes_long_is_a_stall() -> None:
    """A call without a stream that was waited for beyond the threshold has stalled."""
    clock, quick = StreamClock(0, WAITS), StreamClock(0, WAITS)
    clock.end(2 * THRESHOLD)
    quick.end(THRESHOLD)
    assert clock.stalls == (Stall(0, 0, 2 * THRESHOLD),)
    assert quick.stall_count == 0


def test_without_a_threshold_nothing_stalls() -> None:
    """A clock that was told of none counts none."""
    clock = StreamClock(0)
    clock.tick(1)
    clock.tick(10**18)
    assert (clock.stall_count, clock.stalls) == (0, ())


@given(st.integers(1, 200))
def test_the_last_chunk_is_known_at_any_time(chunks: int) -> None:
    """When the last chunk came is known before and after chunks are folded in."""
    clock = StreamClock(0, WAITS)
    assert clock.last_chunk_at is None
    for now in range(1, chunks + 1):
        clock.tick(now)
        assert clock.last_chunk_at == now


def test_the_first_chunk_may_take_longer_than_the_others() -> None:
    """Its wait has a threshold of its own, as a model thinks before it speaks."""
    clock = StreamClock(0, Waits(first=10 * THRESHOLD, next=THRESHOLD))
    assert not clock.is_stalled(10 * THRESHOLD)
    assert clock.is_stalled(10 * THRESHOLD + 1)
    clock.tick(9 * THRESHOLD)
    assert not clock.is_stalled(10 * THRESHOLD)
    clock.tick(11 * THRESHOLD)
    assert clock.stalls == (Stall(1, 9 * THRESHOLD, 2 * THRESHOLD),)
