"""The only door through which content reaches a signal.

Content is anything people wrote or a model said: prompts, answers, tool arguments and
results, interrupt values, exception messages. It passes only where it was asked for, after
the user's redaction, cut to a size, as JSON that is still valid, and without credentials.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from ._errors import ConfigurationError
from ._plain import Budget, Plain, plain, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Redact: TypeAlias = Callable[[str, Plain], Plain]

CAPTURE_VARIABLE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
DEFAULT_MAX_CHARACTERS: Final = 100_000

# What a user's redaction is given at the most: it runs on the application's thread.
_REDACTION_LIMIT: Final = 10_000_000


class CaptureContent(StrEnum):
    """Where content may go; the values of the official environment variable."""

    NO_CONTENT = "NO_CONTENT"
    SPAN_ONLY = "SPAN_ONLY"
    EVENT_ONLY = "EVENT_ONLY"
    SPAN_AND_EVENT = "SPAN_AND_EVENT"

    @property
    def on_spans(self) -> bool:
        """Whether spans may carry content."""
        return self in (CaptureContent.SPAN_ONLY, CaptureContent.SPAN_AND_EVENT)

    @property
    def on_events(self) -> bool:
        """Whether events may carry content."""
        return self in (CaptureContent.EVENT_ONLY, CaptureContent.SPAN_AND_EVENT)

    @classmethod
    def chosen(cls, mode: str | None, environ: Mapping[str, str]) -> CaptureContent:
        """Return the *mode*, or without one what the environment asks for, or else none.

        Raises:
            ConfigurationError: it is no mode.
        """
        source = "capture_content" if mode is not None else CAPTURE_VARIABLE
        value = environ.get(CAPTURE_VARIABLE, "") if mode is None else mode
        try:
            return cls(value.strip().upper() or cls.NO_CONTENT)
        except ValueError:
            raise ConfigurationError(
                f"{source} is {value!r}; use one of {', '.join(cls)}"
            ) from None


@dataclass(frozen=True, slots=True)
class Passed:
    """What came through the door, and how many pieces of the content did not.

    Attributes:
        text: content that is text as it is, all other content as JSON.
        dropped: characters and items that were cut off, and keys that looked like credentials.
    """

    text: str
    dropped: int


@dataclass(frozen=True, slots=True)
class ContentDoor:
    """Decides what content passes, and in which form.

    Args:
        capture: where content may go.
        redact: called with the attribute's name and the content as plain data; what it
            returns is recorded instead. When it raises, nothing is recorded.
        max_characters: how many characters of text one attribute may carry.
    """

    capture: CaptureContent = CaptureContent.NO_CONTENT
    redact: Redact | None = None
    max_characters: int = DEFAULT_MAX_CHARACTERS

    def on_span(self, name: str, content: Callable[[], object]) -> Passed | None:
        """Return content for the span attribute *name*; None where it must not pass.

        Args:
            name: of the attribute.
            content: makes the content; called only where it may pass, since that may take long.
        """
        if not self.capture.on_spans:
            return None
        value, dropped = self._kept(name, content())
        return Passed(value if isinstance(value, str) else to_json(value), dropped)

    def _kept(self, name: str, content: object) -> tuple[Plain, int]:
        cut = Budget(self.max_characters)
        if self.redact is None:
            return plain(content, cut), cut.dropped
        # Redaction comes before the cut, which could hide from it what it looks for.
        whole = Budget(_REDACTION_LIMIT)
        redacted = self.redact(name, plain(content, whole))
        return plain(redacted, cut), whole.dropped + cut.dropped
