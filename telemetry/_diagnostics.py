"""Telemetry's own troubles: one log line and a counter, never an exception."""

from __future__ import annotations

import logging
from collections import Counter
from functools import wraps
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

from ._interrupts import INTERRUPTS
from ._process import Locked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import structlog

RUN_EVICTED: Final = "open run evicted"

_LOG_AGAIN_AFTER: Final = 60.0
_OFF: Final[dict[str, object]] = {}


class Diagnostics(Locked):
    """Counts what went wrong inside telemetry, and says so once a minute a kind.

    Attributes:
        listener: called with the name of every trouble; None where nobody listens.
    """

    def __init__(self) -> None:
        super().__init__()
        self.listener: Callable[[str], None] | None = None
        self._counts: Counter[str] = Counter()
        self._logged_at: dict[str, float] = {}

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each kind of trouble was met; what is off in this process counts once."""
        return MappingProxyType({**features_off(), **self._counts})

    def report(self, trouble: str, error: BaseException | None = None) -> None:
        """Count a *trouble*, and log it unless it was logged within the last minute.

        Args:
            trouble: what went wrong, in fixed words.
            error: its cause; only its class is logged, since its message may be content.
        """
        with self._lock:
            self._counts[trouble] += 1
            count = self._counts[trouble]
            is_due = (
                monotonic() - self._logged_at.get(trouble, -_LOG_AGAIN_AFTER) >= _LOG_AGAIN_AFTER
            )
            if is_due:
                self._logged_at[trouble] = monotonic()
        if self.listener is not None:
            self.listener(trouble)
        if is_due:
            cause = f" ({type(error).__qualname__})" if error is not None else ""
            warn(f"nodespan telemetry: {trouble}{cause}", count=count)

    def contains(self, trouble: str) -> Containment:
        """Return a block that reports as *trouble* what is raised in it, and raises nothing."""
        return Containment(self, trouble)


class Containment:
    """A block of which nothing but the user's own interrupts passes: it is reported.

    Args:
        diagnostics: to report to.
        trouble: in fixed words.
    """

    __slots__ = ("_diagnostics", "_trouble")

    def __init__(self, diagnostics: Diagnostics, trouble: str) -> None:
        self._diagnostics = diagnostics
        self._trouble = trouble

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> bool:
        """Take what was raised, whatever it is: the application goes on."""
        if error is None or isinstance(error, INTERRUPTS):
            return False
        self._diagnostics.report(self._trouble, error)
        return True


class _Diagnosed(Protocol):
    @property
    def diagnostics(self) -> Diagnostics:
        """What counts its troubles."""


_Callback = TypeVar("_Callback", bound="Callable[..., None]")


def guarded(callback: _Callback) -> _Callback:
    """Make a callback that reports what it raises, and raises nothing."""
    trouble = f"{callback.__name__} failed"

    @wraps(callback)
    def call(self: _Diagnosed, *args: Any, **kwargs: Any) -> None:
        """Call back, and count what fails: it is telemetry's own trouble."""
        # In place: each callback is called thousands of times, and a block is four calls.
        try:
            callback(self, *args, **kwargs)
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, the application goes on
            self.diagnostics.report(trouble, error)

    return cast("_Callback", call)


def switch_off(feature: str) -> None:
    """Say once a process that a feature is off, in fixed words: a library lacks what it needs."""
    here = object()
    # One step: of several threads one says it.
    if _OFF.setdefault(feature, here) is here:
        warn(f"nodespan telemetry: {feature}")


def features_off() -> Mapping[str, int]:
    """Return what is off in this process, each with 1: it is counted once."""
    return dict.fromkeys(_OFF, 1)


def warn(event: str, **fields: int) -> None:
    """Log a line of telemetry's own, whatever the application's logging makes of it."""
    try:
        _logger().warning(event, **fields)
    except INTERRUPTS:
        raise
    except BaseException:  # noqa: BLE001, S110 - a filter or handler of the application's; it is counted
        pass


def _logger() -> structlog.stdlib.BoundLogger:
    # Imported late: a program whose telemetry meets no trouble does without it.
    import structlog  # noqa: PLC0415

    # Bound to the standard library's logger: structlog's default prints to stdout.
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger("nodespan.telemetry"),
        processors=[structlog.stdlib.render_to_log_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return logger
