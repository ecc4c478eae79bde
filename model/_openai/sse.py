"""Server-sent events of an HTTP answer, with a bound on what one may hold in memory.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx
from httpx_sse import EventSource

from .._generators.owned import owned
from .._generators.turns import Turn
from .._generators.unpaused import unpaused

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from httpx_sse import ServerSentEvent


EVENT_STREAM: Final = "text/event-stream"
# What a part counts for at least: each costs about as much as so many bytes of one.
_LEAST_PART: Final = 32


class EventTooLongError(ValueError):
    """An event goes on beyond its bound."""


async def server_sent_events(
    response: httpx.Response, *, limit: int
) -> AsyncGenerator[ServerSentEvent]:
    """Read the events of an answer as they come.

    Args:
        response: An answer of the type `EVENT_STREAM` that is being streamed, not compressed.
        limit: Bytes that may come before an event is complete.

    Raises:
        EventTooLongError: If more come.
        httpx.TransportError: If the connection breaks.
    """
    parts = _Bounded(response.stream, limit)
    response.stream = parts
    # The library takes the header to the letter; the encoding is this one, whatever it says.
    response.headers["Content-Type"] = EVENT_STREAM
    response.encoding = "utf-8-sig"  # without the byte order mark that a stream may begin with
    async with owned(EventSource(response).aiter_sse()) as events:
        async for event in events:
            parts.pending = 0
            yield event


async def bounded(response: httpx.Response, limit: int) -> AsyncGenerator[bytes]:
    """Read a body in its parts.

    Raises:
        EventTooLongError: If more than *limit* bytes come.
        httpx.TransportError: If the connection breaks.
    """
    async with owned(_Bounded(response.stream, limit).__aiter__()) as parts:
        async for part in parts:
            yield part


class _Bounded(httpx.AsyncByteStream):
    """A stream of bytes that ends in an error when too many come without an event."""

    def __init__(self, stream: object, limit: int) -> None:
        assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101  # of an async client
        self._stream = stream
        self._limit = limit
        self.pending = 0

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        # Parts that have come already are handed out without a turn of the loop.
        turn = Turn()
        parts = self._stream.__aiter__()
        while part := await unpaused(anext(parts, b"")):
            await turn.share()
            self.pending += max(len(part), _LEAST_PART)
            if self.pending > self._limit:
                raise EventTooLongError(f"an event goes on beyond {self._limit} bytes")
            yield part

    async def aclose(self) -> None:
        """Close the stream without a pause in which nothing is waited for."""
        await unpaused(self._stream.aclose())
