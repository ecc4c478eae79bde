"""A connection of the viewer's server: who has not asked in time is let go of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from asyncio import TimerHandle, Transport

_UNDER_WAY: Final = (h11.IDLE, h11.SEND_BODY)
# For a whole request to come, from when the connection, or the request, has begun.
REQUEST_SECONDS: Final = 20.0


class PatientProtocol(H11Protocol):
    """Closes a connection on which a request does not come whole: places for them are few.

    uvicorn has a limit of time between two requests alone.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._let_go)

    def data_received(self, data: bytes) -> None:
        """Go on to wait, or stop, where the request is whole; a further one has its own time."""
        super().data_received(data)
        if self.conn.their_state not in _UNDER_WAY:
            self._stop_waiting()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_SECONDS, self._let_go)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _let_go(self) -> None:
        self._deadline = None
        if self.conn.their_state in _UNDER_WAY:
            self.transport.close()
