"""Serves the local viewer: a page on the journal, and a receiver of OTLP."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .._errors import ViewerError
from .._journal.retention import Retention
from .._settings.journal import file_at, path_in_use
from .._settings.slips import warn_of_slips

try:
    from .._viewer.app import application
    from .._viewer.serving import bound, serve
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] == "nodespan":
        raise
    raise ViewerError(
        f"the viewer needs {error.name}, which is not installed; "
        "install the extra with: pip install 'nodespan[ui]', or '.[ui]' in a clone"
    ) from error

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from os import PathLike

    from starlette.applications import Starlette

__all__ = ["ViewerError", "listen", "serve_viewer", "viewer_app"]


def listen(host: str = "127.0.0.1", port: int = 4319) -> socket.socket:
    """Return a socket on which the viewer can be served.

    Args:
        host: address of this machine; with any but its own alone, serve with a token.
        port: 0 takes one that is free.

    Raises:
        ViewerError: the address cannot be had.
    """
    return bound(host, port)


def serve_viewer(
    listening: socket.socket,
    path: str | PathLike[str] | None = None,
    *,
    token: str | None = None,
    begun: Callable[[], None] = lambda: None,
) -> None:
    """Serve the viewer until the process is told to end, by SIGINT or SIGTERM.

    Args:
        listening: as `listen` returns it.
        path: of the journal, or of its folder; by default the one in use.
        token: that whoever asks must have; None where only this machine can ask.
        begun: called once when it answers.
    """
    warn_of_slips()
    journal = file_at(path) if path else path_in_use(os.environ)
    serve(journal, listening, Retention(), token=token, begun=begun)


def viewer_app(
    port: int, path: str | PathLike[str] | None = None, *, token: str | None = None
) -> Starlette:
    """Return the viewer as an ASGI application, to be served by other means.

    Args:
        port: that it is served on: requests for another are refused.
        path: of the journal, or of its folder; by default the one in use.
        token: that whoever asks must have; None where only this machine can ask.
    """
    warn_of_slips()
    journal = file_at(path) if path else path_in_use(os.environ)
    return application(journal, port, Retention(), token=token)
