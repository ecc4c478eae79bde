"""Serves the viewer until it is told to end."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from .._errors import ViewerError
from .app import application
from .connections import PatientProtocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .._journal.retention import Retention

# What is under way when it ends gets so long, in seconds.
_LAST_SECONDS: Final = 2
_KEPT_ALIVE: Final = 30
_MOST_CONNECTIONS: Final = 256
_BACKLOG: Final = 128


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, begun: Callable[[], None]) -> None:
        super().__init__(config)
        self._begun = begun

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.started:
            self._begun()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """End, and let the pages that are open know."""
        # Pages are told things for as long as they are open: they would hold it up.
        self.config.app.state.closing.set()  # type: ignore[union-attr]  # starlette's
        super().handle_exit(sig, frame)


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        ViewerError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Without its protocol, asyncio leaves Nagle's algorithm on: each answer waits 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise ViewerError(
            f"cannot listen at {host}:{port} ({reason}); give another one by --port, or --port 0 "
            "for one that is free"
        ) from error
    return listening


def serve(
    path: Path,
    listening: socket.socket,
    retention: Retention,
    *,
    token: str | None,
    begun: Callable[[], None],
) -> None:
    """Serve the viewer of a journal until the process is told to end.

    Args:
        path: of the journal; there may be none yet.
        listening: as `bound` returns it.
        retention: how much of what it receives it keeps.
        token: that whoever asks must have; None where only this machine can ask.
        begun: called once when it answers.
    """
    port = listening.getsockname()[1]
    config = uvicorn.Config(
        application(path, port, retention, token=token),
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        http=PatientProtocol,
        ws="none",
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=_KEPT_ALIVE,
        timeout_graceful_shutdown=_LAST_SECONDS,
    )
    _Server(config, begun).run(sockets=[listening])
