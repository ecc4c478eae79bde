"""A stream's clock: its first chunk, its gaps and its timeline, in bounded memory (pure).

Times are integers in nanoseconds, of any one monotonic clock.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_WINDOWS: Final = 32

# Times wait here and are folded in together: on the token path a chunk costs one append.
_FOLD_EVERY: Final = 64

# Bounds of buckets whose middle is within 5 % of both ends; the smallest hold one value each.
_ACCURACY: Final = 0.05
_GROWTH: Final = (1 + _ACCURACY) / (1 - _ACCURACY)
_BOUNDS: Final = sorted({int(_GROWTH**power) for power in range(437)} | {0, 2**63 - 1})


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


class GapSketch:
    """Counts of gaps in buckets of equal relative width: any quantile within 5 %."""

    __slots__ = ("_buckets", "count", "maximum", "total")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self.count = 0
        self.total = 0
        self.maximum = 0

    def add(self, gaps: Sequence[int]) -> None:
        """Count *gaps*, in ns."""
        # Sorted, whole buckets are counted at a time: this is most of what a chunk costs.
        ordered = sorted(gaps)
        start = 0
        while start < len(ordered):
            bucket = bisect_left(_BOUNDS, ordered[start])
            end = bisect_right(ordered, _BOUNDS[bucket], start)
            self._buckets[bucket] = self._buckets.get(bucket, 0) + end - start
            start = end
        self.count += len(ordered)
        self.total += sum(ordered)
        self.maximum = max([self.maximum, *ordered[-1:]])

    @property
    def mean(self) -> float:
        """The mean gap, in ns."""
        return self.total / self.count if self.count else 0.0

    def quantile(self, share: float) -> float:
        """Return the gap, in ns, that *share* (0 to 1) of all gaps do not exceed."""
        rank = share * (self.count - 1)
        below = 0
        for bucket in sorted(self._buckets):
            below += self._buckets[bucket]
            if below > rank:
                return min(_middle(bucket), self.maximum)
        return float(self.maximum)


def _middle(bucket: int) -> float:
    """Return the value that is, relatively, as far from the least of a bucket as from its most."""
    least, most = _BOUNDS[bucket - 1] + 1 if bucket else 0, _BOUNDS[bucket]
    return 2 * least * most / (least + most) if most else 0.0


class StreamClock:
    """When the chunks of one stream came.

    Args:
        started_at: when the run started, in ns.
    """

    __slots__ = ("_chunks", "_gaps", "_pending", "_width", "_windows", "started_at")

    def __init__(self, started_at: int) -> None:
        self.started_at = started_at
        self.restart()

    def restart(self) -> None:
        """Forget every chunk."""
        self._chunks = 0
        self._width = 1
        self._pending: list[int] = []
        self._windows: list[Window] = []
        self._gaps = GapSketch()

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
    def gaps(self) -> GapSketch:
        """The waits between chunks; one less than there are chunks."""
        self._fold()
        return self._gaps

    @property
    def windows(self) -> tuple[Window, ...]:
        """The timeline: at most `MAX_WINDOWS` windows that hold every chunk, in order."""
        self._fold()
        return tuple(self._windows)

    def _fold(self) -> None:
        # A chunk that comes meanwhile, in another thread, is appended, and waits.
        times = self._pending[:]
        del self._pending[: len(times)]
        if not times:
            return
        previous = self._windows[-1].ended_at if self._windows else times[0]
        gaps = [now - before for before, now in pairwise([previous, *times])]
        if min(gaps) < 0:
            gaps = [max(gap, 0) for gap in gaps]
        self._gaps.add(gaps if self._windows else gaps[1:])
        placed = 0
        while placed < len(times):
            placed += self._fill(times[placed:], gaps[placed:])

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
