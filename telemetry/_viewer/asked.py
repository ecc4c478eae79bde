"""What the query of an address asks for."""

from __future__ import annotations

from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING, Final

from .._reading.records import TraceFilter
from .._views.listing import NEWEST_FIRST, ORDERS
from .answers import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

_TEXTS: Final = ("conversation", "agent", "model", "outcome", "text")
# In ms; datetime ends with the year 9999.
_LATEST: Final = 253_402_300_799_000
_MOST: Final = 2**62
_LONGEST: Final = 10_000


def whole_number(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """Return a number of a query, within its bounds.

    Raises:
        BadRequestError: it is none.
    """
    text = query.get(name)
    if not text:
        return default
    try:
        number = int(text)
    except ValueError:
        raise BadRequestError(f"{name}={text[:100]!r} is no whole number") from None
    return min(max(number, least), most)


def milliseconds(query: Mapping[str, str], name: str) -> float | None:
    """Return a time, or a duration, of a query, in ms; None where it has none.

    Raises:
        BadRequestError: it is none.
    """
    text = query.get(name)
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise BadRequestError(f"{name}={text[:100]!r} is no number of milliseconds")
    return min(max(number, 0), _LATEST)


def order(query: Mapping[str, str]) -> str:
    """Return what the list is to be ordered by.

    Raises:
        BadRequestError: it cannot be.
    """
    name = query.get("order") or NEWEST_FIRST
    if name not in ORDERS:
        raise BadRequestError(f"order={name[:100]!r} is none of {', '.join(ORDERS)}")
    return name


def number_of_last(query: Mapping[str, str]) -> int | None:
    """Return the number of the last trace that counts; None where the query has none."""
    return whole_number(query, "as_of", 0, 0, _MOST) if query.get("as_of") else None


def is_asked(query: Mapping[str, str], name: str) -> bool:
    """Say whether a query asks for something that there is or is not."""
    return query.get(name, "") not in ("", "0", "false")


def trace_filter(query: Mapping[str, str]) -> TraceFilter:
    """Return the filter of a query.

    Raises:
        BadRequestError: one of its values makes no sense.
    """
    texts = {name: query.get(name) or None for name in _TEXTS}
    for name, text in texts.items():
        if text is not None and len(text) > _LONGEST:
            raise BadRequestError(f"{name} has {len(text):,} characters; at most {_LONGEST:,} do")
    since, until = milliseconds(query, "since"), milliseconds(query, "until")
    slower_than = milliseconds(query, "slower_than")
    return TraceFilter(
        **texts,
        slower_than=slower_than / 1e3 if slower_than is not None else None,
        stalled=is_asked(query, "stalled"),
        since=datetime.fromtimestamp(since / 1e3, UTC) if since is not None else None,
        before=int(until * 1e6) if until is not None else None,
    )
