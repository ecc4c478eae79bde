"""Checks that a journal can lie at a place, without opening it, and without SQLite."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final, TypeVar

from .._errors import JournalError
from .._process import Locked, process_wide
from .._settings.place import HEADER, LOOKED_AT, looks_foreign, network_filesystem, takes_files
from .schema import APPLICATION_ID, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_C = TypeVar("_C")

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


class OpenFiles(Locked):
    """Which journals this process has open.

    Whoever closes a file ends all the locks that his process has on it, SQLite's too: another
    process would then take the file for one that nobody has open, and delete the log of changes
    that is still written. So what is open is never opened past SQLite.

    Source: https://www.sqlite.org/howtocorrupt.html
    """

    def __init__(self) -> None:
        super().__init__()
        self._files: dict[int, tuple[int, int] | None] = {}

    def opened(self, path: Path, connect: Callable[[], _C]) -> _C:
        """Open a file by what connects to it, and know that it is open until that is forgotten."""
        with self._lock:
            connection = connect()
            self._files[id(connection)] = identity_of(path)
            return connection

    def forget(self, connection: object) -> None:
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


OPEN_FILES: Final = process_wide(OpenFiles)


def identity_of(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another at its place; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


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
        start = OPEN_FILES.start_of(path)
    except OSError as error:
        raise unusable(path, error) from error
    if looks_foreign(start):
        raise foreign(path)
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
    tables = int.from_bytes(header[103:105])
    if application != APPLICATION_ID and (application or tables):
        raise foreign(path)
    if application and version > VERSION:
        raise newer(path, version)


def foreign(path: Path) -> JournalError:
    """Return what is to be raised of a file that is another program's."""
    return JournalError(
        f"{path} is no journal of nodespan's and is left alone; set NODESPAN_JOURNAL to another "
        "file, or to off"
    )


def newer(path: Path, version: int) -> JournalError:
    """Return what is to be raised of a journal that a newer nodespan has made."""
    return JournalError(
        f"the journal {path} is of version {version}, and this nodespan knows {VERSION}: it is "
        "left alone; use a newer nodespan, or set NODESPAN_JOURNAL to another file"
    )


def unusable(path: Path, error: OSError) -> Exception:
    """Return what is to be raised: what passes is tried again."""
    if error.errno in _PASSING:
        return error
    return JournalError(
        f"the journal {path} cannot be opened ({error.strerror}); set NODESPAN_JOURNAL to a file "
        "that can be written, or to off"
    )
