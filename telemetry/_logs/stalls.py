"""Notices stalls of open streams while they last, in a thread of its own."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from .ticker import Ticker

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._runs.run import Run
    from .._stream.clock import StreamClock, Waits

# A stall is noticed within half of its threshold, and within a second.
_SLOWEST: Final = 1.0
_QUICKEST: Final = 0.01
_NS: Final = 1e9


class StallWatch:
    """Calls for each stall of the runs that it watches, once, while it lasts.

    Args:
        waits: how long the chunks of streams may be waited for.
        notice: called with the run, the late chunk's index, and for how long it has been waited
            for by now, in ns; raises nothing.
    """

    def __init__(self, waits: Waits, notice: Callable[[Run, int, int], None]) -> None:
        self._notice = notice
        self._watched: dict[int, tuple[Run, StreamClock]] = {}
        # By run, the chunk whose lateness was noticed.
        self._noticed: dict[int, int] = {}
        every = min(max(waits.shortest / 2 / _NS, _QUICKEST), _SLOWEST)
        self._ticker = Ticker(self._look, lambda: bool(self._watched), every, "nodespan-stalls")

    def watch(self, run: Run, clock: StreamClock) -> None:
        """Watch a run until it is let go."""
        self._watched[run.run_id] = run, clock
        self._ticker.wake()

    def let_go(self, run: Run) -> None:
        """Watch a run no longer."""
        self._watched.pop(run.run_id, None)

    def forget(self) -> None:
        """Forget every run: this is a forked child, and they are its parent's."""
        self._watched.clear()
        self._noticed.clear()
        self._ticker.forget()

    def _look(self) -> None:
        now = perf_counter_ns()
        before, self._noticed = self._noticed, {}
        for number, (run, clock) in list(self._watched.items()):
            chunk = clock.chunks
            if clock.is_stalled(now):
                self._noticed[number] = chunk
                if before.get(number) != chunk:
                    self._notice(run, chunk, now - clock.waiting_since)
