"""What is written beside an answer: it waits until the answer's line has ended."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from io import StringIO
from threading import RLock
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

# What is longer is written at once: it is no single trace.
_MOST_CHARACTERS: Final = 1_000_000


class HeldBack(StringIO):
    """Writes to a stream, but for as long as an answer is written on the same screen.

    Args:
        stream: where to.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._is_holding = False
        self._lock = RLock()

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Hold back what is written meanwhile."""
        self._is_holding = True
        try:
            yield
        finally:
            self._is_holding = False
            # Whoever reads it may be gone: then nobody misses it.
            with suppress(OSError, ValueError):
                self._let_go()

    def write(self, text: str) -> int:
        """Take a text."""
        with self._lock:
            written = super().write(text)
            if not self._is_holding or self.tell() > _MOST_CHARACTERS:
                self._let_go()
        return written

    def flush(self) -> None:
        """Do nothing: what is not held back was written at once."""

    def isatty(self) -> bool:
        """Say whether the stream is a terminal."""
        return self._stream.isatty()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a StringIO has none
        """The stream's encoding."""
        return self._stream.encoding

    def _let_go(self) -> None:
        with self._lock:
            held = self.getvalue()
            self.seek(0)
            self.truncate()
            if held:
                self._stream.write(held)
                self._stream.flush()
