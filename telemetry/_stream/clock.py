"""A stream's clock: its first chunk, its gaps and its timeline, in bounded memory (pure).

Times are integers in nanoseconds, of any one monotonic clock.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from math import inf
from operator import sub
from typing import TYPE_CHECKING, Final

from .sketch import Sketch
from .timeline import INT64, Timeline, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_STALLS: Final = 16

# So many times wait to be folded in together, at 8 bytes each: on the token path a chunk costs
# one append, and most streams are folded in once, when they have ended.
FOLD_EVERY: Final = 128

# What all streams share that have folded nothing in yet: never changed.
_NO_WINDOWS: Final = Timeline()
_NO_GAPS: Final = Sketch()


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a stream's chunks may be waited for, in ns, before they count as stalled.

    Attributes:
        first: the first chunk, or an answer that comes whole.
        next: any other.
    """

    first: float = inf
    next: float = inf

    @property
    def shortest(self) -> float:
        """The shorter of them."""
        return min(self.first, self.next)


FOR_EVER: Final = Waits()


@dataclass(frozen=True, slots=True)
class Stall:
    """A wait for a chunk, or for a whole answer, that was longer than it should be.

    Attributes:
        chunk: index of the chunk that was waited for.
        started_at: when the chunk before it came, or the run started, in ns.
        duration: of the wait, in ns.
    """

    chunk: int
    started_at: int
    duration: int


class StreamClock:
    """When the chunks of one stream came.

    Args:
        started_at: when the run started, in ns.
        waits: how long chunks may be waited for; by default nothing stalls.

    Attributes:
        pending: times of chunks that came and are not folded in yet.
        shows_reasoning: whether reasoning is among what came.
        stalls_noted: how many waits were longer than the threshold, but for what is pending.
    """

    __slots__ = (
        "_gaps",
        "_stalls",
        "_timeline",
        "_waits",
        "pending",
        "shows_reasoning",
        "stalls_noted",
        "started_at",
    )

    def __init__(self, started_at: int, waits: Waits = FOR_EVER) -> None:
        self.started_at = started_at
        self._waits = waits
        self.pending = array(INT64)
        self.shows_reasoning = False
        self._timeline, self._gaps = _NO_WINDOWS, _NO_GAPS
        self._stalls: tuple[Stall, ...] = ()
        self.stalls_noted = 0

    def restart(self) -> None:
        """Forget every chunk."""
        self.__init__(self.started_at, self._waits)  # type: ignore[misc]  # as new

    def tick(self, now: int) -> None:
        """Count a chunk that came at *now*, in ns."""
        pending = self.pending
        pending.append(now)
        if len(pending) >= FOLD_EVERY:
            self.fold()

    @property
    def chunks(self) -> int:
        """How many chunks have come."""
        return self._timeline.chunks + len(self.pending)

    @property
    def first_chunk_at(self) -> int | None:
        """When the first chunk came, in ns; None before it."""
        first = self._timeline.first
        if first is not None:
            return first
        return self.pending[0] if self.pending else None

    @property
    def last_chunk_at(self) -> int | None:
        """When the last chunk came, in ns; None before the first. May be asked in any thread."""
        waiting = self.pending[-1:]
        if waiting:
            return waiting[0]
        return self._timeline.last

    @property
    def gaps(self) -> Sketch:
        """The waits between chunks, in ns; one less than there are chunks."""
        self.fold()
        return self._gaps

    @property
    def windows(self) -> tuple[Window, ...]:
        """The timeline: at most `MAX_WINDOWS` windows that hold every chunk, in order."""
        self.fold()
        return self._timeline.windows

    @property
    def window_starts(self) -> tuple[int, ...]:
        """When each of the windows started, in ns, in order."""
        self.fold()
        return self._timeline.starts

    def window(self, place: int) -> Window:
        """Return the window at a *place*, from 0; what is pending is in none yet."""
        return self._timeline.window(place)

    @property
    def stall_count(self) -> int:
        """How many waits were longer than the threshold."""
        self.fold()
        return self.stalls_noted

    def stalls_until(self, now: int) -> int:
        """How many waits were too long, that of *now* among them. In any thread, as above.

        While chunks are folded in on another thread, some may not be counted yet.
        """
        count, times, last = self.stalls_noted, self.pending[:], self._timeline.last
        if times and last is None:
            count += times[0] - self.started_at > self._waits.first
        elif times and last is not None:
            count += times[0] - last > self._waits.next
        longest, gaps = self._waits.next, list(map(sub, times[1:], times))
        if gaps and max(gaps) > longest:
            count += sum(gap > longest for gap in gaps)
        return int(count) + self.is_stalled(now)

    @property
    def stalls(self) -> tuple[Stall, ...]:
        """The longest of the waits above the threshold, at most `MAX_STALLS`, in order."""
        self.fold()
        return self._stalls

    def is_stalled(self, now: int) -> bool:
        """Say whether the next chunk is waited for too long at *now*. In any thread, as above."""
        last = self.last_chunk_at
        if last is None:
            return now - self.started_at > self._waits.first
        return now - last > self._waits.next

    @property
    def waiting_since(self) -> int:
        """When the wait for the next chunk began, in ns. May be asked in any thread."""
        last = self.last_chunk_at
        return last if last is not None else self.started_at

    def end(self, at: int) -> None:
        """Say that the run has ended: where no chunk has come, it has waited *at* once for all."""
        has_come = self.pending or self._timeline.chunks
        if not has_come and at - self.started_at > self._waits.first:
            self._note_stall(Stall(0, self.started_at, at - self.started_at))

    def fold(self) -> None:
        """Take the times that are pending into the timeline and the sketch of gaps."""
        if not self.pending:
            return
        # A chunk that comes meanwhile, in another thread, is appended, and waits.
        times = self.pending.tolist()  # as a list: each is looked at several times
        del self.pending[: len(times)]
        if not times:  # another thread was faster
            return
        # Before the first chunk there is no gap: a zero stands for it, and sorts first.
        if self._timeline is _NO_WINDOWS:
            self._timeline, self._gaps = Timeline(), Sketch()
        last = self._timeline.last
        gaps = [times[0] - last if last is not None else 0, *map(sub, times[1:], times)]
        ordered = sorted(gaps)
        if ordered[0] < 0:
            gaps = [max(gap, 0) for gap in gaps]
            ordered = sorted(gaps)
        if last is None and times[0] - self.started_at > self._waits.first:
            self._note_stall(Stall(0, self.started_at, times[0] - self.started_at))
        if ordered[-1] > self._waits.next:
            self._note_stalls(times, gaps)
        self._gaps.add_ordered(ordered if last is not None else ordered[1:])
        self._timeline.add(times, gaps)

    def _note_stalls(self, times: Sequence[int], gaps: Sequence[int]) -> None:
        for place, gap in enumerate(gaps):
            if gap > self._waits.next:
                chunk = self._timeline.chunks + place
                self._note_stall(Stall(chunk, times[place] - gap, gap))

    def _note_stall(self, stall: Stall) -> None:
        self.stalls_noted += 1
        kept = [*self._stalls, stall]
        if len(kept) > MAX_STALLS:
            kept.remove(min(kept, key=lambda stall: stall.duration))
        self._stalls = tuple(kept)
