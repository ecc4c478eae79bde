"""The viewer as an ASGI application."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware

from .._receiving.endpoint import Receiver
from .._receiving.taking import Taking
from .ending import Ending
from .guard import Guard
from .reads import Reads
from .routes import Routes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from .._journal.retention import Retention


def application(
    path: Path,
    port: int,
    retention: Retention,
    *,
    token: str | None = None,
) -> Starlette:
    """Return the viewer of a journal; `state.closing` ends what is told for as long as it runs.

    Args:
        path: of the journal; there may be none yet.
        port: that it is served on.
        retention: how much of what it receives it keeps.
        token: that whoever asks must have; None where only this machine can ask.
    """
    reads = Reads(path)
    taking = Taking(path, retention)
    closing = asyncio.Event()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        """Close what is read, once nobody asks any more."""
        try:
            yield
        finally:
            closing.set()
            reads.close()
            taking.close()

    routes = Routes(reads, closing)
    app = Starlette(
        routes=[*Receiver(taking).routes(), *routes.routes()],
        middleware=[
            Middleware(Ending, closing=closing),
            Middleware(Guard, port=port, token=token),
        ],
        lifespan=lifespan,
    )
    app.state.closing = closing
    return app
