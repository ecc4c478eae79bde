"""What belongs to the process: what it does as it goes and as it is forked, and what it has one of.

One hook at the exit and one in forked children serve all models. They hold methods weakly: an
object that nobody uses any longer is forgotten, and leaves nothing behind.
"""

from __future__ import annotations

import atexit
import os
from contextlib import ExitStack
from itertools import count
from threading import RLock
from typing import TYPE_CHECKING, Final, TypeVar, cast
from weakref import WeakMethod

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


class _Hook:
    """Calls the methods that were added, the newest first, for as long as their objects live."""

    def __init__(self) -> None:
        # No lock: each step is one of a dict's own, and a fork may come between any two.
        self._methods: dict[int, WeakMethod[Callable[[], None]]] = {}
        self._numbers = count()

    def add(self, method: Callable[[], None]) -> None:
        """Keep a method for as long as its object lives."""
        number = next(self._numbers)
        methods = self._methods
        methods[number] = WeakMethod(method, lambda _: methods.pop(number, None) and None)

    def call(self) -> None:
        """Call them all, whatever one of them raises."""
        with ExitStack() as stack:  # it begins with the last
            for reference in list(self._methods.values()):
                if (method := reference()) is not None:
                    stack.callback(method)


_at_exit: Final = _Hook()
_in_forked_child: Final = _Hook()

atexit.register(_at_exit.call)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_forked_child.call)


def at_exit(method: Callable[[], None]) -> None:
    """Call a *method* when the interpreter goes, if its object still lives then."""
    _at_exit.add(method)


def in_forked_child(method: Callable[[], None]) -> None:
    """Call a *method* in each forked child, for as long as its object lives."""
    _in_forked_child.add(method)


class Locked:
    """Has a lock, `_lock`, which is made anew in a forked child.

    Another thread of the parent may have held it when the process was forked, and that thread is
    not there to let go of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._renew_lock()
        in_forked_child(self._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = RLock()


_only: Final[dict[type[object], object]] = {}


def process_wide(kind: type[_T]) -> _T:
    """Return the only object of a *kind* that this process has; it is made when first asked for."""
    if kind not in _only:
        _only[kind] = kind()
    return cast("_T", _only[kind])
