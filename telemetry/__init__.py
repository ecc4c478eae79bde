"""OpenTelemetry for LangChain and LangGraph: every run, token and failure, on spans."""

import importlib
import typing

from ._errors import ConfigurationError, TelemetryError

if typing.TYPE_CHECKING:
    from ._content.capture import CaptureContent
    from ._handler.callbacks import OpenTelemetryCallbackHandler
    from ._instrument.process import instrument, uninstrument
    from ._logs.processor import OpenTelemetryLogProcessor
    from ._logs.structlog_setup import configure_logging
    from ._record_evaluation import record_evaluation
    from ._runs.current import add_run_context
    from ._settings.config import TelemetryConfig
    from ._setup.configure import configure
    from ._setup.telemetry import Telemetry
    from ._traces.collector import SpanCollector
    from ._traces.records import EventRecord, LinkRecord, SpanRecord

__all__ = [
    "CaptureContent",
    "ConfigurationError",
    "EventRecord",
    "LinkRecord",
    "OpenTelemetryCallbackHandler",
    "OpenTelemetryLogProcessor",
    "SpanCollector",
    "SpanRecord",
    "Telemetry",
    "TelemetryConfig",
    "TelemetryError",
    "add_run_context",
    "configure",
    "configure_logging",
    "instrument",
    "record_evaluation",
    "uninstrument",
]

_PLACES = {
    "CaptureContent": "_content.capture",
    "EventRecord": "_traces.records",
    "LinkRecord": "_traces.records",
    "OpenTelemetryCallbackHandler": "_handler.callbacks",
    "OpenTelemetryLogProcessor": "_logs.processor",
    "SpanCollector": "_traces.collector",
    "SpanRecord": "_traces.records",
    "Telemetry": "_setup.telemetry",
    "TelemetryConfig": "_settings.config",
    "add_run_context": "_runs.current",
    "configure": "_setup.configure",
    "configure_logging": "_logs.structlog_setup",
    "instrument": "_instrument.process",
    "record_evaluation": "_record_evaluation",
    "uninstrument": "_instrument.process",
}

for _error in (ConfigurationError, TelemetryError):
    _error.__module__ = __name__


def __getattr__(name: str) -> typing.Any:
    """Import a public name when it is first used: who only reads traces needs no LangChain."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f".{_PLACES[name]}", __name__), name)
    found.__module__ = __name__
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
