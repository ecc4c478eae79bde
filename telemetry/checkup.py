"""Says what is set up here, and whether it works: which settings are in force, who answers."""

from ._checkup.endpoints import EndpointCheck, check_endpoints
from ._checkup.settings import SettingInForce, settings_in_force
from ._settings.slips import warn_of_slips

__all__ = [
    "EndpointCheck",
    "SettingInForce",
    "check_endpoints",
    "settings_in_force",
    "warn_of_slips",
]
