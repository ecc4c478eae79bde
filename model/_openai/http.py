"""HTTP clients that live as long as their model, one for each event loop that it is used on.

An HTTP client's connections belong to the event loop that they were opened on. A program may
have several: `asyncio.run` makes a new one every time, and sync callers share one of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import ssl
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

from .._errors import BadRequestError, MissingExtraError, ModelClosedError
from .._generators.unpaused import unpaused

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable


_CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES: Final = tuple(
    spelled
    for name in ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY")
    for spelled in (name, name.lower())
)
# No proxy is asked for what runs on this machine.
_THIS_MACHINE: Final = ("all://127.0.0.1", "all://localhost", "all://[::1]")


@dataclass(frozen=True, slots=True)
class LoopClient:
    """The client of one event loop.

    Args:
        http: The client, with its pool of connections.
        places: As many as there may be connections; whoever waits for one waits here.
    """

    http: httpx.AsyncClient
    places: asyncio.Semaphore


class LoopClients:
    """The clients of one model.

    A client is closed on its own loop: when the loop shuts down, when the model is closed, or
    when nobody holds the model any more.

    Args:
        max_connections: How many connections each of them may have.

    Attributes:
        is_closed: Whether the model was closed.
    """

    def __init__(self, max_connections: int) -> None:
        self._max_connections = max_connections
        self._tls = _tls()
        self._require_proxies()
        self._kept: dict[
            asyncio.AbstractEventLoop, tuple[LoopClient, weakref.finalize[..., LoopClients]]
        ] = {}
        self.is_closed = False

    def __reduce__(self) -> tuple[type[LoopClients], tuple[int]]:
        return LoopClients, (self._max_connections,)

    async def here(self) -> LoopClient:
        """Find the running loop's client, or make it.

        Raises:
            ModelClosedError: If the model was closed.
        """
        if self.is_closed:
            raise ModelClosedError("the model is closed; make a new one")
        loop = asyncio.get_running_loop()
        if loop not in self._kept:
            self._forget_closed_loops()
            client = self._new_client()
            lifetime = _lifetime(client.http, weakref.ref(self))
            # It holds the client: garbage cannot be closed in good order.
            self._kept[loop] = (client, weakref.finalize(self, _end, loop, lifetime))
            await anext(lifetime)
        return self._kept[loop][0]

    def close(self) -> None:
        """Refuse further calls, and close every client on its loop, soon."""
        self.is_closed = True
        for _, end in list(self._kept.values()):
            end()

    async def aclose(self) -> None:
        """Refuse further calls, and close every client, the running loop's at once."""
        here = self._kept.get(asyncio.get_running_loop())
        self.close()
        if here is not None:
            await _close_whole(here[0].http.aclose())

    def forget(self, loop: asyncio.AbstractEventLoop) -> None:
        """Drop a loop's client, which is being closed."""
        kept = self._kept.pop(loop, None)
        if kept is not None:
            kept[1].detach()

    def _new_client(self) -> LoopClient:
        most = self._max_connections
        limits = httpx.Limits(max_connections=most, max_keepalive_connections=most)
        # Every call has its own limits of time, which httpx's cannot express.
        http = _client(self._tls, limits)
        return LoopClient(http, asyncio.Semaphore(most))

    def _require_proxies(self) -> None:
        """Find out now, and not in the first call, whether the proxies can be used."""
        if any(os.environ.get(name) for name in _PROXIES):
            _client(self._tls, httpx.Limits())

    def _forget_closed_loops(self) -> None:
        for loop in list(self._kept):
            if loop.is_closed():
                self.forget(loop)


@functools.cache
def _tls() -> ssl.SSLContext:
    """Load the certificates once a process: it takes longer than all else about a client."""
    try:
        _require_certificates()
        return httpx.create_ssl_context()
    except (OSError, ssl.SSLError) as error:
        named = [f"{name}={os.environ[name]!r}" for name in _CERTIFICATES if name in os.environ]
        raise BadRequestError(
            f"the certificates cannot be loaded ({error}): "
            f"correct or unset {' and '.join(named) or 'SSL_CERT_FILE'}"
        ) from error


def _require_certificates() -> None:
    """Find what the environment names: before 0.28 httpx takes its own where there is nothing."""
    named = next(filter(None, map(os.environ.get, _CERTIFICATES)), None)
    if named is not None:
        Path(named).stat()


def _client(tls: ssl.SSLContext, limits: httpx.Limits) -> httpx.AsyncClient:
    """Make a client with the proxies that the environment names, but for this machine."""
    try:
        return httpx.AsyncClient(
            verify=tls,
            limits=limits,
            timeout=None,  # noqa: S113 - the exchange keeps the limits of time
            mounts=dict.fromkeys(_THIS_MACHINE),
        )
    except ImportError as error:
        raise MissingExtraError(
            f"the proxy of {_proxies('socks')} needs a package that is not installed; "
            "install it with: pip install 'httpx[socks]', or unset the variable"
        ) from error
    except (httpx.InvalidURL, ValueError) as error:
        raise BadRequestError(
            f"{_proxies()} names no proxy that can be used; correct or unset it"
        ) from error


def _proxies(scheme: str = "") -> str:
    """Name the variables that name a proxy, without what they say: it may hold a password."""
    values = ((name, os.environ.get(name) or "") for name in _PROXIES)
    named = [name for name, value in values if value.lower().startswith(scheme) and value]
    return " and ".join(named) or "the system's settings"


async def _lifetime(
    http: httpx.AsyncClient, clients: weakref.ref[LoopClients]
) -> AsyncGenerator[None]:
    """Close a client when its event loop shuts down, or when this generator is closed before.

    An event loop that shuts down closes the async generators that were started on it.
    """
    try:
        yield
    finally:
        if (owner := clients()) is not None:
            owner.forget(asyncio.get_running_loop())
        await _close_whole(http.aclose())


def _end(loop: asyncio.AbstractEventLoop, lifetime: AsyncGenerator[None]) -> None:
    """Close a client on its loop, from any thread."""
    with contextlib.suppress(RuntimeError):  # the loop has just been closed
        loop.call_soon_threadsafe(_start_closing, loop, lifetime)


def _start_closing(loop: asyncio.AbstractEventLoop, lifetime: AsyncGenerator[None]) -> None:
    closing = _close_whole(lifetime.aclose())
    closing.send(None)  # a task that is cancelled before its first step would take none
    loop.create_task(closing)


async def _close_whole(closing: Awaitable[None]) -> None:
    """Close a client in one turn of the loop, and be cancelled only then.

    A client asks for a turn for each of its connections. An event loop that ends cancels what
    still runs on it, or turns no more: connections that were not come to would be left to the
    garbage collector.
    """
    cancelled: asyncio.CancelledError | None = None
    try:
        await asyncio.sleep(0)  # the closing itself belongs into a task
    except asyncio.CancelledError as error:
        cancelled = error
    await unpaused(closing)
    if cancelled is not None:
        raise cancelled
