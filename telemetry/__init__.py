"""OpenTelemetry for LangChain and LangGraph: every run, token and failure, on spans."""

from ._content.door import CaptureContent
from ._errors import ConfigurationError, TelemetryError
from ._handler import OpenTelemetryCallbackHandler
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

for _name in __all__:
    globals()[_name].__module__ = __name__
