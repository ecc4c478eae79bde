"""Stop strings over a stream of text.

The text ends where, for the first time, it ends with a stop string; that string is part of
it. So nothing ever has to be held back: every character up to that point belongs to the
answer, whether or not it turns out to be part of a stop string.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .._errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Sequence


def as_list(stop: str | Sequence[str] | None) -> list[str]:
    """Take one stop string, several, or none.

    Raises:
        BadRequestError: It is nothing of these.
    """
    if stop and not isinstance(stop, Iterable):
        raise BadRequestError(f"{stop!r} is no stop string, nor a list of them")
    return [stop] if isinstance(stop, str) else list(stop or ())


class StopScanner:
    """Cuts a stream of text after the first stop string.

    Args:
        stops: The stop strings.
        keep: Whether the stop string that ends the text is part of it. If not, what may be the
            beginning of one is held back.

    Raises:
        BadRequestError: If one of them is empty, or not text.

    Attributes:
        matched: The stop string that ended the text, or `None` while there was none.
    """

    __slots__ = (
        "_ending_in",
        "_held",
        "_keeps",
        "_last_characters",
        "_stops",
        "_tail",
        "_tail_length",
        "matched",
    )

    def __init__(self, stops: Iterable[str], *, keep: bool = True) -> None:
        self._keeps = keep
        self._held = ""
        self._ending_in: dict[str, list[str]] = {}
        self._tail_length = 0
        for stop in dict.fromkeys(stops):
            if not isinstance(stop, str) or not stop:
                raise BadRequestError(f"{stop!r} is no stop string; give texts that are not empty")
            self._ending_in.setdefault(stop[-1], []).append(stop)
            self._tail_length = max(self._tail_length, len(stop) - 1)
        self._last_characters = frozenset(self._ending_in)
        self._stops = tuple(stop for each in self._ending_in.values() for stop in each)
        self._tail = ""
        self.matched: str | None = None

    def feed(self, text: str) -> str:
        """Return as much of the next piece of text as belongs to the answer.

        Args:
            text: The piece, of any length.

        Returns:
            The piece itself, or its beginning where a stop string ends in it (`matched`
            then says which), or nothing once a stop string has been matched.
        """
        if not self._keeps:
            return self._feed_without(text)
        return self._feed(text)

    def rest(self) -> str:
        """Give what was held back, when no more text comes."""
        held, self._held = self._held, ""
        return held

    def _feed_without(self, text: str) -> str:
        text = self._held + self._feed(text)
        if self.matched is not None:
            self._held = ""
            return text.removesuffix(self.matched)
        length = self._beginning_of_a_stop(text)
        self._held = text[len(text) - length :]
        return text[: len(text) - length]

    def _beginning_of_a_stop(self, text: str) -> int:
        """Find how much of a text's end may be the beginning of a stop string."""
        longest = min(self._tail_length, len(text))
        ends = (length for length in range(longest, 0, -1))
        return next((n for n in ends if any(s.startswith(text[-n:]) for s in self._stops)), 0)

    def _feed(self, text: str) -> str:
        if self.matched is not None:
            return ""
        window = self._tail + text
        # A stop string can end in this piece only on one of its characters.
        if candidates := self._last_characters.intersection(text):
            end = self._first_end(window, candidates)
            if end is not None:
                return window[len(self._tail) : end]
        self._tail = window[-self._tail_length :] if self._tail_length else ""
        return text

    def _first_end(self, window: str, last_characters: Iterable[str]) -> int | None:
        """Find where the first stop string to be complete ends in the window."""
        first: int | None = None
        for character in last_characters:
            for stop in self._ending_in[character]:
                start = window.find(stop, 0, first)
                if start >= 0:
                    first, self.matched = start + len(stop), stop
        return first
