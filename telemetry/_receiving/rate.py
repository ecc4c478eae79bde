"""How fast may be sent: a bucket that fills with time."""

from __future__ import annotations

from threading import Lock
from time import monotonic


class Rate:
    """Lets through so much a second, and a burst.

    Args:
        a_second: how much, in any unit.
        burst: how much at once.
    """

    def __init__(self, a_second: float, burst: float) -> None:
        self._a_second = a_second
        self._burst = burst
        self._left = burst
        self._at = monotonic()
        self._lock = Lock()

    def takes(self, amount: float) -> bool:
        """Say whether an amount may pass now; then it counts."""
        with self._lock:
            now = monotonic()
            self._left = min(self._burst, self._left + (now - self._at) * self._a_second)
            self._at = now
            if self._left <= 0:
                return False
            # What is larger than the burst passes once, and is paid off.
            self._left -= amount
            return True
