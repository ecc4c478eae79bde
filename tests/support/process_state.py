"""What of the process a test must leave as it was: loggers, OpenTelemetry's globals, variables."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import structlog
from opentelemetry import propagate, trace
from opentelemetry._logs import _internal as otel_logs
from opentelemetry.metrics import _internal as otel_metrics

from nodespan.telemetry._logs import structlog_setup

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOGGERS: Final = ("nodespan", "opentelemetry")
_GLOBALS: Final = (
    (trace, "_TRACER_PROVIDER"),
    (otel_metrics, "_METER_PROVIDER"),
    (otel_logs, "_LOGGER_PROVIDER"),
    (propagate, "propagator"),
)
_SET_ONCE: Final = (
    (trace, "_TRACER_PROVIDER_SET_ONCE"),
    (otel_metrics, "_METER_PROVIDER_SET_ONCE"),
    (otel_logs, "_LOGGER_PROVIDER_SET_ONCE"),
)
# pytest's own says which phase of a test this is.
_CHANGES_BY_ITSELF: Final = "PYTEST_CURRENT_TEST"


@dataclass(frozen=True, slots=True)
class LoggerState:
    """How a logger is set up; handlers that write nothing, and pytest's own, are left out."""

    level: int
    propagate: bool
    disabled: bool
    handlers: tuple[logging.Handler, ...]
    filters: tuple[Any, ...]

    @classmethod
    def of(cls, logger: logging.Logger) -> LoggerState:
        """Return how a logger is set up."""
        handlers, filters = tuple(_handlers(logger)), tuple(logger.filters)
        return cls(logger.level, logger.propagate, logger.disabled, handlers, filters)

    def put_back(self, logger: logging.Logger) -> None:
        """Set a logger up like this."""
        logger.setLevel(self.level)
        logger.propagate, logger.disabled = self.propagate, self.disabled
        for handler in {*_handlers(logger)} ^ {*self.handlers}:
            (logger.addHandler if handler in self.handlers else logger.removeHandler)(handler)
        logger.filters[:] = self.filters


class ProcessState:
    """The process as it is when this is made."""

    def __init__(self) -> None:
        self._loggers = {logger.name: LoggerState.of(logger) for logger in _loggers()}
        self._disabled = logging.root.manager.disable
        self._globals = [getattr(module, name) for module, name in _GLOBALS]
        self._variables = _variables()
        self._structlog = structlog.is_configured()

    def put_back(self) -> list[str]:
        """Make the process what it was, and say what was not."""
        return [
            *self._put_structlog_back(),
            *self._put_loggers_back(),
            *self._put_globals_back(),
            *self._put_variables_back(),
        ]

    def _put_structlog_back(self) -> Iterator[str]:
        if structlog.is_configured() and not self._structlog:
            yield "structlog is set up"
            structlog.reset_defaults()
        if structlog_setup._attachment._undo is not None:
            yield "configure_logging was called"
            undo_configure_logging()

    def _put_loggers_back(self) -> Iterator[str]:
        if logging.root.manager.disable != self._disabled:
            yield f"logging.disable({logging.root.manager.disable})"
            logging.disable(self._disabled)
        for logger in _loggers():
            state = LoggerState.of(logger)
            before = self._loggers.get(logger.name)
            if before is None:
                # A new one comes with what was imported, which has set it up for good.
                before = replace(state, level=logging.NOTSET)
            if state != before:
                yield f"logger {logger.name!r} is {state}, was {before}"
                before.put_back(logger)

    def _put_globals_back(self) -> Iterator[str]:
        for (module, name), before in zip(_GLOBALS, self._globals, strict=True):
            if getattr(module, name) is not before:
                yield f"{module.__name__}.{name} is another"
                setattr(module, name, before)

    def _put_variables_back(self) -> Iterator[str]:
        variables = _variables()
        if variables == self._variables:
            return
        for name in sorted(variables.keys() | self._variables.keys()):
            if variables.get(name) != self._variables.get(name):
                yield f"the variable {name} is another"
                os.environ.pop(name, None)
        os.environ.update(self._variables)


@contextmanager
def process_put_back() -> Iterator[None]:
    """Make the process afterwards what it was, and such as may be given providers anew."""
    before = ProcessState()
    once = [getattr(module, name) for module, name in _SET_ONCE]
    done = [each._done for each in once]
    yield
    before.put_back()
    for each, was in zip(once, done, strict=True):
        each._done = was


def undo_configure_logging() -> None:
    """Make structlog, and the logger that `configure_logging` has taken lines from, as before."""
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    attachment = structlog_setup._attachment
    if attachment._undo is not None:
        attachment._undo()
        attachment._undo = None


def _handlers(logger: logging.Logger) -> Iterator[logging.Handler]:
    for handler in logger.handlers:
        is_pytests = type(handler).__module__ == "_pytest.logging"
        if not is_pytests and not isinstance(handler, logging.NullHandler):
            yield handler


def _loggers() -> Iterator[logging.Logger]:
    yield logging.root
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if name.startswith(_LOGGERS) and isinstance(logger, logging.Logger):
            yield logger


def _variables() -> dict[str, str]:
    variables = dict(os.environ)
    variables.pop(_CHANGES_BY_ITSELF, None)
    return variables
