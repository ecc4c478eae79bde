"""What goes on in a journal just now, and what the last minutes have brought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .damage import typed
from .rows import OPEN_RUN_COLUMNS, OPEN_RUNS, open_run_of
from .services import TRACE_AND_SERVICE, trace_with_service

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from .records import OpenRunRecord, TraceRecord

# Of the traces that ran in a span of time the newest so many are looked at.
_MOST_TRACES: Final = 2_000
_MOST_CALLS: Final = 20_000
_MOST_OPEN: Final = 200
_MOST_FAILURES: Final = 20
# A trace that had started before, and ended in it, is looked for in so many.
_LOOKED_BACK: Final = 2_000
_SPEED_OVER: Final = 10 * 10**9

_TOUCHED: Final = f"""
WITH touched (id) AS (
    SELECT id FROM (SELECT id FROM traces INDEXED BY traces_by_start WHERE started_at >= :since
        ORDER BY started_at DESC LIMIT {_MOST_TRACES})
    UNION SELECT id FROM (SELECT id FROM traces INDEXED BY traces_open WHERE open > 0
        ORDER BY started_at DESC LIMIT {_MOST_TRACES})
    UNION SELECT id FROM (SELECT id, ended_at FROM traces INDEXED BY traces_by_start
        WHERE started_at < :since ORDER BY started_at DESC LIMIT {_LOOKED_BACK})
        WHERE ended_at >= :since
)
"""  # noqa: S608 - ours
_CALLS: Final = f"""{_TOUCHED}
SELECT s.started_at, s.ended_at, s.first_chunk_at, s.last_chunk_at, s.chunks, s.output_tokens,
    s.stalls FROM touched CROSS JOIN spans AS s ON s.trace = touched.id
WHERE s.model IS NOT NULL AND (s.ended_at IS NULL OR s.ended_at >= :since) LIMIT {_MOST_CALLS}
"""  # noqa: S608 - ours
_FAILED: Final = f"""{_TOUCHED}
SELECT {TRACE_AND_SERVICE} FROM touched CROSS JOIN traces AS t ON t.id = touched.id
WHERE t.errors > 0 OR t.outcome IN ('error', 'lost')
ORDER BY ifnull(t.ended_at, t.started_at) DESC LIMIT {_MOST_FAILURES}
"""  # noqa: S608 - ours
_COUNTED: Final = f"""{_TOUCHED}
SELECT count(*), ifnull(sum(t.open > 0), 0),
    ifnull(sum(t.open = 0 AND t.outcome IN ('error', 'lost')), 0),
    ifnull(sum(t.errors > 0 AND (t.open > 0 OR t.outcome NOT IN ('error', 'lost'))), 0)
