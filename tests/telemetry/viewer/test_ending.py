"""What is under way when the viewer's server ends is ended in order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from nodespan.telemetry._viewer.ending import Ending

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

HTTP = {"type": "http", "method": "GET", "path": "/", "headers": []}
BEGUN = {"type": "http.response.start", "status": 200, "headers": []}


async def cancelled(scope: Scope, *, begins: bool, closes: bool) -> list[Message]:
    """Return what an answer that takes forever has sent when it is cancelled."""
    sent: list[Message] = []
    closing = asyncio.Event()
    waiting = asyncio.Event()

    async def forever(_: Scope, __: Receive, send: Send) -> None:
        if begins:
            await send(BEGUN)
        waiting.set()
        await asyncio.Event().wait()

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    answering = asyncio.create_task(Ending(forever, closing)(scope, receive, send))
    await waiting.wait()
    if closes:
        closing.set()
    answering.cancel()
    await answering
    return sent


async def test_what_takes_too_long_is_told_that_the_viewer_ends() -> None:
    """An answer that has not begun is an error in plain English, and raises nothing."""
    start, body = await cancelled(HTTP, begins=False, closes=True)
    assert start["status"] == 503
    assert b"the viewer ends" in body["body"]


async def test_what_has_begun_ends() -> None:
    """A stream has its end, and no second beginning."""
    sent = await cancelled(HTTP, begins=True, closes=True)
    assert sent == [BEGUN, {"type": "http.response.body", "body": b"", "more_body": False}]


@pytest.mark.parametrize(("scope", "closes"), [(HTTP, False), ({"type": "lifespan"}, True)])
async def test_another_cancellation_is_left_alone(scope: Scope, *, closes: bool) -> None:
    """Where the server goes on, or it is none of its answers."""
    with pytest.raises(asyncio.CancelledError):
        await cancelled(scope, begins=False, closes=closes)
