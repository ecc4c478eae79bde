"""A stream's clock: its first chunk, its gaps and its timeline, in bounded memory (pure).

Times are integers in nanoseconds, of any one monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log
from typing import Final

MAX_WINDOWS: Final = 32

# Times wait here and are folded in together: on the token path a chunk costs one append.
_FOLD_EVERY: Final = 64

# Buckets 5 % wide on each side of their representative: gaps of the same bucket
# differ by at most a factor of _GROWTH, and the middle is within 5 % of both ends.
_ACCURACY: Final = 0.05
_GROWTH: Final = (1 + _ACCURACY) / (1 - _ACCURACY)
_BUCKETS_PER_E: Final = 1 / log(_GROWTH)
_MIDDLE: Final = 2 / (1 + _GROWTH)


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

    def add(self, gap: int) -> None:
        """Count one gap, in ns."""
        bucket = ceil(log(gap) * _BUCKETS_PER_E) if gap > 1 else 0
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self.count += 1
        self.total += gap
        self.maximum = max(self.maximum, gap)

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
                return float(min(_MIDDLE * _GROWTH**bucket, self.maximum))
        return float(self.maximum)


class StreamClock:
    """When the chunks of one stream came.

    Args:
        started_at: when the run started, in ns.
    """

    __slots__ = ("_chunks", "_gaps", "_pending", "_previous", "_width", "_windows", "started_at")

    def __init__(self, started_at: int) -> None:
        self.started_at = started_at
        self.restart()

    def restart(self) -> None:
        """Forget every chunk."""
        self._chunks = 0
        self._previous = 0
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
        pending, self._pending = self._pending, []
        for now in pending:
            self._place(now)

    def _place(self, now: int) -> None:
        gap = max(now - self._previous, 0) if self._chunks else 0
        if self._chunks:
            self._gaps.add(gap)
        self._previous = now
        last = self._windows[-1] if self._windows else None
        if last is not None and last.chunks < self._width:
            last.chunks += 1
            last.ended_at = now
            last.max_gap = max(last.max_gap, gap)
        else:
            self._open_window(now, gap)
        self._chunks += 1

    def _open_window(self, now: int, gap: int) -> None:
        if len(self._windows) == MAX_WINDOWS:
            self._windows = _halved(self._windows)
            self._width *= 2
        self._windows.append(Window(self._chunks, 1, now, now, gap))


def _halved(windows: list[Window]) -> list[Window]:
    return [a.merged_with(b) for a, b in zip(windows[::2], windows[1::2], strict=True)]
