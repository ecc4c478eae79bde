"""The runs that are going on now, as metrics see them when they are collected."""

from __future__ import annotations

from collections import Counter as Counts
from dataclasses import dataclass
from threading import RLock
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._stream.clock import StreamClock
    from .attribute_sets import AttributeSet
    from .series import Series

_NS: Final = 1e9


@dataclass(slots=True, eq=False)
class LiveRun:
    """A run that is going on.

    Attributes:
        kind: series of the runs of its kind.
        stream: series of the streams like its own; None where it cannot stream.
        clock: of its stream.
        started_at: when it started, in ns of the monotonic clock.
    """

    kind: AttributeSet
    stream: AttributeSet | None = None
    clock: StreamClock | None = None
    started_at: int = 0


class LiveRuns:
    """Knows the runs that are going on, and counts the chunks of their streams.

    What is one step for the interpreter needs no lock: the chunks of a stream that has ended do,
    since they are counted here from then on, and in its clock no longer.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._runs: dict[int, LiveRun] = {}
        self._kinds: set[AttributeSet] = set()
        self._ended: Counts[AttributeSet] = Counts()
        self._reported: Counts[Series] = Counts()

    def open(self, run_id: int, run: LiveRun) -> None:
        """Take note that a run has started."""
        # The series first: who finds a run finds those that it belongs to.
        if run.kind not in self._kinds:
            self._kinds.add(run.kind)
        if run.stream is not None and run.stream not in self._ended:
            with self._lock:
                self._ended.setdefault(run.stream, 0)
        self._runs[run_id] = run

    def close(self, run_id: int) -> LiveRun | None:
        """Take note that a run has ended; of any number of callers one gets the run."""
        run = self._runs.get(run_id)
        if run is None or run.stream is None or run.clock is None or not run.clock.chunks:
            return self._runs.pop(run_id, None)
        with self._lock:
            run = self._runs.pop(run_id, None)
            if run is not None and run.stream is not None and run.clock is not None:
                self._ended[run.stream] += run.clock.chunks
            return run

    def clear(self) -> None:
        """Forget all runs, and all chunks."""
        self.__init__()  # type: ignore[misc]  # as new

    def by_kind(self) -> Mapping[Series, int]:
        """Return how many runs of each kind are going on."""
        open_now = Counts(run.kind for run in list(self._runs.values()))
        return _by_series({kind: open_now[kind] for kind in self._kinds.copy()})

    def oldest(self) -> Mapping[Series, float]:
        """Return how long the oldest run of each kind has been going on, in seconds."""
        runs = list(self._runs.values())
        ages = {kind.series: 0.0 for kind in self._kinds.copy()}
        now = perf_counter_ns()
        for run in runs:
            series = run.kind.series
            ages[series] = max(ages[series], (now - run.started_at) / _NS)
        return ages

    def stalled(self) -> Mapping[Series, int]:
        """Return how many streams of each series have waited too long for their next chunk."""
        runs, ended = self._snapshot()
        now = perf_counter_ns()
        waiting = Counts(run.stream for run in runs if run.clock and run.clock.is_stalled(now))
        return _by_series({stream: waiting[stream] for stream in ended})

    def chunks(self) -> Mapping[Series, int]:
        """Return how many chunks the streams of each series have given so far."""
        runs, chunks = self._snapshot()
        for run in runs:
            if run.stream is not None and run.clock is not None:
                chunks[run.stream] += run.clock.chunks
        # A clock that is read in mid-fold counts too few: no sum may seem to shrink.
        self._reported |= _by_series(chunks)
        return dict(self._reported)

    def _snapshot(self) -> tuple[list[LiveRun], Counts[AttributeSet]]:
        with self._lock:
            return list(self._runs.values()), self._ended.copy()


def _by_series(counts: Mapping[AttributeSet, int]) -> Counts[Series]:
    """Return the sum of each series: more than one set of attributes may belong to it."""
    sums: Counts[Series] = Counts()
    for attributes, count in counts.items():
        sums[attributes.series] += count
    return sums
