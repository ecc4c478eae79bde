"""Ties a call of a model or a tool to the run that it starts, where `instrument` wraps the call."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .._context.current import Body
    from .run import Run


@dataclass(slots=True, eq=False)
class Call:
    """One call that is being made.

    Attributes:
        is_whole: whether the caller gets the whole result at once, so that whatever executes
            between start and end is the run's body.
        body: the place that is kept for the run's body, where its start is reported elsewhere.
        run: that the call has started; None before.
    """

    is_whole: bool
    body: Body | None = None
    run: Run | None = None


current_call: Final[ContextVar[Call | None]] = ContextVar("nodespan-call", default=None)


def claim_call(run: Run) -> None:
    """Give the call that is being made here, if it has no run yet, this run."""
    call = current_call.get()
    if call is not None and call.run is None:
        call.run = run
        run.claim(call.body, is_whole=call.is_whole)
