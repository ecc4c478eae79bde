"""The errors that nodespan.telemetry raises: at set-up, and to those who read a journal.

    TelemetryError
    ├── ConfigurationError (also a ValueError)
    ├── ViewerError
    └── JournalError
        ├── JournalMissingError
        ├── TraceNotFoundError
        └── AmbiguousTraceError

Once it is set up, telemetry raises nothing into the application: its own
troubles are logged and counted.
"""

from __future__ import annotations


class TelemetryError(Exception):
    """Telemetry could not be set up."""


class ConfigurationError(TelemetryError, ValueError):
    """A setting has a value that cannot work; the message names both and says what would."""


class ViewerError(TelemetryError):
    """The viewer cannot be served; the message says why, and what would do."""


class JournalError(TelemetryError):
    """A journal cannot be used, and that will not change by itself."""


class JournalMissingError(JournalError):
    """There is no journal at a place."""


class TraceNotFoundError(JournalError):
    """A journal holds no trace of that name."""


class AmbiguousTraceError(JournalError):
    """A journal holds several traces whose names begin so."""
