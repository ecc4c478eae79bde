"""OpenTelemetry for LangChain and LangGraph: every run, token and failure, on spans."""

from ._collector import SpanCollector
from ._config import TelemetryConfig
from ._configure import Telemetry, configure
from ._content import CaptureContent
from ._errors import ConfigurationError, TelemetryError
from ._handler import OpenTelemetryCallbackHandler
from ._instrument import instrument, uninstrument
from ._log_records import OpenTelemetryLogProcessor
from ._logging import configure_logging
from ._records import EventRecord, LinkRecord, SpanRecord
from ._run_context import add_run_context

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
    "uninstrument",
]

for _name in __all__:
    globals()[_name].__module__ = __name__
