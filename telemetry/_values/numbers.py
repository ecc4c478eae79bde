"""Numbers that OTLP can carry (pure)."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Final

_MAX_INT64: Final = 2**63 - 1
_MIN_INT64: Final = -(2**63)


def fits_int64(number: int) -> bool:
    """Say whether a *number* fits the integers of OTLP."""
    return _MIN_INT64 <= number <= _MAX_INT64


def as_int(value: object) -> int | None:
    """Return a number as an integer of 64 bits; None for all else."""
    if type(value) is int:
        return value if _MIN_INT64 <= value <= _MAX_INT64 else None
    if value is None or isinstance(value, bool):
        return None
    number = as_float(value) if isinstance(value, float) else _integer(value)
    return int(number) if number is not None and fits_int64(int(number)) else None


def as_float(value: object) -> float | None:
    """Return a number as a finite float; None for all else."""
    # First what comes most: abstract classes take long to ask.
    if type(value) is float:
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except (OverflowError, TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _integer(value: object) -> int | None:
    return int(value) if isinstance(value, Integral) else None
