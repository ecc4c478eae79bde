"""Sets structlog up for an application's own logs."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final, Literal

from .._errors import ConfigurationError
from .._process import Locked, process_wide
from .._runs.current import add_run_context
from .._settings.checks import capable_of
from .lines import (
    ExceptionFormatter,
    LineWriter,
    add_logger_name,
    as_json,
    as_plain,
    as_visible,
)
from .processor import OpenTelemetryLogProcessor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TextIO

    from opentelemetry._logs import LoggerProvider
    from structlog.typing import Processor

_FORMATS: Final = ("console", "json")
_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}
_OWN_LOGGER: Final = "nodespan"


def configure_logging(  # noqa: PLR0913 - keywords, each with a default
    *,
    format: Literal["console", "json"] | None = None,  # noqa: A002 - the field's own word
    level: str | int = "info",
    stream: TextIO | None = None,
    standard_library: bool = False,
    exception_messages: bool = False,
    logger_provider: LoggerProvider | None = None,
) -> None:
    """Set structlog up, so that each line names the run in which it is written.

    `structlog.get_logger()` then gives lines with time, level, event, and with `trace_id`,
    `span_id`, `run_id`, `thread_id` and `node` of the run. nodespan's own lines are among them:
    which runs have started, streamed and ended, how, and in numbers. Values are logged as plain
    data, without credentials, and no line is longer than some 100,000 characters.

    Nobody else's logging changes unasked. A second call replaces the first.

    Args:
        format: of the lines; by default `console` for a terminal, and `json` otherwise.
        level: of the least line that is written: `debug`, `info`, `warning`, `error`,
            `critical`, or logging's number of it.
        stream: to write to; by default what is `sys.stderr` at the time.
        standard_library: whether the lines of the standard library's loggers are written too,
            beside whatever handlers these have. The root logger's level is lowered to *level*
            for that, where it is higher, and never raised.
        exception_messages: whether an exception is logged with its message and source lines,
            which may be content, and not by its class and frames alone.
        logger_provider: gets each line as an OpenTelemetry log record too.

    Raises:
        ConfigurationError: the format or the level is unknown, or the provider has no loggers.

    Source: https://www.structlog.org/en/stable/configuration.html
    """
    import structlog  # noqa: PLC0415 - most of what it imports is for terminals

    least = _level(level)
    capable_of("logger_provider", logger_provider, "get_logger", "a LoggerProvider")
    writer = LineWriter(stream)
    processors = _processors(_renderers(format, writer), exception_messages, logger_provider)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(least),
        context_class=dict,
        logger_factory=writer.logger,
        cache_logger_on_first_use=False,
    )
    writer.setLevel(least)
    writer.processors = processors
    _attachment.replace(writer, to_root=standard_library)


def _processors(
    renderers: Sequence[Processor], exception_messages: bool, logger_provider: LoggerProvider | None
) -> Sequence[Processor]:
    """Return the processors of a line, wherever it comes from."""
    from structlog.contextvars import merge_contextvars  # noqa: PLC0415 - as above
    from structlog.processors import (  # noqa: PLC0415 - as above
        StackInfoRenderer,
        TimeStamper,
        add_log_level,
    )

    sender = [OpenTelemetryLogProcessor(logger_provider)] if logger_provider is not None else []
    return [
        merge_contextvars,
        add_log_level,
        add_logger_name,
        TimeStamper(fmt="iso", utc=True),
        StackInfoRenderer(),
        add_run_context,
        ExceptionFormatter(messages=exception_messages),
        *sender,
        as_plain,
        *renderers,
    ]


def _renderers(format_name: str | None, writer: LineWriter) -> Sequence[Processor]:
    if format_name is None:
        format_name = "console" if writer.is_terminal else "json"
    if format_name not in _FORMATS:
        raise ConfigurationError(f"format is {format_name!r}; use one of {', '.join(_FORMATS)}")
    if format_name == "json":
        return [as_json]
    from structlog.dev import ConsoleRenderer, plain_traceback  # noqa: PLC0415 - as above

    colors = writer.is_terminal and not os.environ.get("NO_COLOR")
    console = ConsoleRenderer(colors=colors, sort_keys=False, exception_formatter=plain_traceback)
    return [as_visible, console]


def _level(named: str | int) -> int:
    level = _LEVELS.get(named.lower()) if isinstance(named, str) else named
    if level is None or isinstance(level, bool) or level not in _LEVELS.values():
        raise ConfigurationError(f"level is {named!r}; use one of {', '.join(_LEVELS)}")
    return level


class _Attachment(Locked):
    """Where the standard library's lines are taken from, until it is put back as it was."""

    def __init__(self) -> None:
        super().__init__()
        self._undo: Callable[[], None] | None = None

    def replace(self, handler: logging.Handler, *, to_root: bool) -> None:
        """Attach a handler to the root logger, or to nodespan's alone, and detach the last one."""
        with self._lock:
            if self._undo is not None:
                self._undo()
            own = logging.getLogger(_OWN_LOGGER)
            self._undo = _attach(handler, logging.getLogger() if to_root else own)


def _attach(handler: logging.Handler, logger: logging.Logger) -> Callable[[], None]:
    before, propagated = logger.level, logger.propagate
    logger.addHandler(handler)
    # The root logger decides for handlers of the application, too: none of them loses a line.
    level = min(before, handler.level) if logger.name == "root" else handler.level
    logger.setLevel(level)
    # The lines are written here: handlers of the application would write them once more.
    logger.propagate = False

    def undo() -> None:
        """Take the handler away, and leave what the application has set since."""
        logger.removeHandler(handler)
        if logger.level == level:  # else the application has set another since
            logger.setLevel(before)
        logger.propagate = propagated

    return undo


_attachment: Final = process_wide(_Attachment)
