"""A stream's clock: its first chunk, its gaps and its timeline, in bounded memory (pure).

Times are integers in nanoseconds, of any one monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Final

from ._sketch import Sketch

MAX_WINDOWS: Final = 32
MAX_STALLS: Final = 16

# Times wait here and are folded in together: on the token path a chunk costs one append.
_FOLD_EVERY: Final = 64


@dataclass(slots=True)
class Window:
    """A piece of the timeline: neighbouring chunks of one stream.

    Attributes:
        first_chunk: index of its first chunk in the stream, from 0.
        chunks: how many chunks it holds.
        started_at: when its first chunk came, in ns.
        ended_at: when its last chunk came, in ns.
        max_gap: the longest wait for one of its chunks, in ns; the wait for the stream's
            first chunk does not count.
    """

    first_chunk: int
    chunks: int
    started_at: int
    ended_at: int
    max_gap: int

    def merged_with(self, later: Window) -> Window:
        """Return one window for this one and the *later* one after it."""
        return Window(
            self.first_chunk,
            self.chunks + later.chunks,
            self.started_at,
            later.ended_at,
            max(self.max_gap, later.max_gap),
        )


@dataclass(frozen=True, slots=True)
class Stall:
    """A wait in mid-stream that was longer than it should be.

    Attributes:
        chunk: index of the chunk that was waited for.
        started_at: when the chunk before it came, in ns.
        duration: of the wait, in ns.
    """

    chunk: int
    started_at: int
    duration: int


class StreamClock:
    """When the chunks of one stream came.

    Args:
        started_at: when the run started, in ns.
        stall_threshold: how long a chunk may be waited for, in ns; without one nothing stalls.
    """

    __slots__ = (
        "_chunks",
        "_gaps",
        "_pending",
        "_stall_count",
        "_stall_threshold",
        "_stalls",
        "_width",
        "_windows",
        "started_at",
    )

    def __init__(self, started_at: int, stall_threshold: float = inf) -> None:
        self.started_at = started_at
        self._stall_threshold = stall_threshold
        self._pending: list[int] = []
        self.restart()

    def restart(self) -> None:
        """Forget every chunk."""
        self._pending.clear()
        self._chunks = 0
        self._width = 1
        self._windows: list[Window] = []
        self._gaps = Sketch()
        self._stalls: list[Stall] = []
        self._stall_count = 0

    def tick(self, now: int) -> None:
        """Count a chunk that came at *now*, in ns."""
        pending = self._pending
        pending.append(now)
        if len(pending) >= _FOLD_EVERY:
            self._fold()

    @property
    def chunks(self) -> int:
        """How many chunks have come."""
        return self._chunks + len(self._pending)

    @property
    def first_chunk_at(self) -> int | None:
        """When the first chunk came, in ns; None before it."""
        if self._windows:
            return self._windows[0].started_at
        return self._pending[0] if self._pending else None

    @property
    def last_chunk_at(self) -> int | None:
        """When the last chunk came, in ns; None before the first. May be asked in any thread."""
        waiting = self._pending[-1:]
        if waiting:
            return waiting[0]
        return self._windows[-1].ended_at if self._windows else None

    @property
    def gaps(self) -> Sketch:
        """The waits between chunks, in ns; one less than there are chunks."""
        self._fold()
        return self._gaps

    @property
    def windows(self) -> tuple[Window, ...]:
        """The timeline: at most `MAX_WINDOWS` windows that hold every chunk, in order."""
        self._fold()
        return tuple(self._windows)

    @property
    def stall_count(self) -> int:
        """How many waits in mid-stream were longer than the threshold."""
        self._fold()
        return self._stall_count

    @property
    def stalls(self) -> tuple[Stall, ...]:
        """The longest of the waits above the threshold, at most `MAX_STALLS`, in order."""
        self._fold()
        return tuple(self._stalls)

    def _fold(self) -> None:
        # A chunk that comes meanwhile, in another thread, is appended, and waits.
        times = self._pending[:]
        del self._pending[: len(times)]
        if not times:
            return
        previous = self._windows[-1].ended_at if self._windows else times[0]
        gaps = [now - before for before, now in pairwise([previous, *times])]
        ordered = sorted(gaps)
        if ordered[0] < 0:
            gaps = [max(gap, 0) for gap in gaps]
            ordered = sorted(gaps)
        if ordered[-1] > self._stall_threshold:
            self._note_stalls(times, gaps)
        # Before the first chunk there is no gap: a zero stands for it, and sorts first.
        self._gaps.add_ordered(ordered if self._windows else ordered[1:])
        placed = 0
        while placed < len(times):
            placed += self._fill(times[placed:], gaps[placed:])

    def _note_stalls(self, times: list[int], gaps: list[int]) -> None:
        for place, gap in enumerate(gaps):
            if gap > self._stall_threshold:
                self._stall_count += 1
                self._stalls.append(Stall(self._chunks + place, times[place] - gap, gap))
                if len(self._stalls) > MAX_STALLS:
                    self._stalls.remove(min(self._stalls, key=lambda stall: stall.duration))

    def _fill(self, times: list[int], gaps: list[int]) -> int:
        """Put into the last window as many chunks as it has room for; return how many."""
        if not self._windows or self._windows[-1].chunks == self._width:
            self._open_window(times[0])
        window = self._windows[-1]
        taken = min(self._width - window.chunks, len(times))
        window.chunks += taken
        window.ended_at = times[taken - 1]
        window.max_gap = max(window.max_gap, *gaps[:taken])
        self._chunks += taken
        return taken

    def _open_window(self, now: int) -> None:
        if len(self._windows) == MAX_WINDOWS:
            self._windows = _halved(self._windows)
            self._width *= 2
        self._windows.append(Window(self._chunks, 0, now, now, 0))


def _halved(windows: list[Window]) -> list[Window]:
    return [a.merged_with(b) for a, b in zip(windows[::2], windows[1::2], strict=True)]
