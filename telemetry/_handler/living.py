"""The handlers of this process: who holds them, and by which names pickles know them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol
from uuid import uuid4
from weakref import WeakSet, WeakValueDictionary

from .._errors import TelemetryError
from .._process import process_wide

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext, TracerProvider

    from .._traces.evaluation import Evaluation


class Handler(Protocol):
    """What others need of a handler that lives."""

    def knows(self, run_id: int) -> bool:
        """Say whether a run, by the integer of its id, is open or remembered there."""

    def writes_to(self, tracer_provider: TracerProvider | None) -> bool:
        """Say whether spans are made by that provider; None is the global one."""

    def evaluate(self, evaluation: Evaluation, judged: SpanContext) -> None:
        """Write an evaluation of a span."""


_living: Final[WeakSet[Handler]] = WeakSet()


class _Handlers:
    """The handlers of this process, by the names that stand for them in pickles."""

    def __init__(self) -> None:
        self.by_token: WeakValueDictionary[str, Handler] = WeakValueDictionary()


def known_handler(token: str, process: int) -> Handler:
    """Return the handler that a pickle names.

    Args:
        token: its name.
        process: the number of the process in which it is.

    Raises:
        TelemetryError: it is in another process.
    """
    handler = process_wide(_Handlers).by_token.get(token)
    if handler is None:
        raise TelemetryError(
            f"this handler is one of process {process}, with that one's providers: pickle without "
            "it, and where the pickle is loaded call instrument(), or give "
            "OpenTelemetryCallbackHandler() in the callbacks of each call"
        )
    return handler


def living_handlers() -> list[Handler]:
    """Return every handler that somebody holds."""
    return list(_living)


def join(handler: Handler) -> str:
    """Take a handler in, for as long as somebody holds it; return its name in pickles."""
    token = uuid4().hex
    process_wide(_Handlers).by_token[token] = handler
    _living.add(handler)
    return token
