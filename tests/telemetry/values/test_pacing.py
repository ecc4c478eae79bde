"""Work through many things in the background lets other threads run, and is done all the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodespan.telemetry._values import pacing
from nodespan.telemetry._values.pacing import Pace, Paced, paced


class Clock:
    """Time that passes only while something works or sleeps.

    Args:
        wait: how long a thread waits, after each sleep, until it may run again.
    """

    def __init__(self, wait: float = 0.0) -> None:
        self.now = self.slept = 0.0
        self.pauses: list[float] = []
        self._wait = wait

    def sleep(self, seconds: float) -> None:
        """Let time pass for a sleep, and for the wait after it."""
        self.pauses.append(self.now)
        self.now += seconds + self._wait
        self.slept += seconds + self._wait


def work_through(patch: pytest.MonkeyPatch, clock: Clock, seconds_each: float) -> list[int]:
    """Work for so long at each of 1,000 items, by a clock, and return them."""
    patch.setattr(pacing, "perf_counter", lambda: clock.now)
    patch.setattr(pacing, "sleep", clock.sleep)
    seen = []
    for item in paced(range(1_000)):
        seen.append(item)
        clock.now += seconds_each
    return seen


@given(st.lists(st.integers()))
def test_nothing_is_lost(items: list[int]) -> None:
    """What is read is all that there is, in its order, and as often as somebody reads it."""
    read = Paced(items)
    assert (list(read), list(read), len(read)) == (items, items, len(items))
    assert [read[place] for place in range(len(read))] == items
    assert list(read[1:]) == items[1:]


def test_others_run_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a millisecond is worked at a time, where nobody else wants to run for longer."""
    clock = Clock()
    assert work_through(monkeypatch, clock, 30e-6) == list(range(1_000))
    assert len(clock.pauses) == pytest.approx(1_000 * 30e-6 / 0.5e-3, rel=0.1)
    apart = [later - before for before, later in zip(clock.pauses, clock.pauses[1:], strict=False)]
    assert max(apart) < 0.6e-3
    assert clock.slept < 0.2 * clock.now


@pytest.mark.parametrize("wait", [0.005, 0.05, 0.5])
def test_work_goes_on_where_many_threads_compute(
    monkeypatch: pytest.MonkeyPatch, wait: float
) -> None:
    """However long each pause takes: a fifth of the time is worked, and the work is done."""
    clock = Clock(wait)
    work_through(monkeypatch, clock, 100e-6)
    worked: Any = 1_000 * 100e-6
    assert worked / (clock.now - wait) >= 0.19


def test_a_backlog_is_worked_off_without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that was waiting when the last was done has no pauses; the next after a while has."""
    clock, pace = Clock(), Pace()
    monkeypatch.setattr(pacing, "perf_counter", lambda: clock.now)
    monkeypatch.setattr(pacing, "sleep", clock.sleep)
    pauses = []
    for idle in (1.0, 0.001, 0.0, 1.0):
        clock.now += idle
        before = len(clock.pauses)
        with pace.of(list(range(100))) as read:
            for _ in read:
                clock.now += 1e-3
        pauses.append(len(clock.pauses) - before)
    assert pauses[1:3] == [0, 0]
    assert min(pauses[0], pauses[3]) > 90
