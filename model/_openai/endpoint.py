"""One chat completion of an OpenAI-compatible server, tried until it begins."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from typing import TYPE_CHECKING, Final

from langchain_core.messages import AIMessageChunk

from .._errors import ModelConnectionError, ModelError
from .._generators.owned import owned
from .exchange import Exchange
from .retry import is_worth_retrying

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .._answer.answer import Piece
    from .http import LoopClients
    from .request import Completion
    from .retry import Backoff

RETRIES: Final = "retries"
"""Where an answer's metadata have why requests were sent again."""

_logger = logging.getLogger("nodespan.model")


async def complete(
    clients: LoopClients, completion: Completion, backoff: Backoff, reasons: list[str]
) -> AsyncGenerator[Piece]:
    """Give the pieces of an answer as they come; an answer that took retries says so first.

    Args:
        clients: The clients of the model.
        completion: What to ask for, and of whom.
        backoff: When to try again.
        reasons: Why requests of the call were sent again so far; more of them are added.

    Raises:
        ModelError: If it fails for good: after the first piece, or after the last try.
    """
    now = asyncio.get_running_loop().time
    until = now() + (math.inf if completion.limits.total is None else completion.limits.total)
    retries = 0
    while True:
        exchange = Exchange(clients, completion, until)
        try:
            async with owned(exchange.pieces()) as pieces:
                async for piece in pieces:
                    if retries and not exchange.is_told:
                        yield _told(reasons)
                        exchange.is_told = True
                    yield piece
        except ModelError as error:
            pause = None if exchange.has_begun else _pause(backoff, error, retries)
            if pause is None or now() + pause > until:
                error.retries = tuple(reasons)
                raise
            reasons.append(str(error.status or type(error).__name__))
            _logger.info("%s: %s; trying again in %.2f s", completion.server, reasons[-1], pause)
        else:
            return
        retries += 1
        await asyncio.sleep(pause)


def _told(reasons: list[str]) -> AIMessageChunk:
    return AIMessageChunk(content="", response_metadata={RETRIES: list(reasons)})


def _pause(backoff: Backoff, error: ModelError, retries: int) -> float | None:
    may_pass = (
        isinstance(error, ModelConnectionError)
        or (error.status is not None and is_worth_retrying(error.status))
        or (error.retry_after is not None and error.is_retryable)
    )
    if not may_pass:
        return None
    return backoff.pause(retries, error.retry_after, random.random())  # noqa: S311  # no secret
