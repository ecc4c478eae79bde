"""Connections that read the journal: a few, kept open, made anew where another file lies there."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING, Final

from .._journal.file import open_to_read
from .._reading.damage import reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MOST_KEPT: Final = 4
_CACHED_KB: Final = 32_768
_MAPPED: Final = 1 << 30


class Connections:
    """Connections to a journal, for reading alone, in any thread.

    Args:
        path: of the journal; there may be none yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._free: list[tuple[object, sqlite3.Connection]] = []

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that sees one state of the journal until it is given back.

        Raises:
            JournalMissingError: there is none.
            JournalError: it is none, or one that only a newer nodespan can read.
        """
        identity = self.identity
        connection = self._taken(identity)
        with reading(self.path, connection):
            try:
                connection.execute("BEGIN")
                yield connection
            except sqlite3.Error:
                connection.close()
                raise
            finally:
                self._give_back(identity, connection)

    def opened(self) -> sqlite3.Connection:
        """Open one more, that whoever asks for it closes.

        Raises:
            JournalMissingError: there is none.
            JournalError: it is none, or one that only a newer nodespan can read.
        """
        connection = open_to_read(self.path)
        connection.isolation_level = None
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA cache_size = -{_CACHED_KB}")
        connection.execute(f"PRAGMA mmap_size = {_MAPPED}")
        return connection

    @property
    def identity(self) -> tuple[int, int] | None:
        """What tells the file from another at its place; None where there is none."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def close(self) -> None:
        """Close those that nobody has."""
        with self._lock:
            free, self._free = self._free, []
        for _, connection in free:
            connection.close()

    def _taken(self, identity: object) -> sqlite3.Connection:
        with self._lock:
            while self._free:
                known, connection = self._free.pop()
                if known == identity:
                    return connection
                connection.close()
        return self.opened()

    def _give_back(self, identity: object, connection: sqlite3.Connection) -> None:
        with suppress(sqlite3.Error):
            connection.execute("COMMIT")
        with self._lock:
            if len(self._free) < _MOST_KEPT and _is_open(connection):
                self._free.append((identity, connection))
                return
        connection.close()


def _is_open(connection: sqlite3.Connection) -> bool:
    try:
        return not connection.in_transaction
    except sqlite3.ProgrammingError:
        return False
