"""The timeline of a stream: when which of its chunks came, in bounded memory (pure)."""

from __future__ import annotations

from array import array
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_WINDOWS: Final = 32

INT64: Final = "q"


class Window(NamedTuple):
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


class Timeline:
    """Keeps chunks in at most `MAX_WINDOWS` windows of one width, but for the last.

    Attributes:
        chunks: how many chunks there are.
    """

    # Thousands of streams are open at a time: numbers side by side take a third of the memory.
    __slots__ = ("_ends", "_max_gaps", "_starts", "_width", "chunks")

    def __init__(self) -> None:
        self.chunks = 0
        self._width = 1
        self._starts = array(INT64)
        self._ends = array(INT64)
        self._max_gaps = array(INT64)

    @property
    def first(self) -> int | None:
        """When the first chunk came; None without one."""
        return self._starts[0] if self._starts else None

    @property
    def last(self) -> int | None:
        """When the last chunk came; None without one."""
        return self._ends[-1] if self._ends else None

    @property
    def starts(self) -> tuple[int, ...]:
        """When each of the windows started, in ns, in order."""
        return tuple(self._starts)

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows, which hold every chunk, in order."""
        return tuple(map(self.window, range(len(self._starts))))

    def window(self, place: int) -> Window:
        """Return the window at a *place*, from 0."""
        first = place * self._width
        chunks = min(self._width, self.chunks - first)
        started, ended = self._starts[place], self._ends[place]
        return Window(first, chunks, started, ended, self._max_gaps[place])

    def add(self, times: Sequence[int], gaps: Sequence[int]) -> None:
        """Take chunks in.

        Args:
            times: when they came, in ns, in order.
            gaps: how long each was waited for, in ns.
        """
        self._make_room(self.chunks + len(times))
        width, size = self._width, len(times)
        start = min(len(self._starts) * width - self.chunks, size)
        if start:
            self._ends[-1] = times[start - 1]
            self._max_gaps[-1] = max(self._max_gaps[-1], *gaps[:start])
        self._starts.extend(times[start::width])
        self._ends.extend(times[start + width - 1 :: width])
        if (size - start) % width:
            self._ends.append(times[-1])
        self._max_gaps.extend([max(gaps[at : at + width]) for at in range(start, size, width)])
        self.chunks += size

    def _make_room(self, chunks: int) -> None:
        """Merge neighbours, until so many chunks have a place."""
        while chunks > MAX_WINDOWS * self._width:
            self._width *= 2
            if self._starts:
                self._merge_neighbours()

    def _merge_neighbours(self) -> None:
        gaps, ends = self._max_gaps, self._ends
        pairs = zip_longest(gaps[::2], gaps[1::2], fillvalue=0)
        self._max_gaps = array(INT64, map(max, pairs))
        self._ends = ends[1::2] if len(ends) % 2 == 0 else ends[1::2] + ends[-1:]
        self._starts = self._starts[::2]
