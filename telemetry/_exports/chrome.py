"""A trace as a file that Perfetto and Chrome's tracing page open.

Source: the Trace Event Format, https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from .._details.span import is_content
from .._details.values import kind_of
from .._reading.decoding import attributes_of

if TYPE_CHECKING:
    import sqlite3

_PROCESS: Final = 1
_SHORTEST_US: Final = 0.001


def chrome_trace(connection: sqlite3.Connection, trace: int, now: int) -> dict[str, Any]:
    """Return a trace in the trace event format; without what people wrote or a model said.

    Args:
        connection: to the journal.
        trace: its number.
        now: when spans end that are open, in ns since 1970.
    """
    rows = connection.execute(
        "SELECT span_id, parent_id, name, operation, started_at, ended_at, span FROM spans "
        "WHERE trace = ? ORDER BY started_at, ended_at IS NOT NULL, ended_at DESC, id",
        (trace,),
    ).fetchall()
    lanes = _lanes([(row[4], row[5] if row[5] is not None else now) for row in rows])
    events: list[dict[str, Any]] = [_about("process_name", 0, "nodespan")]
    events += [_about("thread_name", lane, f"lane {lane}") for lane in sorted(set(lanes))]
    for row, lane in zip(rows, lanes, strict=True):
        events += _events(row, lane, now)
    return {"displayTimeUnit": "ms", "traceEvents": events}


def _about(name: str, lane: int, text: str) -> dict[str, Any]:
    return {"ph": "M", "pid": _PROCESS, "tid": lane, "name": name, "args": {"name": text}}


def _events(row: Any, lane: int, now: int) -> list[dict[str, Any]]:
    span_id, parent_id, name, operation, start, end, encoded = row
    span = Span.FromString(encoded)
    said = attributes_of(span.attributes)
    shown = {key: value for key, value in said.items() if not is_content(key)}
    place = {"pid": _PROCESS, "tid": lane, "cat": kind_of(operation, name)}
    identity = {"span_id": span_id.hex(), "parent_id": parent_id.hex() if parent_id else None}
    took = max(((end if end is not None else now) - start) / 1e3, _SHORTEST_US)
    bar = {**place, "ph": "X", "name": name, "ts": start / 1e3, "dur": took}
    return [
        {**bar, "args": {**identity, **shown}},
        *(
            {**place, "ph": "i", "s": "t", "name": event.name, "ts": event.time_unix_nano / 1e3}
            for event in span.events
        ),
    ]


def _lanes(times: list[tuple[int, int]]) -> list[int]:
    """Return a lane for each span, so that in a lane spans lie within each other or apart.

    Args:
        times: of spans, by their start; of those that start together, the longest first.
    """
    stacks: dict[int, list[int]] = {}
    free: list[int] = []
    lanes = []
    for start, end in times:
        chosen = None
        for lane in sorted(stacks):
            stack = stacks[lane]
            while stack and stack[-1] <= start:
                stack.pop()
            if not stack:
                del stacks[lane]
                heappush(free, lane)
            elif stack[-1] >= end:
                chosen = lane
                break
        if chosen is None:
            chosen = heappop(free) if free else len(stacks) + 1
        stacks.setdefault(chosen, []).append(end)
        lanes.append(chosen)
    return lanes
