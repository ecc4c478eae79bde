"""What state a journal is in, and its repair."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .._errors import JournalError
from .._journal.file import move_aside, open_journal, size_of
from .._journal.owners import Owner
from .._journal.place import check_place
from .._journal.recovery import end_lost_runs
from .._journal.salvage import salvage
from .._journal.schema import version_of
from .records import Backlog, JournalStatus

if TYPE_CHECKING:
    import sqlite3
    from os import PathLike


def status_of_journal(path: Path, connection: sqlite3.Connection) -> JournalStatus:
    """Return what state a journal is in."""
    counts = dict(connection.execute("SELECT name, count FROM counts").fetchall())
    ((traces, oldest),) = connection.execute("SELECT count(*), min(started_at) FROM traces")
    ((spans,),) = connection.execute("SELECT ifnull(sum(spans), 0) FROM traces")
    ((open_spans,),) = connection.execute(
        "SELECT count(*) FROM spans INDEXED BY spans_open WHERE ended_at IS NULL"
    )
    return JournalStatus(
        path=path,
        bytes=size_of(path),
        version=version_of(connection),
        traces=traces,
        spans=spans,
        open_spans=open_spans,
        oldest=oldest,
        writers=tuple(_writers(connection)),
        backlogs=tuple(_backlogs(connection)),
        dropped=counts.get("dropped", 0),
        lost=counts.get("lost", 0),
        refused=counts.get("refused", 0),
    )


def trouble_of_place(path: str | PathLike[str]) -> str | None:
    """Return why no journal can be written at a place; None where one can. Nothing is made."""
    try:
        check_place(Path(path), makes_folder=False)
    except (JournalError, OSError) as error:
        return str(error)
    return None


def repair(path: str | PathLike[str]) -> Path:
    """Move a damaged journal aside, make a new one of what can be read, and say where it lies.

    Raises:
        OSError: it cannot be moved.
        JournalError: no journal can lie at its place.
    """
    path = Path(path)
    aside = move_aside(path)
    connection = open_journal(path)
    try:
        salvage(aside, connection)
        connection.execute("BEGIN IMMEDIATE")
        end_lost_runs(connection)
        connection.execute("COMMIT")
    finally:
        connection.close()
    return aside


def _writers(connection: sqlite3.Connection) -> list[int]:
    rows = connection.execute(
        "SELECT namespace, pid, started, heartbeat FROM owners WHERE lost_at IS NULL"
    ).fetchall()
    return sorted({row[1] for row in rows if not Owner(*row[:3]).is_dead(row[3])})


def _backlogs(connection: sqlite3.Connection) -> list[Backlog]:
    rows = connection.execute("SELECT id, url, forwarder FROM destinations ORDER BY id").fetchall()
    return [_backlog(connection, *row) for row in rows]


def _backlog(
    connection: sqlite3.Connection, number: int, url: str, forwarder: int | None
) -> Backlog:
    ((spans, oldest),) = connection.execute(
        "SELECT count(*), min(ended_at) FROM spans "
        "WHERE destination = ? AND ended_at IS NOT NULL AND refusal IS NULL",
        (number,),
    )
    ((refused,),) = connection.execute(
        "SELECT count(*) FROM spans "
        "WHERE destination = ? AND ended_at IS NOT NULL AND refusal IS NOT NULL",
        (number,),
    )
    ((log_records,),) = connection.execute(
        "SELECT count(*) FROM log_records WHERE destination = ?", (number,)
    )
    pid = connection.execute("SELECT pid FROM owners WHERE id = ?", (forwarder,)).fetchone()
    return Backlog(url, spans, log_records, oldest, refused, pid[0] if pid else None)
