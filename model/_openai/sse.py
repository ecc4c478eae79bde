"""Server-sent events of an HTTP answer, with a bound on what one may hold in memory.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx
from httpx_sse import EventSource

from .._generators.owned import owned

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from httpx_sse import ServerSentEvent


EVENT_STREAM: Final = "text/event-stream"


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
    bounded = _Bounded(response.stream, limit)
    response.stream = bounded
    # The library takes the header to the letter; the encoding is this one, whatever it says.
    response.headers["Content-Type"] = EVENT_STREAM
    response.encoding = "utf-8-sig"  # without the byte order mark that a stream may begin with
    async with owned(EventSource(response).aiter_sse()) as events:
        async for event in events:
            bounded.pending = 0
            yield event


class _Bounded(httpx.AsyncByteStream):
    """A stream of bytes that ends in an error when too many come without an event."""

    def __init__(self, stream: object, limit: int) -> None:
        assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101  # of an async client
        self._stream = stream
        self._limit = limit
        self.pending = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            self.pending += len(part)
            if self.pending > self._limit:
                raise EventTooLongError(f"an event goes on beyond {self._limit} bytes")
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()
