"""The only door through which content reaches a signal.

Content is anything people wrote or a model said: prompts, answers, tool arguments and
results, states, interrupt values, exception messages. It passes only where it was asked for,
after the user's redaction, cut to a size, as JSON that is still valid, and without credentials.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from threading import local
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from .._interrupts import INTERRUPTS
from .._values.plain import Plain, Reader, Rules, to_json
from .capture import DEFAULT_MAX_CHARACTERS, CaptureContent, within_sdk_limit
from .conversation import read_conversation
from .media import measured
from .messages import ADAPTERS
from .readings import Readings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Redact: TypeAlias = Callable[[str, Plain], Plain]
    Content: TypeAlias = Callable[[], Mapping[str, object]]
    Report: TypeAlias = Callable[[str, BaseException], None]

# Who opens the door takes these from it too.
__all__ = [
    "DEFAULT_MAX_CHARACTERS",
    "CaptureContent",
    "ContentDoor",
    "Passed",
    "fitted",
    "within_sdk_limit",
]

# How much more of the content a redaction sees than is kept: it must not be the cut that
# hides from it what it looks for.
_REDACTION_MARGIN: Final = 10
_REMEMBERED: Final = 4
_SHRINKING: Final = 0.98
_NOTHING: Final = "{}"
# What credentials are made of: ASCII's visible characters.
_OF_WORDS: Final = "".join(map(chr, range(0x21, 0x7F)))

_CONVERSATIONS: Final = ("gen_ai.input.messages", "gen_ai.output.messages")
_PASSING: Final = Rules(adapters=ADAPTERS, record=measured)
_BEFORE_REDACTION: Final = Rules(adapters=ADAPTERS, clean=str, record=measured)


class Passed(NamedTuple):
    """What came through the door, and how many pieces of the content did not.

    Attributes:
        text: content that is text as it is, all other content as JSON, for spans.
        dropped: characters and items that were cut off, and keys that looked like credentials.
        is_json: whether the text is JSON.
        is_changed: whether the user's redaction made it another.
        value: the content as plain data, for events.
    """

    text: str
    dropped: int
    is_json: bool
    is_changed: bool = False
    value: Plain = None

    @property
    def mime_type(self) -> str:
        """What the text is."""
        return "application/json" if self.is_json else "text/plain"


def _say_nothing(_trouble: str, _error: BaseException) -> None:
    pass


class _Redactions:
    """Remembers the last redactions of each thread.

    The same content goes to a span and to an event: so it is redacted once.
    """

    def __init__(self) -> None:
        self._of_thread = local()

    def made(self, redact: Redact, name: str, value: Plain) -> Plain:
        """Return what a redaction makes of a value, or has just made of it."""
        last: deque[tuple[bytes, Plain]] = vars(self._of_thread).setdefault(
            "last", deque(maxlen=_REMEMBERED)
        )
        key = sha256(f"{name} {to_json(value)}".encode()).digest()
        for known, redacted in last:
            if known == key:
                return redacted
        redacted = redact(name, value)
        last.append((key, redacted))
        return redacted


class ContentDoor:
    """Decides what content passes, and in which form; raises nothing.

    Args:
        capture: where content may go.
        redact: called with the attribute's name and the content as plain data; what it
            returns is recorded instead, and nothing where it returns None or raises.
        max_characters: how long one attribute may be.
        report: called in fixed words, and with the cause, when content could not be read.
    """

    __slots__ = ("_readings", "_redactions", "capture", "max_characters", "redact", "report")

    def __init__(
        self,
        capture: CaptureContent = CaptureContent.NO_CONTENT,
        redact: Redact | None = None,
        max_characters: int = DEFAULT_MAX_CHARACTERS,
        report: Report = _say_nothing,
    ) -> None:
        self.capture = capture
        self.redact = redact
        self.max_characters = max_characters
        self.report = report
        self._redactions = _Redactions()
        self._readings = Readings()

    def on_span(
        self, name: str, content: Callable[[], object], limit: int | None = None
    ) -> Passed | None:
        """Return content for the span attribute *name*; None where none must or can pass.

        Args:
            name: of the attribute.
            content: makes the content; called only where it may pass, since that may take long.
            limit: of its characters, where the span has a lower one.
        """
        return self._one(name, content, limit) if self.capture.on_spans else None

    def passes_whole(self, text: str) -> bool:
        """Say whether a *text* that redaction has left as it is passes as it is."""
        return self.capture.on_spans and fitted("", text, self.max_characters).text == text

    def so_far(self, text: str) -> str | None:
        """Return what passes of a *text* that is not whole yet; None where only the whole may.

        A redaction sees whole answers alone. What comes last may be half of a credential: it
        waits until its word has ended.
        """
        if not self.capture.on_spans or self.redact is not None:
            return None
        return fitted("", text.rstrip(_OF_WORDS), self.max_characters).text

    def all_on_span(
        self, content: Content, limit: int | None = None
    ) -> Iterator[tuple[str, Passed]]:
        """Yield what passes onto a span of a run's content, by attribute.

        Args:
            content: makes all of it, by attribute; called only where it may pass.
            limit: of each one's characters, where the span has a lower one.
        """
        if self.capture.on_spans:
            yield from self._all(content, limit)

    def all_on_event(self, content: Content) -> Iterator[tuple[str, Passed]]:
        """Yield what passes onto an event of a run's content, as `all_on_span` does."""
        if self.capture.on_events:
            yield from self._all(content)

    def _all(self, content: Content, limit: int | None = None) -> Iterator[tuple[str, Passed]]:
        try:
            found = content()
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001 - it comes from values of any shape
            self.report("content could not be read", error)
            return
        for name in found:
            passed = self._one(name, partial(found.__getitem__, name), limit)
            if passed is not None:
                yield name, passed

    def _one(
        self, name: str, content: Callable[[], object], limit: int | None = None
    ) -> Passed | None:
        most = self.max_characters if limit is None else min(limit, self.max_characters)
        try:
            return self._passed(name, content(), most)
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001 - the user's redaction may raise anything
            self.report("content could not be recorded", error)
            return None

    def _redacted(self, name: str, value: Plain) -> Plain:
        assert self.redact is not None  # noqa: S101 - or there is nothing to be done
        if self.capture is not CaptureContent.SPAN_AND_EVENT:
            return self.redact(name, value)
        return self._redactions.made(self.redact, name, value)

    def _passed(self, name: str, content: object, most: int) -> Passed | None:
        if self.redact is None:
            return fitted(name, content, most, self._readings)
        whole = Reader(self.max_characters * _REDACTION_MARGIN, _BEFORE_REDACTION)
        value = _read(name, content, whole, self._readings)
        before = to_json(value)
        redacted = self._redacted(name, value)
        if redacted is None:
            return None
        passed = fitted(name, redacted, most, self._readings)
        seen_again = Reader(len(before), _BEFORE_REDACTION)
        is_changed = to_json(_read(name, redacted, seen_again, self._readings)) != before
        return passed._replace(dropped=passed.dropped + whole.dropped, is_changed=is_changed)


def _read(name: str, content: object, reader: Reader, readings: Readings) -> Plain:
    if name in _CONVERSATIONS and isinstance(content, Sequence) and not isinstance(content, str):
        return read_conversation(content, reader, readings)
    return reader.read(content)


def fitted(name: str, content: object, limit: int, readings: Readings | None = None) -> Passed:
    """Return content as text that is no longer than the *limit*, its JSON whole.

    Args:
        name: of the attribute.
        content: of any shape.
        limit: in characters.
        readings: of messages, before.
    """
    characters, readings = limit, readings or Readings()
    while True:
        reader = Reader(characters, _PASSING)
        value = _read(name, content, reader, readings)
        is_json = not isinstance(value, str)
        text = value if isinstance(value, str) else to_json(value)
        if len(text) <= limit:
            return Passed(text, reader.dropped, is_json, value=value)
        if not characters:
            return Passed(_NOTHING, reader.dropped, is_json)
        # What JSON adds to the text is known only once it is there.
        characters = int(characters * limit / len(text) * _SHRINKING)
