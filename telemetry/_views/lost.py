"""Ends what dead processes have left open, as every reader of the journal does."""

from __future__ import annotations

from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Final

from .._errors import JournalError
from .._reading.reader import Journal

if TYPE_CHECKING:
    from pathlib import Path

_EVERY: Final = 3.0


class LostRuns:
    """Looks for them now and then, when somebody looks at the journal.

    Args:
        path: of the journal.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._next = 0.0

    def end(self) -> None:
        """End them, unless that was done a moment ago."""
        with self._lock:
            now = monotonic()
            if now < self._next:
                return
            self._next = now + _EVERY
        try:
            Journal(self._path).close()
        except JournalError:
            return
