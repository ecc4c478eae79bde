"""How a run ended that nobody reports the end of, judged by what ended above it (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._translation.ending import Ending
from .._translation.kinds import RunKind
from .._translation.outcome import Outcome
from .retries import failed_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .run import Run


def ending_of(run: Run, above: Ending, at: int) -> Ending:
    """Return the ending of a run that was still open, or undecided, when one above it ended.

    Args:
        run: that is to end.
        above: how the run above it ended.
        at: when it ended itself, in ns of the monotonic clock.
    """
    if failed_in(run, above.error, at):
        return Ending(at, Outcome.ERROR, above.error, above.error_type)
    if above.outcome is Outcome.ABANDONED or (above.outcome is None and run.consumer_left):
        return Ending(at, Outcome.ABANDONED)
    return Ending(at, Outcome.CANCELLED)


def outlives_parent(run: Run, above: Ending) -> bool:
    """Say whether a run outlives the one above it that has ended so: it was not waited for."""
    if above.outcome not in (None, Outcome.ERROR) or run.kind is RunKind.NODE:
        return False
    # A generator that has given a chunk belongs to no thread.
    is_generator = run.is_in_mid_stream and run.caller.task is None
    return run.caller.is_elsewhere and not is_generator


def was_abandoned(run: Run, beneath: Iterable[Run]) -> bool:
    """Say whether a run that has simply ended was abandoned, from what is open beneath it.

    A chain whose consumer walks away reports an end like any other; its model's stream is open.
    """
    return run.kind is RunKind.RUNNABLE and any(left.is_in_mid_stream for left in beneath)
