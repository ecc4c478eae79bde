"""Ends the runs of processes that have died, as lost, at their last known time."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Final

from .._encoding.rows import LOST, Origin, lost, row_of
from .owners import dead_owners
from .recording import count, sum_up

if TYPE_CHECKING:
    import sqlite3

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

# Of owners that have nothing open any longer, those are forgotten that were heard of so long ago.
_FORGOTTEN_AFTER: Final = 86_400 * 10**9
_NOWHERE: Final = Origin(b"", b"")
_LOST_COUNT: Final = "lost"


def has_lost_runs(connection: sqlite3.Connection) -> bool:
    """Say whether a process has died that had not ended all; this only reads."""
    dead = [number for number, _ in dead_owners(connection)]
    return any(_is_open(connection, number) for number in dead)


def end_lost_runs(connection: sqlite3.Connection) -> int:
    """End within a transaction what dead processes have left open; return how many spans.

    They are owed to the endpoint that their process sent to.
    """
    ended = 0
    for owner, heartbeat in dead_owners(connection):
        ended += _end_those_of(connection, owner, heartbeat)
        connection.execute("UPDATE owners SET lost_at = ? WHERE id = ?", (time_ns(), owner))
    count(connection, _LOST_COUNT, ended)
    connection.execute(
        "DELETE FROM owners WHERE lost_at IS NOT NULL AND heartbeat < ?",
        (time_ns() - _FORGOTTEN_AFTER,),
    )
    return ended


def _is_open(connection: sqlite3.Connection, owner: int) -> bool:
    query = "SELECT 1 FROM spans WHERE owner = ? AND ended_at IS NULL LIMIT 1"
    return connection.execute(query, (owner,)).fetchone() is not None


def _end_those_of(connection: sqlite3.Connection, owner: int, heartbeat: int) -> int:
    rows = connection.execute(
        "SELECT id, trace, span, chunks, last_chunk_at FROM spans "
        "WHERE owner = ? AND ended_at IS NULL",
        (owner,),
    ).fetchall()
    traces = {trace for _, trace, *_ in rows}
    for number, _, encoded, chunks, last_chunk_at in rows:
        span = lost(encoded, max(heartbeat, last_chunk_at or 0), chunks)
        _end(connection, number, span)
    sum_up(connection, traces)
    return len(rows)


def _end(connection: sqlite3.Connection, number: int, span: Span) -> None:
    row = row_of(span, _NOWHERE)
    connection.execute(
        "UPDATE spans SET ended_at = ?, outcome = ?, error = ?, span = ? WHERE id = ?",
        (row.ended_at, LOST, row.error, row.span, number),
    )