FROM touched CROSS JOIN traces AS t ON t.id = touched.id
"""  # noqa: S608 - ours
_CALL_KINDS: Final = (int, *[(int, type(None))] * 6)
_STARTED: Final = "SELECT count(*) FROM traces WHERE started_at >= :since"
_OPEN: Final = (
    f"SELECT {TRACE_AND_SERVICE} FROM traces AS t INDEXED BY traces_open WHERE t.open > 0 "  # noqa: S608 - ours
    "ORDER BY t.started_at LIMIT :limit"
)


@dataclass(frozen=True, slots=True)
class Activity:
    """What goes on just now, and what a span of time up to now has brought; times in ns since 1970.

    Attributes:
        at: now.
        seconds: how long that span of time is.
        open_traces: those that have not ended, the oldest first; at most 200.
        open_runs: the spans of these that have not ended, the newest first; at most 1,000.
        running: how many traces have not ended.
        traces: how many traces ran in that time, at most 2,000 that started in it; those before
            count where they are open, or ended in it.
        left_out: how many more started in it.
        failed_traces: how many of the traces have ended as `error` or `lost`.
        traces_with_errors: how many of the others have a failed span: it was tried again, or
            answered, or they go on.
        failures: traces with a failed span, those first that ended last; at most 20.
        calls: how many calls of models ran in that time.
        output_tokens: that ended calls gave.
        tokens_per_second: of all models, in the last ten seconds: the tokens of each call are
            taken to come evenly, and a chunk of a stream that is open to be one.
        mean_time_to_first_chunk: of the streams among the calls, in seconds; None without any.
        slowest_first_chunk: as above, the longest.
        stalls: of the calls, that of a call that is waited for too long just now among them.
        longest_wait: how long an open call has waited for its next chunk, in seconds, or for its
            first, or for its whole answer; None where none is open.
    """

    at: int
    seconds: float
    open_traces: tuple[TraceRecord, ...]
    open_runs: tuple[OpenRunRecord, ...]
    running: int
    traces: int
    left_out: int
    failed_traces: int
    traces_with_errors: int
    failures: tuple[TraceRecord, ...]
    calls: int
    output_tokens: int
    tokens_per_second: float
    mean_time_to_first_chunk: float | None
    slowest_first_chunk: float | None
    stalls: int
    longest_wait: float | None


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of a model."""

    started_at: int
    ended_at: int | None
    first_chunk_at: int | None
    last_chunk_at: int | None
    chunks: int | None
    output_tokens: int | None
    stalls: int | None

    @property
    def first_chunk(self) -> float | None:
        """Time to the first chunk, in seconds."""
        if self.first_chunk_at is None:
            return None
        return max(self.first_chunk_at - self.started_at, 0) / 1e9

    def tokens_between(self, since: int, now: int) -> float:
        """Return how many tokens came between two times, if they came evenly."""
        tokens = self.output_tokens if self.ended_at is not None else self.chunks
        end = self.ended_at or self.last_chunk_at or now
        begin = min(self.first_chunk_at or self.started_at, end)
        if not tokens or end < since or begin > now:
            return 0.0
        if end == begin:
            return float(tokens)
        return tokens * (min(end, now) - max(begin, since)) / (end - begin)

    def wait(self, now: int) -> float:
        """Return how long the next chunk has been waited for, in seconds."""
        return max(now - (self.last_chunk_at or self.started_at), 0) / 1e9


def activity_of(connection: sqlite3.Connection, now: int, seconds: float) -> Activity:
    """Return what goes on in a journal.

    Args:
        connection: to the journal.
        now: in ns since 1970.
        seconds: over how long a time the rest is told.
    """
    asked = {"since": now - int(seconds * 1e9), "limit": _MOST_OPEN}

    def rows(query: str) -> list[Any]:
        """Return the rows of a query."""
        return connection.execute(query, asked).fetchall()

    # One state of the journal for all of it, whoever writes meanwhile.
    connection.execute("BEGIN")
    try:
        traces, running, failed, with_errors = typed(rows(_COUNTED)[0], (int,) * 4)
        ((started,),) = rows(_STARTED)
        calls = [_Call(*typed(row, _CALL_KINDS)) for row in rows(_CALLS)]
        return Activity(
            at=now,
            seconds=seconds,
            open_traces=tuple(trace_with_service(row) for row in rows(_OPEN)),
            open_runs=tuple(map(open_run_of, rows(_OPEN_RUNS))),
            running=running,
            traces=traces,
            left_out=max(started - _MOST_TRACES, 0),
            failed_traces=failed,
            traces_with_errors=with_errors,
            failures=tuple(trace_with_service(row) for row in rows(_FAILED)),
            **_of_calls(calls, now),
        )
    finally:
        connection.execute("COMMIT")


_OPEN_RUNS: Final = f"SELECT {OPEN_RUN_COLUMNS} {OPEN_RUNS} LIMIT 1000"


def _of_calls(calls: Iterable[_Call], now: int) -> dict[str, Any]:
    calls = list(calls)
    since = now - _SPEED_OVER
    first = [each.first_chunk for each in calls if each.first_chunk is not None]
    waits = [each.wait(now) for each in calls if each.ended_at is None]
    ended = [each for each in calls if each.ended_at is not None]
    return {
        "calls": len(calls),
        "output_tokens": sum(each.output_tokens or 0 for each in ended),
        "tokens_per_second": sum(each.tokens_between(since, now) for each in calls)
        / (_SPEED_OVER / 1e9),
        "mean_time_to_first_chunk": sum(first) / len(first) if first else None,
        "slowest_first_chunk": max(first, default=None),
        "stalls": sum(each.stalls or 0 for each in calls),
        "longest_wait": max(waits, default=None),
    }
