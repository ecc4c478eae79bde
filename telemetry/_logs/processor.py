"""Lines of a log as OpenTelemetry log records."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import get_current_span

from .._runs.current import FIELD_ATTRIBUTES, run_context, run_fields, span_fields
from .._semconv import names as semconv
from .._translation.exceptions import full_name, stack_trace
from .._upstream.opentelemetry import has_logs, suppression_key
from .._values.plain import Plain, Reader
from .lines import diagnostics, error_of

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from opentelemetry._logs import Logger, LoggerProvider

    from .._runs.run import Run

    EventDict = MutableMapping[str, Any]

_MAX_CHARACTERS: Final = 100_000
_DEFAULT_LOGGER: Final = "nodespan.telemetry"
_OF_OPENTELEMETRY: Final = "opentelemetry"
# What a record has a place for.
_NOT_ATTRIBUTES: Final = frozenset({"event", "level", "logger", "timestamp", "exc_info", "_record"})
_ATTRIBUTES: Final = {
    **FIELD_ATTRIBUTES,
    "exception_type": semconv.EXCEPTION_TYPE,
    "exception": semconv.EXCEPTION_STACKTRACE,
}
_SEVERITIES: Final = {
    "debug": "DEBUG",
    "info": "INFO",
    "warning": "WARN",
    "warn": "WARN",
    "error": "ERROR",
    "exception": "ERROR",
    "critical": "FATAL",
    "fatal": "FATAL",
}


class OpenTelemetryLogProcessor:
    """Sends each line to OpenTelemetry logs, and passes it on: a processor for structlog.

    The event is the record's body, the logger its scope, all else its attributes, as plain data
    without credentials. It is in the span in which the line is written, and has its run. An
    exception is shown by its class and frames: the processor stands before those that make text
    of `exc_info`, and before the renderer.

    Args:
        logger_provider: takes the records; by default the global one.

    Source: https://opentelemetry.io/docs/specs/otel/logs/data-model/
    """

    def __init__(self, logger_provider: LoggerProvider | None = None) -> None:
        self._provider: LoggerProvider | None = None
        if not has_logs():
            return
        # Imported late: most programs do without logs.
        from opentelemetry._logs import SeverityNumber, get_logger_provider  # noqa: PLC0415

        self._provider = logger_provider or get_logger_provider()
        self._severities = {name: SeverityNumber[number] for name, number in _SEVERITIES.items()}
        self._info = SeverityNumber.INFO
        self._suppression = suppression_key()

    def __call__(self, logger: Any, method_name: str, event_dict: EventDict) -> EventDict:
        """Send a line."""
        if self._provider is None:
            return event_dict
        with diagnostics.contains("line could not be sent"):
            self._send(self._provider, logger, method_name, event_dict)
        return event_dict

    def _send(
        self, provider: LoggerProvider, logger: Any, method_name: str, event_dict: EventDict
    ) -> None:
        name = str(event_dict.get("logger") or getattr(logger, "name", None) or _DEFAULT_LOGGER)
        context, run = run_context()
        # What sending itself logs is not sent.
        is_sending = self._suppression is not None and context.get(self._suppression)
        if is_sending or name.startswith(_OF_OPENTELEMETRY):
            return
        level = str(event_dict.get("level") or method_name).lower()
        severity = self._severities.get(level, self._info)
        ids = span_fields(get_current_span(context).get_span_context())
        target: Logger = provider.get_logger(name)
        target.emit(
            timestamp=time_ns(),
            context=context,
            severity_number=severity,
            severity_text=severity.name,
            body=_plain(event_dict.get("event")),
            attributes=_attributes(event_dict, ids, run),
        )


def _attributes(event_dict: EventDict, ids: Mapping[str, str], run: Run | None) -> dict[str, Any]:
    fields: dict[str, Any] = run_fields(run) if run is not None else {}
    fields |= {name: event_dict[name] for name in event_dict.keys() - _NOT_ATTRIBUTES}
    error = error_of(event_dict.get("exc_info"))
    if error is not None:
        fields |= {"exception_type": full_name(type(error)), "exception": stack_trace(error)}
    # The record is in its span; what else a line may say under these names is its own.
    fields = {name: value for name, value in fields.items() if ids.get(name) != value}
    plain = _plain(fields)
    found = plain.items() if isinstance(plain, dict) else ()
    return {_ATTRIBUTES.get(name, name): value for name, value in found if value is not None}


def _plain(value: object) -> Plain:
    return Reader(_MAX_CHARACTERS).read(value)
