"""What is under way when the server ends: it is told so, and nobody reads of it in a log."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .answers import refusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Ending:
    """Ends the answers that take longer than the server has left, in order.

    Args:
        app: answers.
        closing: set when the server closes.
    """

    def __init__(self, app: ASGIApp, closing: asyncio.Event) -> None:
        self._app = app
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        has_begun = False

        async def sending(message: Message) -> None:
            """Send a message, and remember that there was one."""
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except asyncio.CancelledError:
            if scope["type"] != "http" or not self._closing.is_set():
                raise
            if has_begun:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                await refusal(503, "closing", "the viewer ends")(scope, receive, send)
