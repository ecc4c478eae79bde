"""The errors that nodespan.telemetry raises, all of them at set-up.

    TelemetryError
    └── ConfigurationError (also a ValueError)

Once it is set up, telemetry raises nothing into the application: its own
troubles are logged and counted.
"""

from __future__ import annotations


class TelemetryError(Exception):
    """Telemetry could not be set up."""


class ConfigurationError(TelemetryError, ValueError):
    """A setting has a value that cannot work; the message names both and says what would."""
