"""One process's way to a journal: one connection for all its threads, which no fork takes along.

SQLite keeps in the process what it knows of locks: a child that inherits an open file would think
that it holds them. So the file is closed before a fork, and opened again in both.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from functools import cache
from threading import RLock
from time import time_ns
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from .._errors import JournalError
from .file import UNREADABLE, is_broken, log_of, move_aside, open_journal
from .owners import Owner
from .place import identity_of
from .recovery import end_lost_runs
from .salvage import salvage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .._diagnostics import Diagnostics

_FORK_WAITS: Final = 2.0


class Store:
    """A journal that this process writes into.

    Args:
        path: of its file.
        diagnostics: counts what went wrong.

    Attributes:
        owner: the number of this process in the journal.
        since: when the journal began to know this process, in ns since 1970: what started
            before may be known to it from elsewhere.
    """

    def __init__(self, path: Path, diagnostics: Diagnostics) -> None:
        self.path = path
        self.owner = 0
        self.since = time_ns()
        self._diagnostics = diagnostics
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._log: tuple[int, int] | None = None
        self._log_path = path
        self._is_registered = False
        self._lock = RLock()
        self._is_held = False
        _close_at_forks()
        _STORES.add(self)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the journal for one change: all of it is written, or nothing.

        Raises:
            JournalError: there can be no journal at its place.
            sqlite3.Error: it cannot be written now.
            OSError: as above.
        """
        with self._lock:
            connection = self._open()
            try:
                connection.execute("BEGIN IMMEDIATE")
                if not self._is_registered:
                    self.heartbeat(connection)
                    end_lost_runs(connection)
                yield connection
                connection.execute("COMMIT")
                self._is_registered = True
            except BaseException as error:
                self._undo(connection, error)
                raise

    def read(self, query: str) -> tuple[Any, ...]:
        """Return the one row that a short query gives; it may ask of this process by number."""
        with self._lock:
            connection = self._open()
            arguments = (self.owner,) if "?" in query else ()
            row: tuple[Any, ...] = connection.execute(query, arguments).fetchone()
            return row

    def read_if_it_can_be(self, query: str) -> tuple[Any, ...] | None:
        """Return what `read` does; None where the journal cannot be read now."""
        try:
            return self.read(query)
        except (sqlite3.Error, OSError, JournalError):
            return None

    def heartbeat(self, connection: sqlite3.Connection) -> None:
        """Say within a transaction that this process lives."""
        here = Owner.here()
        alive = connection.execute(
            "UPDATE owners SET heartbeat = ? "
            "WHERE id = ? AND lost_at IS NULL AND pid = ? AND started = ?",
            (time_ns(), self.owner, here.pid, here.started),
        )
        if not alive.rowcount:
            self._register(connection)

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                with suppress(sqlite3.Error):
                    connection.close()

    def before_fork(self) -> None:
        """Close the file, and keep the other threads from it."""
        self._is_held = self._lock.acquire(timeout=_FORK_WAITS)
        if self._is_held:
            self.close()

    def after_fork(self) -> None:
        """Let the other threads have the file again."""
        if self._is_held:
            self._is_held = False
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Be the store of another process."""
        if not self._is_held:
            # To close it would undo the parent's locks.
            _LEFT_TO_PARENTS.append(self._connection)
        self._connection = None
        self._lock = RLock()
        self._is_held = False
        self.owner = 0
        self.since = time_ns()

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and not self._is_in_place():
            self.close()
        if self._connection is None:
            found = identity_of(self.path)
            try:
                connection = open_journal(self.path)
            except UNREADABLE as error:
                if isinstance(error, sqlite3.Error) and not is_broken(error):
                    raise
                connection = self._renewed(found)
            self._take(connection)
        return self._connection  # type: ignore[return-value]  # it is there

    def _is_in_place(self) -> bool:
        """Say whether the open file was neither moved nor deleted; nor was its log.

        The application may have copied the file, which ends SQLite's locks: another process then
        deletes the log, and what is written into that is lost.
        """
        return (self._file, self._log) == (identity_of(self.path), identity_of(self._log_path))

    def _take(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._log_path = log_of(self.path)
        self._file, self._log = identity_of(self.path), identity_of(self._log_path)
        self._is_registered = False

    def _register(self, connection: sqlite3.Connection) -> None:
        self.owner = Owner.here().register(connection)
        self.since = time_ns()

    def _undo(self, connection: sqlite3.Connection, error: BaseException) -> None:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        if not self._is_registered:
            self.owner = 0  # another process may get the number
        if is_broken(error):
            found = self._file
            self.close()
            self._take(self._renewed(found))

    def _renewed(self, found: tuple[int, int] | None) -> sqlite3.Connection:
        """Move a broken journal aside, and return a new one with what could be read of it.

        Args:
            found: which file is broken: another process may have done so already.
        """
        if found != identity_of(self.path):
            return open_journal(self.path)
        aside = move_aside(self.path)
        self._diagnostics.report(f"the journal was damaged and is now {aside}")
        connection = open_journal(self.path)
        salvage(aside, connection)
        return connection


_STORES: Final[WeakSet[Store]] = WeakSet()
_LEFT_TO_PARENTS: Final[list[sqlite3.Connection | None]] = []


@cache
def _close_at_forks() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=lambda: _all(Store.before_fork),
            after_in_parent=lambda: _all(Store.after_fork),
            after_in_child=lambda: _all(Store.after_fork_in_child),
        )


def _all(change: Callable[[Store], None]) -> None:
    for store in list(_STORES):
        change(store)
