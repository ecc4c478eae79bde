"""What belongs to the process: what it does as it goes and as it is forked, and what it has one of.

One hook at the exit and one in forked children serve all of nodespan's telemetry. They hold
methods weakly: an object that nobody uses any longer is forgotten, and leaves nothing behind.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import count
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast
from weakref import ref

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import MethodType

    _Weak: TypeAlias = Callable[[], Callable[[], None] | None]

_T = TypeVar("_T")


def _weakly(method: Callable[[], None], gone: Callable[[object], None] | None = None) -> _Weak:
    """Return what returns a method for as long as its object lives.

    Not a `WeakMethod`: where its object goes with the interpreter, that writes a traceback.

    Args:
        method: of an object.
        gone: called when the object lives no longer.
    """
    bound = cast("MethodType", method)
    reference, function = ref(bound.__self__, gone), bound.__func__

    def living() -> Callable[[], None] | None:
        owner = reference()
        return partial(function, owner) if owner is not None else None

    return living


class _Hook:
    """Calls the methods that were added, for as long as their objects live."""

    def __init__(self) -> None:
        # No lock: each step is one of a dict's own, and a fork may come between any two.
        self._methods: dict[int, _Weak] = {}
        self._numbers = count()

    def add(self, method: Callable[[], None]) -> None:
        """Keep a method for as long as its object lives."""
        number, methods = next(self._numbers), self._methods
        methods[number] = _weakly(method, lambda _: methods.pop(number, None) and None)

    def call(self) -> None:
        """Call them all, the oldest first, whatever one of them raises."""
        self._call(reversed(self._living()))

    def call_newest_first(self) -> None:
        """Call them all, whatever one of them raises."""
        self._call(self._living())

    def _call(self, methods: Iterable[Callable[[], None]]) -> None:
        with ExitStack() as stack:  # it begins with the last
            for method in methods:
                stack.callback(method)

    def _living(self) -> list[Callable[[], None]]:
        found = (reference() for reference in list(self._methods.values()))
        return [method for method in found if method is not None]


_at_exit: Final = _Hook()
_in_forked_child: Final = _Hook()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_forked_child.call)


# How long a fork waits for what a thread of ours imports.
_FORK_WAITS: Final = 10.0


class _Imports:
    """Keeps forks and imports on threads of ours apart.

    In a child whose parent was importing a module on another thread, that module is never there,
    and whoever imports it waits for ever.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._is_held = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._hold, after_in_parent=self._let_go, after_in_child=self._let_go
            )

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Import something; no fork comes meanwhile."""
        with self._lock:
            yield

    def _hold(self) -> None:
        self._is_held = self._lock.acquire(timeout=_FORK_WAITS)

    def _let_go(self) -> None:
        if self._is_held:
            self._is_held = False
            self._lock.release()
        else:
            self._lock = RLock()


importing: Final = _Imports()


def at_exit(method: Callable[[], None]) -> None:
    """Call a *method* when the interpreter goes, if its object still lives then."""
    _at_exit.add(method)


def exit_before_others() -> None:
    """Have what is done at the exit done before all that was registered until now.

    The SDK's providers shut down at the exit: what still goes to one must go before.
    """
    atexit.unregister(_at_exit.call_newest_first)
    atexit.register(_at_exit.call_newest_first)


def in_forked_child(method: Callable[[], None]) -> None:
    """Call a *method* in each forked child, for as long as its object lives."""
    _in_forked_child.add(method)


def at_sigterm(method: Callable[[], None]) -> None:
    """Call a *method* when the process is told to go, if that would end it; it ends all the same.

    Where the application handles the signal, or is asked of it in another thread than its main
    one, it does so alone.
    """
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM) if is_main else None
    if before is not signal.SIG_DFL and not isinstance(before, _Ending):
        return
    ending = before if isinstance(before, _Ending) else _Ending()
    ending.add(method)
    if before is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, ending)


class _Ending:
    """Handles SIGTERM as Python does by default, but for what is called before."""

    def __init__(self) -> None:
        self._methods: list[_Weak] = []

    def add(self, method: Callable[[], None]) -> None:
        """Call one more; of objects that live no longer nothing is kept."""
        self._methods = [each for each in self._methods if each() is not None]
        self._methods.append(_weakly(method))

    def __call__(self, number: int, _frame: Any) -> None:
        signal.signal(number, signal.SIG_DFL)
        for living in [method for each in self._methods if (method := each()) is not None]:
            with suppress(Exception):
                living()
        os.kill(os.getpid(), number)


def at_os_exit(method: Callable[[], None]) -> None:
    """Call a *method* before this process, the child of a fork, leaves by `os._exit`.

    That is how such children leave, `multiprocessing`'s among them, and nothing is called then.
    """
    reference, leave = _weakly(method), os._exit

    def call_and_leave(status: int) -> Any:
        """Call the living, and leave as the process would have."""
        if (living := reference()) is not None:
            with suppress(Exception):
                living()
        leave(status)

    os._exit = call_and_leave


def started_thread(work: Callable[[], object], name: str) -> threading.Thread | None:
    """Start a daemon thread; None where this process can have no more, or is about to end."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread


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
