"""Compares contestants at the same work: in turns, by medians, with the measure's own spread.

CPU time is what counts: on a busy machine it is disturbed less than time by the clock. What
still disturbs it, disturbs the neighbouring runs of one round alike: so each contestant is
compared with the others of its own round, and the median of rounds is told.
"""

from __future__ import annotations

import gc
import statistics
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Measured:
    """The median of some rounds, and the quartiles around it.

    Attributes:
        median: of the rounds.
        low: first quartile.
        high: third quartile.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Measured:
        """Return what the *values* of some rounds tell."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)

    def times(self, factor: float) -> Measured:
        """Return the same in another unit."""
        return Measured(self.median * factor, self.low * factor, self.high * factor)


class Rounds:
    """What contestants have taken for the same work, which they did in turns.

    Args:
        taken: by contestant; what stands at one place is of one round.
    """

    def __init__(self, taken: Mapping[str, Sequence[float]]) -> None:
        self._taken = taken

    def alone(self, contestant: str) -> Measured:
        """Return what a contestant takes."""
        return Measured.of(self._taken[contestant])

    def ratio(self, contestant: str, to: str) -> Measured:
        """Return what a contestant takes over what another takes."""
        pairs = zip(self._taken[contestant], self._taken[to], strict=True)
        return Measured.of([mine / other for mine, other in pairs])

    def multiple(self, contestant: str, of: str, beyond: str) -> Measured:
        """Return what a contestant adds to what is bare, in multiples of what another adds.

        Args:
            contestant: that adds so much.
            of: who adds the least that there is.
            beyond: who does the bare work.
        """
        least = self.added(of, beyond).median
        return self.added(contestant, beyond).times(1 / least)

    def added(self, contestant: str, to: str) -> Measured:
        """Return what a contestant takes beyond what another takes."""
        pairs = zip(self._taken[contestant], self._taken[to], strict=True)
        return Measured.of([mine - other for mine, other in pairs])


def in_turns(contestants: Mapping[str, Callable[[], float]], rounds: int) -> Rounds:
    """Let contestants do the same work in turns; each is the first as often as any other.

    Args:
        contestants: do the work, and return what it took.
        rounds: how many count; one more, before them, warms up where there are several.
    """
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(rounds + 1) if rounds > 1 else (1,):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            took = contestants[name]()
            if number:
                taken[name].append(took)
    return Rounds(taken)


def seconds(run: Callable[[], None], *, collects: bool = False) -> float:
    """Return the CPU time that a run takes in all threads.

    Args:
        run: what is measured.
        collects: whether garbage is collected meanwhile, as it is in applications.
    """
    with _collecting() if collects else without_garbage_collection():
        started = time.process_time()
        run()
        return time.process_time() - started


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Collect garbage before, and none meanwhile."""
    with _collecting():
        gc.disable()
        try:
            yield
        finally:
            gc.enable()


@contextmanager
def _collecting() -> Iterator[None]:
    gc.collect()
    gc.freeze()  # or else the next collection looks at all of this again
    yield
