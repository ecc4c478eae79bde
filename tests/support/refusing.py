"""A server that answers every request with a status of its own choice."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Refusing(ThreadingHTTPServer):
    """Answers with one status after the other, the last from then on, and always one body."""

    def __init__(self, *statuses: int, body: Any = None) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.statuses = statuses
        self.body = b"" if body is None else json.dumps(body).encode()
        self.requests = 0

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    server: Refusing

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        statuses, body = self.server.statuses, self.server.body
        self.send_response(statuses[min(self.server.requests, len(statuses) - 1)])
        self.server.requests += 1
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""
