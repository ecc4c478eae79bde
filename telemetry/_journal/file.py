"""Opens a journal's file: made where it is missing, moved aside where it is broken."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .._errors import JournalError, JournalMissingError
from .._settings.place import looks_foreign
from .place import OPEN_FILES, check_place, foreign, newer, unusable
from .schema import VERSION, is_foreign, migrate, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

# How long one statement waits for another process: short, since what waits can be asked to stop.
_BUSY: Final = 0.25
_READER_WAITS: Final = 5.0
_BESIDE: Final = ("", "-wal", "-shm")
# The last is what many say that begin to read at once.
_IN_USE: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
# What SQLite says of a damage may hold a piece of it, which is no text.
UNREADABLE: Final = (sqlite3.Error, UnicodeDecodeError)
_KEPT_ASIDE: Final = 2
# Of the write-ahead log, once it is written into the file, so much stays on the disk.
_LOG_KEPT: Final = 8 << 20


class _Connection(sqlite3.Connection):
    """A connection that is known to be open for as long as it is."""

    def close(self) -> None:
        """Close it; from then on the file may be opened past SQLite."""
        super().close()
        OPEN_FILES.forget(self)

    def __del__(self) -> None:
        OPEN_FILES.forget(self)


def _connected(path: Path, database: Path | str, **options: Any) -> sqlite3.Connection:
    """Open a file with SQLite, by its path or by a URI."""
    return OPEN_FILES.opened(
        path,
        lambda: sqlite3.connect(database, factory=_Connection, check_same_thread=False, **options),
    )


def log_of(path: Path) -> Path:
    """Return where the changes to a journal lie that are not in its file yet."""
    return Path(f"{os.path.realpath(path)}-wal")  # a link's lie beside what it leads to


def open_journal(path: Path) -> sqlite3.Connection:
    """Open a journal to write into it; make it where it is missing.

    Raises:
        JournalError: it cannot be one, now or later.
        sqlite3.Error: it cannot be opened now.
        OSError: as above.
    """
    check_place(path)
    try:
        _make(path)
    except OSError as error:
        raise unusable(path, error) from error
    connection = _connected(path, path, timeout=_BUSY, isolation_level=None)
    try:
        _check_owner(connection, path)
        _make_private(path)
        _set_up(connection, path)
    except BaseException as error:
        connection.close()
        if isinstance(error, OSError):
            raise unusable(path, error) from error
        raise
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a journal to read from it alone.

    Raises:
        JournalMissingError: there is none.
        JournalError: it is none, or one that only a newer nodespan can read.
    """
    if not path.exists():
        raise JournalMissingError(f"there is no journal at {path}: nothing was recorded yet")
    try:
        start = OPEN_FILES.start_of(path)
    except OSError as error:
        raise unusable(path, error) from error
    if looks_foreign(start):
        raise foreign(path)
    with telling_damage(path):
        connection, version = _opened_to_read(path)
    if version == VERSION:
        return connection
    connection.close()
    if version > VERSION:
        raise newer(path, version)
    if version == 0:
        raise JournalMissingError(f"there is no journal at {path}: nothing was recorded yet")
    _bring_up_to_date(path, version)
    return _opened_to_read(path)[0]


def _bring_up_to_date(path: Path, version: int) -> None:
    try:
        open_journal(path).close()
    except (JournalError, sqlite3.Error) as error:
        raise JournalError(
            f"the journal {path} is of version {version}, and cannot be brought to {VERSION}, "
            "which this nodespan knows: it must be a file that can be written"
        ) from error


def _opened_to_read(path: Path) -> tuple[sqlite3.Connection, int]:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = _connected(path, uri, uri=True, timeout=_READER_WAITS)
    try:
        _check_owner(connection, path)
        return connection, version_of(connection)
    except sqlite3.OperationalError as error:
        connection.close()
        if is_busy(error):
            raise _in_use(path) from error
        # In a folder that cannot be written, a file that nobody has open is read as it lies.
        connection = _connected(path, f"{uri}&immutable=1", uri=True, timeout=_READER_WAITS)
        return connection, version_of(connection)
    except BaseException:
        connection.close()
        raise


def move_aside(path: Path) -> Path:
    """Move a broken journal out of the way, and return where it lies now; of these the last two.

    Raises:
        OSError: it cannot be moved.
    """
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    aside = path.with_name(f"{path.name}.broken-{now}")
    for suffix in reversed(_BESIDE):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    kept = sorted(path.parent.glob(f"{path.name}.broken-*[0-9]"))
    for old in kept[:-_KEPT_ASIDE]:
        for suffix in _BESIDE:
            Path(f"{old}{suffix}").unlink(missing_ok=True)
    return aside


def size_of(path: Path) -> int:
    """Return how many bytes a journal takes on the disk."""
    total = 0
    for suffix in _BESIDE:
        with suppress(OSError):
            total += Path(f"{path}{suffix}").stat().st_size
    return total


def is_of_damage(error: BaseException | None) -> bool:
    """Say whether an error of who reads tells that the file is damaged."""
    # Imported late: of a start it is a good part, and no start meets damage.
    from google.protobuf.message import DecodeError  # noqa: PLC0415

    if error is None:
        return False
    # Without a code, or one that tells nothing: a text is none, a table is not there.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    is_unreadable = isinstance(error, sqlite3.OperationalError) and code == sqlite3.SQLITE_ERROR
    return is_broken(error) or is_unreadable or isinstance(error, DecodeError | UnicodeDecodeError)


@contextmanager
def telling_damage(path: Path) -> Iterator[None]:
    """Have whoever reads a damaged journal told so, and what would do.

    Raises:
        JournalError: what is read is damaged.
    """
    try:
        yield
    except Exception as error:
        if not is_of_damage(error):
            raise
        raise damaged(path) from error


def damaged(path: Path) -> JournalError:
    """Return what is raised to whoever reads a damaged journal."""
    return JournalError(
        f"the journal {path} is damaged; `nodespan doctor --repair` makes a new one of what can be "
        "read"
    )


def is_broken(error: BaseException) -> bool:
    """Say whether an error of SQLite's tells that the file is damaged."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_busy(error: BaseException) -> bool:
    """Say whether an error of SQLite's tells that somebody else is using the file."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _IN_USE


def _make(path: Path) -> None:
    # What SQLite makes beside it gets the same mode.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _make_private(path: Path) -> None:
    for suffix in _BESIDE:
        beside = Path(f"{path}{suffix}")
        with suppress(FileNotFoundError, PermissionError):
            if beside.stat().st_mode & 0o077:
                beside.chmod(0o600)


def _check_owner(connection: sqlite3.Connection, path: Path) -> None:
    if is_foreign(connection):
        raise foreign(path)


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    version = version_of(connection)
    if version > VERSION:
        raise newer(path, version)
    if version == 0:
        # Only a file without a page takes it.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_KEPT}")
    connection.execute("PRAGMA cache_size = -8192")
    connection.execute("PRAGMA temp_store = MEMORY")
    if version < VERSION:
        migrate(connection)


def _in_use(path: Path) -> JournalError:
    return JournalError(
        f"the journal {path} is in use by another process, which has kept it for more than "
        f"{_READER_WAITS:.0f} seconds; try again"
    )
