"""Reads a journal again and again, whatever becomes of its file meanwhile."""

from __future__ import annotations

import os
import sqlite3
from time import monotonic
from typing import TYPE_CHECKING, Final, Self, TypeVar

from .._errors import AmbiguousTraceError, JournalError, JournalMissingError, TraceNotFoundError
from .._settings.journal import file_at, path_in_use
from .._settings.slips import warn_of_slips
from .reader import Journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike
    from types import TracebackType

_T = TypeVar("_T")

# Whether a process has died is looked for so often, in seconds.
_LOST_EVERY: Final = 2.0


class JournalWatch:
    """A journal that is read again and again: not there yet, replaced, moved aside or damaged.

    Args:
        path: of its file, or of its folder; by default the one that `NODESPAN_JOURNAL` names, or
            else the one in the user's state folder.

    Attributes:
        path: of its file.
        trouble: why the last reading has given nothing; None where it has.
    """

    def __init__(self, path: str | PathLike[str] | None = None) -> None:
        warn_of_slips()
        self.path = file_at(path) if path is not None else path_in_use(os.environ)
        self.trouble: JournalError | None = None
        self._journal: Journal | None = None
        self._file: tuple[int, int] | None = None
        self._looked_at = 0.0

    @property
    def is_missing(self) -> bool:
        """Whether there was no journal when it was read last."""
        return isinstance(self.trouble, JournalMissingError)

    def read(self, ask: Callable[[Journal], _T]) -> _T | None:
        """Return what the journal answers; None where it cannot be read just now.

        Args:
            ask: is given the journal.

        Raises:
            TraceNotFoundError: *ask* has raised it, and so on.
            AmbiguousTraceError: as above.
        """
        try:
            answer = ask(self._opened())
        except (TraceNotFoundError, AmbiguousTraceError):
            self.trouble = None
            raise
        except JournalError as error:
            self.trouble = error
        except (sqlite3.Error, OSError) as error:
            self.trouble = JournalError(f"the journal {self.path} cannot be read now ({error})")
        else:
            self.trouble = None
            return answer
        self.close()
        return None

    def close(self) -> None:
        """Close it; it is opened anew when it is read."""
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _opened(self) -> Journal:
        file = self._identity()
        if file != self._file:
            self.close()
        if self._journal is None:
            # Opening it looks for runs of processes that have died.
            self._journal, self._file = Journal(self.path), file
            self._looked_at = monotonic()
        elif monotonic() >= self._looked_at + _LOST_EVERY:
            self._looked_at = monotonic()
            self._journal.end_lost_runs()
        return self._journal

    def _identity(self) -> tuple[int, int] | None:
        """Return what tells the file from another at the same place."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino
