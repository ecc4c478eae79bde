"""The text of a stream, chunk by chunk, where content may be on spans (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._values.plain import clean_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .timeline import Window

# Of an open stream, so much is looked at, so that what stands before what is shown is known.
_LOOKED_AT: Final = 10_000
_SHOWN: Final = 2_000


def _nothing(_: str) -> str | None:
    return None


class StreamText:
    """Keeps what each chunk of a stream said, in bounded memory.

    Args:
        max_characters: of the whole; that many chunks, too. What comes later is not kept.
        passed: returns what others may see of a text that is not whole yet; None for nothing.
    """

    __slots__ = ("_passed", "_pieces", "_room", "max_characters")

    def __init__(self, max_characters: int, passed: Callable[[str], str | None] = _nothing) -> None:
        self.max_characters = max_characters
        self._passed = passed
        self.clear()

    def clear(self) -> None:
        """Forget every chunk."""
        self._pieces: list[str] = []
        self._room = self.max_characters

    def add(self, text: str) -> None:
        """Take the text of the next chunk, which may be empty."""
        if self._room > 0 and len(self._pieces) < self.max_characters:
            piece = text[: self._room]
            self._pieces.append(piece)
            self._room -= len(piece)

    def extend(self, text: str) -> None:
        """Take more text of the chunk that was taken last."""
        if self._room > 0 and self._pieces:
            piece = text[: self._room]
            self._pieces[-1] += piece
            self._room -= len(piece)

    @property
    def whole(self) -> str:
        """What the stream said."""
        return self._joined(0, len(self._pieces))

    def so_far(self) -> str | None:
        """Return the last 2,000 characters that others may see; None for none. In any thread."""
        pieces, size = self._pieces, 0
        start = len(pieces)
        while start and size < _LOOKED_AT:
            start -= 1
            size += len(pieces[start])
        said = self._passed("".join(map(clean_text, pieces[start:]))[-_LOOKED_AT:])
        return said[-_SHOWN:] if said else None

    def of(self, window: Window) -> str:
        """Return what was said in a window of the stream's timeline."""
        return self._joined(window.first_chunk, window.first_chunk + window.chunks)

    def _joined(self, start: int, end: int) -> str:
        return "".join(map(clean_text, self._pieces[start:end]))


def token_text(token: Any) -> str:
    """Return the text of a token as LangChain reports it: text, or a list of content blocks."""
    if isinstance(token, str):
        return token
    blocks = token if isinstance(token, list) else ()
    return "".join(_text(block) for block in blocks if isinstance(block, dict | str))


def event_text(event: Mapping[str, Any]) -> str:
    """Return the text that an event of a stream adds."""
    return _text(event.get("delta"))


def _text(block: Any) -> str:
    text = block.get("text") if isinstance(block, dict) else block
    return text if isinstance(text, str) else ""
