"""What state a journal is in, and its repair."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .._errors import JournalError, JournalMissingError
from .._journal.file import is_of_damage, move_aside, open_journal, open_to_read, size_of
from .._journal.owners import Owner
from .._journal.place import check_place
from .._journal.recovery import end_lost_runs
from .._journal.salvage import salvage
from .._journal.schema import version_of
from .._settings.journal import file_at
from .damage import is_whole, typed
from .records import Backlog, JournalStatus

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path


_COUNT: Final = (int, type(None))
# Who asks for a repair waits for it longer than a program that starts.
_MOST_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Repair:
    """What became of a damaged journal.

    Attributes:
        aside: where it lies now.
        recovered: how many of its spans are in the new one.
        lost: how many it had beside, open ones among them; None where nothing tells.
    """

    aside: Path
    recovered: int
    lost: int | None


def status_of_journal(path: Path, connection: sqlite3.Connection) -> JournalStatus:
    """Return what state a journal is in."""
    rows = connection.execute("SELECT name, count FROM counts").fetchall()
    counts = dict(typed(row, (str, int)) for row in rows)
    (row,) = connection.execute(
        "SELECT count(*), min(started_at), ifnull(sum(spans), 0) FROM traces"
    )
    traces, oldest, spans = typed(row, (int, _COUNT, int))
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
        check_place(file_at(path), makes_folder=False)
    except (JournalError, OSError) as error:
        return str(error)
    return None


def repair(path: str | PathLike[str]) -> Repair | None:
    """Move a damaged journal aside, and make a new one of what can be read.

    What the damaged one owed to an endpoint is owed no longer.

    Args:
        path: of its file, or of its folder.

    Returns: What became of it; None where nothing is wrong with it, and nothing was done.

    Raises:
        OSError: it cannot be moved.
        JournalMissingError: there is none.
        JournalError: what lies there is no journal, or only a newer nodespan can read it.
    """
    path = file_at(path)
    if not path.exists():
        raise JournalMissingError(f"there is no journal at {path}: there is nothing to repair")
    check_place(path)
    if _is_whole(path):
        return None
    aside = move_aside(path)
    with closing(open_journal(path)) as connection:
        recovered, lost = salvage(aside, connection, seconds=_MOST_SECONDS)
        connection.execute("BEGIN IMMEDIATE")
        end_lost_runs(connection)
        connection.execute("COMMIT")
    return Repair(aside, recovered, lost)


def _is_whole(path: Path) -> bool:
    """Say whether nothing is wrong with a journal.

    Raises:
        JournalError: it is none, or in use by another process.
    """
    try:
        with closing(open_to_read(path)) as connection:
            return is_whole(connection)
    except (JournalError, sqlite3.Error) as error:
        if not is_of_damage(error.__cause__ if isinstance(error, JournalError) else error):
            raise
        return False


def _writers(connection: sqlite3.Connection) -> list[int]:
    rows = connection.execute(
        "SELECT namespace, pid, started, heartbeat FROM owners WHERE lost_at IS NULL"
    ).fetchall()
    known = (typed(row, (str, int, str, int)) for row in rows)
    return sorted({row[1] for row in known if not Owner(*row[:3]).is_dead(row[3])})


def _backlogs(connection: sqlite3.Connection) -> list[Backlog]:
    rows = connection.execute("SELECT id, url, forwarder FROM destinations ORDER BY id").fetchall()
    return [_backlog(connection, *typed(row, (int, str, _COUNT))) for row in rows]


def _backlog(
    connection: sqlite3.Connection, number: int, url: str, forwarder: int | None
) -> Backlog:
    (owed,) = connection.execute(
        "SELECT count(*), min(ended_at) FROM spans "
        "WHERE destination = ? AND ended_at IS NOT NULL AND refusal IS NULL",
        (number,),
    )
    spans, oldest = typed(owed, (int, _COUNT))
    ((refused,),) = connection.execute(
        "SELECT count(*) FROM spans "
        "WHERE destination = ? AND ended_at IS NOT NULL AND refusal IS NOT NULL",
        (number,),
    )
    ((log_records,),) = connection.execute(
        "SELECT count(*) FROM log_records WHERE destination = ?", (number,)
    )
    pid = connection.execute("SELECT pid FROM owners WHERE id = ?", (forwarder,)).fetchone()
    (forwards,) = typed(pid or (None,), (_COUNT,))
    return Backlog(url, spans, log_records, oldest, refused, forwards)
