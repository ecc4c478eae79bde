"""Spans that could not be sent: the answers come all the same, and one line says so."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Nodespan = Callable[..., Any]


class Refusing(ThreadingHTTPServer):
    """A receiver that answers with one status after the other, and with the last from then on."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.statuses = statuses
        self.requests = 0

    @property
    def endpoint(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    server: Refusing

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        statuses = self.server.statuses
        self.send_response(statuses[min(self.server.requests, len(statuses) - 1)])
        self.server.requests += 1
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@contextmanager
def refusing(*statuses: int) -> Iterator[Refusing]:
    """Run a receiver."""
    with Refusing(*statuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def dead_port() -> Iterator[int]:
    """A port that nobody listens on, or will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_dead_port(nodespan: Nodespan, dead_port: int) -> None:
    """Answer, trace and exit code are as ever; the line has no credentials in it."""
    address = f"127.0.0.1:{dead_port}"

    result = nodespan(
        "chat", "Meow!", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://user:planted@{address}/?key=planted"
    )

    assert result.out.startswith("Meow!\n\ntrace ")
    assert result.err == f"3 spans were not sent to http://{address}: Connection refused\n"
    assert result.code == 0


def test_refused(nodespan: Nodespan) -> None:
    """What a receiver said is told."""
    with refusing(500) as receiver:
        traces = f"{receiver.endpoint}/otlp/v1/traces"
        result = nodespan("chat", "Meow!", "--json", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=traces)

    assert result.out.startswith("{")
    assert result.err == f"3 spans were not sent to {traces}: 500 Internal Server Error\n"
    assert result.code == 0


def test_not_for_long(nodespan: Nodespan) -> None:
    """A receiver that asks to try again later is tried once more, but not for long."""
    with refusing(503) as receiver:
        result = nodespan("chat", "Meow!", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)

    assert result.err == f"3 spans were not sent to {receiver.endpoint}: Service Unavailable\n"
    assert receiver.requests == 2


def test_some(nodespan: Nodespan) -> None:
    """Those are counted that were not taken, and no others."""
    with refusing(400, 200) as receiver:
        result = nodespan(
            "chat",
            "Meow!",
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_BSP_MAX_EXPORT_BATCH_SIZE="1",
        )

    assert receiver.requests == 3
    assert result.err == f"1 span was not sent to {receiver.endpoint}: 400 Bad Request\n"


def test_failed_run(nodespan: Nodespan, dead_port: int) -> None:
    """A failed run stays one: its error comes first, and the exit code is its own."""
    result = nodespan(
        "chat",
        "hi",
        "--model",
        "own_models:FailingChatModel",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{dead_port}",
    )

    error, line = result.err.splitlines()
    assert error == "error: ConnectionError: the cable is out"
    assert line.startswith("3 spans were not sent to ")
    assert result.code == 1


def test_conversation(terminal: Any) -> None:
    """A conversation is not disturbed: the line comes in the end, for all of it."""
    with refusing(500) as receiver:
        screen = terminal(
            "chat",
            "--no-trace",
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_BSP_SCHEDULE_DELAY="10",
        )
        for prompt in ("one", "two"):
            screen.until("> ")
            screen.type(f"{prompt}\n")
            screen.until(f"{prompt}\n\n{prompt}\n")
        screen.until("> ")
        screen.type("\x04")

        assert screen.end() == 0
        assert screen.text.count("not sent") == 1
        assert screen.text.endswith(
            f"\n6 spans were not sent to {receiver.endpoint}: 500 Internal Server Error\n"
        )
