"""Lines of a log: their fields as text, and where they are written."""

from __future__ import annotations

import logging
import sys
import traceback
from textwrap import indent
from typing import TYPE_CHECKING, Any, Final

from .._diagnostics import Diagnostics
from .._translation.exceptions import full_name, stack_trace
from .._values.plain import Plain, Reader, to_json
from .._values.visible import visible, visible_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping, Sequence
    from typing import TextIO

    from structlog.typing import Processor

    EventDict = MutableMapping[str, Any]

diagnostics: Final = Diagnostics()

_UNWRITTEN: Final = "line could not be written"
_MAX_CHARACTERS: Final = 100_000
_FIRST: Final = ("timestamp", "level", "event", "logger")
_NOT_NEXT: Final = frozenset({*_FIRST, "_record"})
_FRAMES: Final = frozenset({"exception", "stack"})
# What every record has.
_OF_RECORDS: Final = vars(logging.makeLogRecord({})).keys() | {"message", "asctime", "taskName"}


class Line:
    """What a line says: as text for whoever wants text, and with its fields for the others.

    Args:
        event: what has happened.
        fields: of the line.
    """

    __slots__ = ("event", "fields")

    def __init__(self, event: str, fields: Mapping[str, object]) -> None:
        self.event = event
        self.fields = fields

    def __str__(self) -> str:
        fields = (f"{name}={value!r}" for name, value in self.fields.items())
        return " ".join([self.event, *fields])


class ExceptionFormatter:
    """Shows the exception of a line by its class and frames: a processor for structlog.

    Args:
        messages: whether its message, which may be content, is shown too.
    """

    def __init__(self, *, messages: bool) -> None:
        self._messages = messages

    def __call__(self, _logger: Any, _method_name: str, event_dict: EventDict) -> EventDict:
        """Put `exception_type` and `exception` in the place of `exc_info`."""
        error = error_of(event_dict.pop("exc_info", None))
        if error is not None:
            event_dict["exception_type"] = full_name(type(error))
            event_dict["exception"] = self._text(error)
        return event_dict

    def _text(self, error: BaseException) -> str:
        if not self._messages:
            return stack_trace(error)
        return "".join(traceback.format_exception(error)).rstrip()


def error_of(exc_info: object) -> BaseException | None:
    """Return the exception that a line's `exc_info` means, in each form that logging knows."""
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1] if len(exc_info) > 1 else None
    if isinstance(exc_info, BaseException):
        return exc_info
    return sys.exc_info()[1] if exc_info else None


def line_of(record: logging.LogRecord) -> EventDict:
    """Return a record of the standard library's logging as a line for structlog's processors."""
    said = record.msg.event if isinstance(record.msg, Line) else record.getMessage()
    extras = {name: value for name, value in vars(record).items() if name not in _OF_RECORDS}
    line: EventDict = {**extras, "event": said, "_record": record}
    if record.exc_info:
        line["exc_info"] = record.exc_info
    if record.stack_info:
        line["stack"] = record.stack_info
    return line


def add_logger_name(logger: Any, _method_name: str, event_dict: EventDict) -> EventDict:
    """Add the logger's name, where it has one."""
    name = getattr(event_dict.get("_record", logger), "name", None)
    if name is not None:
        event_dict["logger"] = name
    return event_dict


def as_plain(_logger: Any, _method_name: str, event_dict: EventDict) -> EventDict:
    """Make a line plain data, of bounded size and without credentials."""
    plain = Reader(_MAX_CHARACTERS).read({name: event_dict[name] for name in _in_order(event_dict)})
    return plain if isinstance(plain, dict) else {}


def as_visible(_logger: Any, _method_name: str, event_dict: EventDict) -> EventDict:
    """Show control characters in a line of plain data as symbols, so that it stays a line."""
    return {visible(name): _visible(value, name) for name, value in event_dict.items()}


def _visible(value: Plain, name: str = "") -> Plain:
    if isinstance(value, str):
        # Frames are lines of their own, set in, so that none looks like a record.
        return indent(visible_lines(value), "  ") if name in _FRAMES else visible(value)
    if isinstance(value, list):
        return [_visible(item) for item in value]
    if isinstance(value, dict):
        return {visible(key): _visible(item) for key, item in value.items()}
    return value


def as_json(_logger: Any, _method_name: str, event_dict: EventDict) -> str:
    """Return a line of plain data as one line of JSON."""
    plain: dict[str, Plain] = dict(event_dict)
    return to_json(plain)


def _in_order(event_dict: EventDict) -> list[str]:
    first = [name for name in _FIRST if name in event_dict]
    return first + [name for name in event_dict if name not in _NOT_NEXT]


class LineWriter(logging.Handler):
    """Writes lines to a stream, one at a time; what cannot be written is counted.

    Args:
        stream: to write to; None is whatever `sys.stderr` is at the time.

    Attributes:
        processors: make text of the lines of the standard library's loggers.
    """

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__()
        self.processors: Sequence[Processor] = ()
        self._stream = stream

    @property
    def is_terminal(self) -> bool:
        """Whether somebody is looking."""
        isatty = getattr(self._stream or sys.stderr, "isatty", None)
        return isatty is not None and isatty()

    def logger(self, *names: Any) -> LineLogger:
        """Return what structlog's loggers write to: a factory for structlog."""
        return LineLogger(self, str(names[0]) if names else None)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record of the standard library's logging."""
        with diagnostics.contains(_UNWRITTEN):
            line: Any = line_of(record)
            for processor in self.processors:
                line = processor(None, record.levelname.lower(), line)
            self._write(line)

    def write(self, line: str) -> None:
        """Write a line."""
        self.acquire()
        try:
            with diagnostics.contains(_UNWRITTEN):
                self._write(line)
        finally:
            self.release()

    def _write(self, line: str) -> None:
        stream = self._stream or sys.stderr
        try:
            stream.write(f"{line}\n")
        except UnicodeEncodeError as error:
            escaped = line.encode(error.encoding, "backslashreplace").decode(error.encoding)
            stream.write(f"{escaped}\n")
        stream.flush()


class LineLogger:
    """What a logger of structlog writes its lines to.

    Args:
        writer: writes them.
        name: of the logger.
    """

    __slots__ = ("_writer", "name")

    def __init__(self, writer: LineWriter, name: str | None) -> None:
        self._writer = writer
        self.name = name

    def msg(self, line: str) -> None:
        """Write a line."""
        self._writer.write(line)

    log = debug = info = warn = warning = error = exception = critical = fatal = msg
