"""Which OpenTelemetry log records a handler emits, where any are asked for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from .._runs.observers import RunObserver
from .._settings.variables import emits_inference_details
from .._upstream.opentelemetry import has_logs
from .._version import VERSION

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider

    from .._content.door import ContentDoor
    from .._diagnostics import Diagnostics


class LogObserver(RunObserver, Protocol):
    """Emits records of the runs that are reported to it."""

    def forget(self) -> None:
        """Forget every run: this is a forked child, and they are its parent's."""


def log_observers(
    logger_provider: LoggerProvider | None,
    door: ContentDoor,
    diagnostics: Diagnostics,
    *,
    log_events: bool,
    schema_url: str,
) -> list[LogObserver]:
    """Return what emits the records that are asked for; nothing where none are.

    Args:
        logger_provider: takes them; None is the global one, as soon as one is set.
        door: lets content through, or not.
        diagnostics: counts what could not be emitted.
        log_events: whether models are to be followed while they go on.
        schema_url: of the conventions.
    """
    emits_details = emits_inference_details(door.capture, os.environ)
    if not (log_events or emits_details) or not has_logs():
        return []
    # Imported late: most programs do without logs.
    from opentelemetry._logs import get_logger  # noqa: PLC0415

    from .details import InferenceEvents  # noqa: PLC0415
    from .events import LogEvents  # noqa: PLC0415

    logger = get_logger("nodespan.telemetry", VERSION, logger_provider, schema_url)
    observers: list[LogObserver] = [LogEvents(logger, diagnostics)] if log_events else []
    return observers + ([InferenceEvents(logger, door)] if emits_details else [])
