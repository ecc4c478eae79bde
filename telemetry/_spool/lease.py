"""Who forwards what is owed to an endpoint: one process at a time, while it lives."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Final

from .._journal.owners import Owner

if TYPE_CHECKING:
    import sqlite3

# Who lives, but has not forwarded for so long, gives way.
_STALE: Final = 60 * 10**9
_RENEWED_AFTER: Final = 10 * 10**9


def take_lease(connection: sqlite3.Connection, destination: int, owner: int) -> bool:
    """Become, within a transaction, the one that forwards, or go on to be; say whether it is so."""
    forwarder, heartbeat = connection.execute(
        "SELECT forwarder, heartbeat FROM destinations WHERE id = ?", (destination,)
    ).fetchone()
    if forwarder == owner and abs(time_ns() - heartbeat) < _RENEWED_AFTER:
        return True
    if forwarder != owner and not _is_free(connection, forwarder, heartbeat):
        return False
    connection.execute(
        "UPDATE destinations SET forwarder = ?, heartbeat = ? WHERE id = ?",
        (owner, time_ns(), destination),
    )
    return True


def give_lease_back(connection: sqlite3.Connection, destination: int, owner: int) -> None:
    """Be the one that forwards no longer."""
    connection.execute(
        "UPDATE destinations SET forwarder = NULL WHERE id = ? AND forwarder = ?",
        (destination, owner),
    )


def _is_free(connection: sqlite3.Connection, forwarder: int | None, heartbeat: int) -> bool:
    # A clock that was set back makes a heartbeat of the future.
    if forwarder is None or abs(time_ns() - heartbeat) > _STALE:
        return True
    holder = connection.execute(
        "SELECT namespace, pid, started, heartbeat, lost_at FROM owners WHERE id = ?", (forwarder,)
    ).fetchone()
    return holder is None or holder[4] is not None or Owner(*holder[:3]).is_dead(holder[3])
