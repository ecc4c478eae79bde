"""The server of a scrape endpoint: for its own names alone, with a bound on its connections."""

from __future__ import annotations

import ipaddress
import re
import socket
from contextlib import suppress
from socketserver import ThreadingMixIn
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import make_wsgi_app

from .._process import started_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from prometheus_client import CollectorRegistry

MAX_CONNECTIONS: Final = 32
# Seconds for a whole connection: a scrape takes milliseconds.
MAX_SECONDS: Final = 10.0
_ANY: Final = "*"
# https://www.rfc-editor.org/rfc/rfc9110#field.host
_HOST: Final = re.compile(r"(?:\[(?P<address>[^\]]*)\]|(?P<name>[^:\[\]]*))(?::[0-9]*)?")
_LOCAL: Final = frozenset({"localhost", "localhost.localdomain"})


def start_scrape_server(
    host: str, port: int, registry: CollectorRegistry, further_names: Collection[str] = ()
) -> WSGIServer:
    """Serve the metrics of a registry from a thread, to who asks by one of its names.

    Raises:
        OSError: nobody can listen there, or serve.
        OverflowError: the port is none.
    """
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    kind = type("_Server", (_ScrapeServer,), {"address_family": family})
    server: WSGIServer = kind((host, port), _Quiet)
    names = frozenset({host.lower(), socket.gethostname().lower(), *_LOCAL, *further_names})
    app = make_wsgi_app(registry)
    server.set_app(app if _ANY in names else _for_own_names(app, names))
    if started_thread(server.serve_forever, "nodespan-scrape") is None:
        server.server_close()
        raise OSError("this process can have no more threads")
    return server


class _ScrapeServer(ThreadingMixIn, WSGIServer):
    """Has a thread a connection, so many at once; each is closed when its time is over."""

    daemon_threads = True
    block_on_close = False
    # Who comes when all places are taken is told so at once, and does not knock for seconds.
    request_queue_size = 4 * MAX_CONNECTIONS

    def __init__(self, *args: Any) -> None:
        self._open: dict[Any, float] = {}
        self._lock = Lock()
        super().__init__(*args)

    def server_bind(self) -> None:
        """Bind without asking the network for the host's name."""
        super(WSGIServer, self).server_bind()
        self.setup_environ()

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - the library's
        """Take a connection where there is room for one."""
        with self._lock:
            if len(self._open) >= MAX_CONNECTIONS:
                return False
            self._open[request] = monotonic()
        return True

    def service_actions(self) -> None:
        """Cut the connections whose time is over."""
        super().service_actions()
        with self._lock:
            late = [each for each, at in self._open.items() if monotonic() - at > MAX_SECONDS]
        for request in late:
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, and make room for another."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of who went away."""


class _Quiet(WSGIRequestHandler):
    timeout = MAX_SECONDS

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's word
        """Log no request."""


def _for_own_names(app: Callable[..., Any], names: frozenset[str]) -> Callable[..., Any]:
    """Refuse requests for other names: a page in a browser may have had its name led here."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Answer who asks by a name of this server."""
        if _is_own(environ.get("HTTP_HOST"), names):
            return app(environ, start_response)
        start_response("421 Misdirected Request", [("Content-Type", "text/plain")])
        return [b"this server has another name: use its address, or set prometheus_names\n"]

    return serve


def _is_own(host: str | None, names: frozenset[str]) -> bool:
    if host is None:  # no browser leaves it out
        return True
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    name = found["address"] or found["name"]
    if name.lower().rstrip(".") in names:
        return True
    # An address is where the request has come to; only names can be led elsewhere.
    with suppress(ValueError):
        return bool(ipaddress.ip_address(name))
    return False
