"""What happens to a process: it goes, or it is forked."""

from __future__ import annotations

import atexit
import os
from typing import TYPE_CHECKING
from weakref import WeakMethod

if TYPE_CHECKING:
    from collections.abc import Callable


def at_exit(method: Callable[[], None]) -> None:
    """Call a *method* when the interpreter goes, if its object still lives then."""
    atexit.register(_while_alive(method))


def in_forked_child(method: Callable[[], None]) -> None:
    """Call a *method* in each forked child, for as long as its object lives."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_while_alive(method))


def _while_alive(method: Callable[[], None]) -> Callable[[], None]:
    reference = WeakMethod(method)

    def call() -> None:
        if (living := reference()) is not None:
            living()

    return call
