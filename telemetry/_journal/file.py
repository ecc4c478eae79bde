"""Opens a journal's file: made where it is missing, moved aside where it is broken."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .._errors import JournalError, JournalMissingError
from .._process import Locked, process_wide
from .._settings.place import HEADER, LOOKED_AT, looks_foreign, network_filesystem, takes_files
from .schema import APPLICATION_ID, VERSION, is_foreign, migrate, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

# How long one statement waits for another process: short, since what waits can be asked to stop.
_BUSY: Final = 0.25
_READER_WAITS: Final = 5.0
_BESIDE: Final = ("", "-wal", "-shm")
# The last is what many say that begin to read at once.
_IN_USE: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
# What passes: the place is not at fault.
_PASSING: Final = (
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EAGAIN,
    errno.EINTR,
)
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
        _OPEN.forget(self)

    def __del__(self) -> None:
        _OPEN.forget(self)


class _OpenFiles(Locked):
    """Which journals this process has open.

    Whoever closes a file ends all the locks that his process has on it, SQLite's too: another
    process would then take the file for one that nobody has open, and delete the log of changes
    that is still written. So what is open is never opened past SQLite.

    Source: https://www.sqlite.org/howtocorrupt.html
    """

    def __init__(self) -> None:
        super().__init__()
        self._files: dict[int, tuple[int, int] | None] = {}

    def connect(self, path: Path, database: Path | str, **options: Any) -> sqlite3.Connection:
        """Open a file with SQLite, by its path or by a URI."""
        with self._lock:
            connection = sqlite3.connect(
                database, factory=_Connection, check_same_thread=False, **options
            )
            self._files[id(connection)] = identity_of(path)
            return connection

    def forget(self, connection: _Connection) -> None:
        """Know that a connection is closed."""
        self._files.pop(id(connection), None)

    def start_of(self, path: Path) -> bytes:
        """Return what a file begins with; nothing of one that is open, or not there.

        Raises:
            OSError: it is none, or cannot be read.
        """
        with self._lock:
            identity = identity_of(path)
            if identity is None or identity in list(self._files.values()):
                return b""
            if not path.is_file() and not path.is_dir():
                raise OSError(errno.EINVAL, "it is no file")  # to open a pipe may take for ever
            with path.open("rb") as file:
                return file.read(LOOKED_AT)


_OPEN: Final = process_wide(_OpenFiles)


def identity_of(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another at its place; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def log_of(path: Path) -> Path:
    """Return where the changes to a journal lie that are not in its file yet."""
    return Path(f"{os.path.realpath(path)}-wal")  # a link's lie beside what it leads to


def check_place(path: Path, *, makes_folder: bool = True) -> None:
    """Check, without opening it, that a journal can lie at a place.

    Args:
        path: of the journal.
        makes_folder: whether its folder is made where it is missing; else it is only checked that
            it could be.

    Raises:
        JournalError: it cannot; the message says why, and what would do.
        OSError: nothing tells now.
    """
    kind = network_filesystem(path)
    if kind is not None:
        raise JournalError(
            f"the journal {path} would lie on a network file system ({kind}), where SQLite loses "
            "data; set NODESPAN_JOURNAL to a file on a local disk, or to off"
        )
    try:
        if makes_folder:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        else:
            _check_folder(path.parent)
        is_there = path.exists()
        start = _OPEN.start_of(path)
    except OSError as error:
        raise _unusable(path, error) from error
    if looks_foreign(start):
        raise _foreign(path)
    _check_header(path, start)
    written = path if is_there else path.parent
    if written.exists() and not os.access(written, os.W_OK):
        raise JournalError(
            f"the journal {path} cannot be written; set NODESPAN_JOURNAL to a file that can, "
            "or to off"
        )


def _check_folder(folder: Path) -> None:
    """Check that a folder is there, or could be made, and that it would take a file.

    Raises:
        OSError: it could not; as making it would say.
    """
    nearest = folder
    while not os.path.lexists(nearest) and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        code = errno.EEXIST if nearest == folder else errno.ENOTDIR
    elif not takes_files(nearest):
        code = errno.ENOENT
    elif nearest != folder and not os.access(nearest, os.W_OK | os.X_OK):
        code = errno.EACCES
    else:
        return
    raise OSError(code, os.strerror(code))


def _check_header(path: Path, header: bytes) -> None:
    """Check what a database's first page tells, where it tells anything yet."""
    if not header.startswith(HEADER):
        return  # it is damaged, and will be found so
    application = int.from_bytes(header[68:72])
    version = int.from_bytes(header[60:64])
    if application not in (0, APPLICATION_ID):
        raise _foreign(path)
    if application and version > VERSION:
        raise _newer(path, version)


def open_journal(path: Path) -> sqlite3.Connection:
    """Open a journal to write into it; make it where it is missing.

    Raises:
        JournalError: it cannot be one, now or later.
        sqlite3.Error: it cannot be opened now.
        OSError: as above.
    """
    check_place(path)
    try:
        _make_private(path)
    except OSError as error:
        raise _unusable(path, error) from error
    connection = _OPEN.connect(path, path, timeout=_BUSY, isolation_level=None)
    try:
        _set_up(connection, path)
    except BaseException:
        connection.close()
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
        start = _OPEN.start_of(path)
    except OSError as error:
        raise _unusable(path, error) from error
    if looks_foreign(start):
        raise _foreign(path)
    with telling_damage(path):
        connection, version = _opened_to_read(path)
    if version == VERSION:
        return connection
    connection.close()
    if version > VERSION:
        raise _newer(path, version)
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
    connection = _OPEN.connect(path, uri, uri=True, timeout=_READER_WAITS)
    try:
        _check_owner(connection, path)
        return connection, version_of(connection)
    except sqlite3.OperationalError as error:
        connection.close()
        if is_busy(error):
            raise _in_use(path) from error
        # In a folder that cannot be written, a file that nobody has open is read as it lies.
        connection = _OPEN.connect(path, f"{uri}&immutable=1", uri=True, timeout=_READER_WAITS)
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


def _make_private(path: Path) -> None:
    # What SQLite makes beside it gets the same mode.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    for suffix in _BESIDE:
        beside = Path(f"{path}{suffix}")
        with suppress(FileNotFoundError, PermissionError):
            if beside.stat().st_mode & 0o077:
                beside.chmod(0o600)


def _check_owner(connection: sqlite3.Connection, path: Path) -> None:
    if is_foreign(connection):
        raise _foreign(path)


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    _check_owner(connection, path)
    version = version_of(connection)
    if version > VERSION:
        raise _newer(path, version)
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


def _foreign(path: Path) -> JournalError:
    return JournalError(
        f"{path} is no journal of nodespan's and is left alone; set NODESPAN_JOURNAL to another "
        "file, or to off"
    )


def _in_use(path: Path) -> JournalError:
    return JournalError(
        f"the journal {path} is in use by another process, which has kept it for more than "
        f"{_READER_WAITS:.0f} seconds; try again"
    )


def _newer(path: Path, version: int) -> JournalError:
    return JournalError(
        f"the journal {path} is of version {version}, and this nodespan knows {VERSION}: it is "
        "left alone; use a newer nodespan, or set NODESPAN_JOURNAL to another file"
    )


def _unusable(path: Path, error: OSError) -> Exception:
    """Return what is to be raised: what passes is tried again."""
    if error.errno in _PASSING:
        return error
    return JournalError(
        f"the journal {path} cannot be opened ({error.strerror}); set NODESPAN_JOURNAL to a file "
        "that can be written, or to off"
    )
