"""When to try a request again, and after what pause (pure).

https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_NUMBER: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{0,12})?")
_STATUSES: Final = frozenset({408, 409, 429})
_FIRST_SERVER_ERROR: Final = 500
_LONGEST_WAIT: Final = 366 * 24 * 3600.0
# Beyond it, doubling has long reached every sensible limit.
_MOST_DOUBLINGS: Final = 32


def is_worth_retrying(status: int) -> bool:
    """Tell whether the same request may succeed later."""
    return status in _STATUSES or status >= _FIRST_SERVER_ERROR


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that double, each shortened at random, so that many callers do not return at once.

    Args:
        max_retries: How often to try again, at least 0.
        first: Seconds of the first pause at most.
        longest: Seconds of any pause at most, unless the server asks for more.
        patience: Seconds that a server may ask to wait; when it asks for more, the caller is
            told instead.
    """

    max_retries: int
    first: float = 0.5
    longest: float = 8.0
    patience: float = 60.0

    def pause(self, retries: int, asked: float | None, chance: float) -> float | None:
        """Tell how long to wait before the next try.

        Args:
            retries: How many there have been.
            asked: Seconds that the server asks to wait, if it does.
            chance: A random number from 0 up to 1.

        Returns:
            Seconds, never fewer than the server asks for; `None` to give up.
        """
        if retries >= self.max_retries or (asked is not None and asked > self.patience):
            return None
        half = min(self.longest, self.first * 2.0 ** min(retries, _MOST_DOUBLINGS)) / 2
        return (half if asked is None else asked) + chance * half


def parse_retry_after(value: str | None, *, date: str | None, now: datetime) -> float | None:
    """Read a `Retry-After` header.

    Args:
        value: The header: seconds, or the time of an HTTP date.
        date: The answer's `Date` header, by which the server's own clock is known.
        now: The time here, with its zone, for an answer without a `Date`.

    Returns:
        Seconds to wait, at least 0; `None` for no header, for one that cannot be read, and for
        one that asks for more than a year, which is a mistake.
    """
    value = (value or "").strip()
    if value.isascii() and value.replace(".", "", 1).isdigit():
        return _in_range(float(value))
    until = _http_date(value)
    if until is None:
        return None
    return _in_range(max(0.0, (until - (_http_date(date or "") or now)).total_seconds()))


def _in_range(seconds: float) -> float | None:
    return seconds if seconds <= _LONGEST_WAIT else None


def parse_milliseconds(value: str | None) -> float | None:
    """Read a `retry-after-ms` header, as Azure sends it, in seconds."""
    value = (value or "").strip()
    return _in_range(float(value) / 1000) if _NUMBER.fullmatch(value) else None


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
