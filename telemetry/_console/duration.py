"""Durations and times as people read them."""

from datetime import UTC, datetime
from typing import Final

_UNITS: Final = (
    (999_500, 1_000, "µs"),
    (999_500_000, 1_000_000, "ms"),
    (59_950_000_000, 1_000_000_000, "s"),
)
"""Below how many nanoseconds a unit is used (beyond, it rounds to the next), its size, its name."""


def duration(nanoseconds: float, *, ascii_only: bool = False) -> str:
    """Write a duration with three digits and its unit, such as `12.3 ms`, or as `2 min 03 s`.

    A clock that was set back makes a negative duration, which reads as none at all.
    """
    nanoseconds = max(nanoseconds, 0)
    for below, size, unit in _UNITS:
        if nanoseconds < below:
            name = unit.replace("µ", "u") if ascii_only else unit
            return f"{_three_digits(nanoseconds / size)} {name}"
    return _minutes(round(nanoseconds / 1_000_000_000))


def _three_digits(value: float) -> str:
    places = 2 if value < 9.995 else 1 if value < 99.95 else 0  # noqa: PLR2004 - where it rounds up
    return f"{value:.{places}f}"


def _minutes(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:  # noqa: PLR2004 - minutes in an hour
        return f"{minutes} min {seconds:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min"


def when(nanoseconds: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Write a time in ns since 1970 as a local one; one that no date can be is told as a number."""
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC).astimezone().strftime(form)
    except (OverflowError, ValueError, OSError):
        return f"{nanoseconds} ns"
