"""How a run ended, judged by what LangChain reports (pure)."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError as FutureCancelledError
from enum import StrEnum
from typing import Final

from langgraph.errors import GraphBubbleUp, GraphDrained, GraphInterrupt

from .._values.plain import clean_text

_MAX_NAME_CHARACTERS: Final = 256

# A person at the keyboard or a process that is told to go did not find a fault in the run.
_CANCELLATIONS: Final = (
    asyncio.CancelledError,
    FutureCancelledError,
    KeyboardInterrupt,
    SystemExit,
)


class Outcome(StrEnum):
    """How a run ended when it did not simply end."""

    ERROR = "error"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"
    LOST = "lost"


def outcome_of(error: BaseException) -> Outcome | None:
    """Return the outcome that an exception stands for; None where it is plain control flow.

    Args:
        error: What left the run's body, as LangChain reports it. A LangGraph interrupt, a graph
            that was asked to stop and may be resumed, a `Command` to a parent graph, a
            cancellation and a closed generator are not failures.
    """
    if isinstance(error, GraphInterrupt | GraphDrained):
        return Outcome.INTERRUPTED
    if isinstance(error, GraphBubbleUp):
        return None
    if isinstance(error, _CANCELLATIONS):
        return Outcome.CANCELLED
    if isinstance(error, GeneratorExit):
        return Outcome.ABANDONED
    return Outcome.ERROR


def error_type(error: BaseException) -> str:
    """Return the `error.type` of an exception: the name of its class.

    Source: https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/
    """
    return class_name(type(error))


def class_name(kind: type[BaseException]) -> str:
    """Return the name of an exception's class, of which its author may have made anything."""
    return clean_text(kind.__qualname__[:_MAX_NAME_CHARACTERS])
