"""Where content may go, as people say it; whoever only reads settings needs no LangChain."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from .._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

CAPTURE_VARIABLE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
DEFAULT_MAX_CHARACTERS: Final = 100_000

_LENGTH_LIMIT_VARIABLES: Final = (
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
)


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
    def named(cls, source: str, mode: str | None) -> CaptureContent:
        """Return the mode that a *source* has named; without one there is no content.

        Raises:
            ConfigurationError: it is no mode.
        """
        try:
            return cls(str(mode if mode is not None else "").strip().upper() or cls.NO_CONTENT)
        except ValueError:
            raise ConfigurationError(f"{source} is {mode!r}; use one of {', '.join(cls)}") from None


def within_sdk_limit(max_characters: int, environ: Mapping[str, str]) -> int:
    """Return *max_characters*, or what the SDK would cut an attribute to, JSON or not.

    Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
    """
    limits = (environ.get(variable, "").strip() for variable in _LENGTH_LIMIT_VARIABLES)
    return min([max_characters, *(int(limit) for limit in limits if limit.isdecimal())])
