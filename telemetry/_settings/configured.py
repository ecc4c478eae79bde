"""The settings of the last `configure` of this process, which hold where others are not given."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from .._process import process_wide
from .record import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Configured:
    """What was configured last, the newest at the end; what was shut down is gone."""

    def __init__(self) -> None:
        self.settings: list[Settings] = []


_configured: Final = process_wide(_Configured)


def remember(settings: Settings) -> None:
    """Take note of what was configured now."""
    _configured.settings.append(settings)


def forget(settings: Settings) -> None:
    """Take note that what was configured so is shut down."""
    _configured.settings[:] = [each for each in _configured.settings if each is not settings]


def configured() -> Mapping[str, Any]:
    """Return each setting of the last `configure` by its name; none without one."""
    known = _configured.settings
    return {each.name: getattr(known[-1], each.name) for each in fields(Settings)} if known else {}
