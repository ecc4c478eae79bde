"""Calls a function once in a while, in a thread of its own, for as long as there is a reason."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING

from .._process import started_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Thread


class Ticker:
    """Calls a function at regular times, from when it is woken until it is not wanted.

    Args:
        tick: is called; raises nothing.
        is_wanted: says whether to call it again.
        every: how many seconds lie between two calls.
        name: of the thread.
    """

    def __init__(
        self,
        tick: Callable[[], None],
        is_wanted: Callable[[], bool],
        every: float,
        name: str = "nodespan-ticker",
    ) -> None:
        self._tick = tick
        self._is_wanted = is_wanted
        self._every = every
        self._name = name
        self._thread: Thread | None = None
        self._lock = Lock()

    def wake(self) -> None:
        """Begin to tick, unless it is ticking."""
        with self._lock:
            if self._thread is None:
                self._thread = started_thread(self._run, self._name)

    def forget(self) -> None:
        """Begin anew in a forked child, which has none of its parent's threads."""
        self._lock = Lock()
        self._thread = None

    def _run(self) -> None:
        while self._goes_on():
            time.sleep(self._every)
            self._tick()

    def _goes_on(self) -> bool:
        # Under the lock: who wakes it meanwhile is either seen here, or starts another thread.
        with self._lock:
            if not self._is_wanted():
                self._thread = None
            return self._thread is not None
