"""What the options of `nodespan traces` ask for."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from .._terminal.exit import bad_value

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_AGO: Final = re.compile(r"(\d{1,6})([smhd])")


def since(text: str | None) -> datetime | None:
    """Return the time that `--since` says: so long ago, such as `2h`, or a date and time.

    Raises:
        typer.BadParameter: it is neither.
    """
    if text is None:
        return None
    try:
        if (ago := _AGO.fullmatch(text.strip())) is not None:
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError):  # or it is before all time that there is
        raise bad_value(
            "--since", f"{text!r} is not a time; use 90s, 15m, 2h, 7d, or 2026-11-25T14:00"
        ) from None
