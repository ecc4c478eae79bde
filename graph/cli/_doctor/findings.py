"""What the doctor finds: the journal, the endpoints, the settings."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from ....telemetry import ConfigurationError, TelemetryConfig
from ....telemetry.checkup import check_endpoints, settings_in_force
from ....telemetry.journal import (
    Journal,
    JournalError,
    JournalMissingError,
    default_path,
    file_at,
    path_in_use,
    trouble_of_place,
)

if TYPE_CHECKING:
    from pathlib import Path

    from ....telemetry.checkup import EndpointCheck, SettingInForce
    from ....telemetry.journal import JournalStatus, Repair


_DEFAULT: Final = "default"
_MOST_SERVICES: Final = 20


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found.

    Attributes:
        path: where the journal is, or would be.
        status: of the journal; None where there is none, or it cannot be read.
        services: that it has traces of.
        is_sound: whether every page of it can be read.
        trouble: why the journal cannot be read, or else why it cannot be written where programs
            are to do so; None where nothing is wrong with it.
        is_missing: whether there is no journal, and none was named.
        repaired: what became of a damaged journal; None where none was repaired.
        endpoints: that signals are sent to.
        settings: in force.
    """

    path: Path
    status: JournalStatus | None
    services: tuple[str, ...]
    is_sound: bool
    trouble: str | None
    is_missing: bool
    repaired: Repair | None
    endpoints: tuple[EndpointCheck, ...]
    settings: tuple[SettingInForce, ...]

    @classmethod
    def made(cls, named: Path | None, timeout: float, repaired: Repair | None) -> Self:
        """Look at all there is to look at.

        Args:
            named: the journal that was asked for; None for the one in use.
            timeout: how long the endpoints may take, in seconds.
            repaired: what became of a damaged journal.

        Raises:
            JournalMissingError: there is none where it was said to be.
        """
        config = TelemetryConfig(journal=named)
        settings = settings_in_force(config)
        path = file_at(named) if named is not None else _path_in_use()
        endpoints: tuple[EndpointCheck, ...] = ()
        with suppress(ConfigurationError):  # the settings say it
            endpoints = check_endpoints(config, timeout=timeout)
        status, is_sound, trouble = None, False, None
        services: tuple[str, ...] = ()
        is_missing = False
        try:
            with Journal(path) as journal:
                status, is_sound = journal.status(), journal.is_sound()
                services = tuple(journal.known("service", _MOST_SERVICES))
        except (JournalError, sqlite3.Error, OSError) as error:
            is_missing = isinstance(error, JournalMissingError)
            if is_missing and named is not None:
                raise
            trouble = str(error)
        if named is None and (status is not None or is_missing) and _may_be_written(settings):
            trouble = trouble_of_place(path)
            is_missing = is_missing and trouble is None
        return cls(
            path, status, services, is_sound, trouble, is_missing, repaired, endpoints, settings
        )

    @property
    def troubled(self) -> tuple[SettingInForce, ...]:
        """The settings that cannot work."""
        return tuple(each for each in self.settings if each.trouble)

    @property
    def records(self) -> bool:
        """Whether a program that is started here, and says nothing else, writes the journal."""
        return any(each.name == "journal" and each.value != "off" for each in self.settings)

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong: what takes no metrics is still well for all else."""
        return (
            (self.is_missing or (self.is_sound and self.trouble is None))
            and all(each.is_well or each.signal == "metrics" for each in self.endpoints)
            and not self.troubled
        )

    def document(self) -> dict[str, Any]:
        """Return it for programs: the journal's state, then the endpoints and the settings."""
        status = asdict(self.status) if self.status is not None else {}
        return {
            **_NO_STATUS,
            **status,
            "path": str(self.path),
            "services": self.services if self.status is not None else None,
            "is_sound": self.is_sound,
            "trouble": self.trouble,
            "aside": str(self.repaired.aside) if self.repaired is not None else None,
            "recovered": self.repaired.recovered if self.repaired is not None else None,
            "unreadable": self.repaired.lost if self.repaired is not None else None,
            "is_well": self.is_well,
            "endpoints": [asdict(each) for each in self.endpoints],
            "settings": [asdict(each) for each in self.settings],
        }


def _may_be_written(settings: tuple[SettingInForce, ...]) -> bool:
    """Say whether a program may write the journal in use: `nodespan chat` does unless told off."""
    (setting,) = (each for each in settings if each.name == "journal")
    return setting.value != "off" or setting.source == _DEFAULT


def _path_in_use() -> Path:
    try:
        return path_in_use(os.environ)
    except ConfigurationError:  # the settings say it
        return default_path()


# The keys of a journal's state are there where it cannot be told, too.
_NO_STATUS: dict[str, Any] = dict.fromkeys(
    (
        *("path", "bytes", "version", "traces", "spans", "open_spans", "oldest", "writers"),
        *("backlogs", "dropped", "lost", "refused"),
    )
)
