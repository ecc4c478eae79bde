"""What a handler is made of, by its settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .._content.door import (
    DEFAULT_MAX_CHARACTERS,
    CaptureContent,
    ContentDoor,
    within_sdk_limit,
)
from .._stream.clock import Waits
from .._traces.writer import SpanWriter

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

    from .._diagnostics import Diagnostics
    from .._semconv import names as semconv
    from .._settings.record import HandlerSettings


def content_door(settings: HandlerSettings, diagnostics: Diagnostics) -> ContentDoor:
    """Return what lets content through, or not, by the settings of a handler."""
    capture = CaptureContent.named("capture_content", settings.capture_content)
    limit = within_sdk_limit(settings.max_content_characters or DEFAULT_MAX_CHARACTERS, os.environ)
    return ContentDoor(capture, settings.redact, limit, diagnostics.report)


def span_writer(
    settings: HandlerSettings,
    tracer: Tracer,
    door: ContentDoor,
    edition: semconv.Edition,
    diagnostics: Diagnostics,
) -> SpanWriter:
    """Return what writes runs to spans, by the settings of a handler."""
    return SpanWriter(
        tracer,
        door,
        edition,
        diagnostics,
        waits=waits(settings),
        metadata_keys=settings.metadata_keys or (),
        user_ids=settings.user_ids is not False,
        tags=settings.tags is True,
    )


def waits(settings: HandlerSettings) -> Waits:
    """Return how long the chunks of streams may be waited for."""
    return Waits(settings.seconds_to_first_chunk * 1e9, settings.seconds_to_next_chunk * 1e9)
