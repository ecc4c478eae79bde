"""A receiver on 127.0.0.1 that answers as it is told: takes, refuses, hangs, is away."""

from __future__ import annotations

import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

# A status, headers and a body; None hangs up without an answer.
Reply = tuple[int, dict[str, str], bytes] | None
OK: Reply = (200, {}, b"")


def takes_all(_: PlayingReceiver, __: list[Span]) -> Reply:
    """Take every request."""
    return OK


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        """Keep quiet: a client may go while it is answered."""


class PlayingReceiver:
    """An OTLP/HTTP receiver.

    Attributes:
        plays: decides how a request of spans is answered; what it takes is kept in `spans`.
        spans: what was taken, in order.
        resources: the same with the programs that they are of.
        log_records: as above.
        requests: how many requests came.
    """

    def __init__(self) -> None:
        self.plays: Callable[[PlayingReceiver, list[Span]], Reply] = takes_all
        self.spans: list[Span] = []
        self.resources: list[ResourceSpans] = []
        self.log_records: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.requests = 0
        self.released = threading.Event()
        self._lock = threading.Lock()
        self._port = 0
        self._server: _Server | None = None
        self.come_back()

    @property
    def endpoint(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def names(self) -> list[str]:
        """The names of the spans that it has taken."""
        return [span.name for span in self.spans]

    def come_back(self) -> None:
        """Listen, on the port that it had before."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                reply = receiver.receive(self.path, body, dict(self.headers.items()))
                if reply is None:
                    self.close_connection = True
                    return
                status, headers, answer = reply
                with suppress(OSError):
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        self._server = _Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def go_away(self) -> None:
        """Listen no longer."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def close(self) -> None:
        """Stop."""
        self.released.set()
        self.go_away()

    def receive(self, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        """Take a request, or not."""
        self.requests += 1
        self.headers.append({name.lower(): value for name, value in headers.items()})
        if path.endswith("/v1/metrics"):
            return (404, {}, b"")
        if path.endswith("/v1/logs"):
            for group in ExportLogsServiceRequest.FromString(body).resource_logs:
                for scope in group.scope_logs:
                    self.log_records.extend(scope.log_records)
            return OK
        groups = ExportTraceServiceRequest.FromString(body).resource_spans
        spans = [span for group in groups for scope in group.scope_spans for span in scope.spans]
        reply = self.plays(self, spans)
        if reply is not None and reply[0] == 200 and reply[1].get("Content-Type") != "text/html":
            with self._lock:
                self.spans.extend(spans)
                self.resources.extend(groups)
        return reply

    def hang(self, _: object, __: object) -> Reply:
        """Answer nothing until it is released."""
        self.released.wait(60)
        return None
