"""The text of a stream, chunk by chunk, where content may be on spans (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._values.plain import clean_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .timeline import Window


class StreamText:
    """Keeps what each chunk of a stream said, in bounded memory.

    Args:
        max_characters: of the whole; that many chunks, too. What comes later is not kept.
    """

    __slots__ = ("_pieces", "_room", "max_characters")

    def __init__(self, max_characters: int) -> None:
        self.max_characters = max_characters
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
