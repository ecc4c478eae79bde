"""What all tests share: a clean environment, and programs that run in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

_VERSIONS = ("langchain-core", "langgraph", "opentelemetry-sdk")


def pytest_report_header() -> str:
    """Say which versions are tested."""
    return ", ".join(f"{name} {version(name)}" for name in _VERSIONS)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the machine that runs the tests sets anything up."""
    for name in [name for name in os.environ if name.startswith(("OTEL_", "LANGSMITH_"))]:
        monkeypatch.delenv(name)


@dataclass(slots=True)
class OtlpReceiver:
    """An OTLP/HTTP receiver on 127.0.0.1 that keeps what it is sent."""

    endpoint: str
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)
    log_requests: list[ExportLogsServiceRequest] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def receive(self, path: str, body: bytes) -> None:
        """Keep a request."""
        if path.endswith("/v1/logs"):
            self.log_requests.append(ExportLogsServiceRequest.FromString(body))
        else:
            self.requests.append(ExportTraceServiceRequest.FromString(body))

    @property
    def log_records(self) -> list[LogRecord]:
        """Every log record that was received."""
        return [
            record
            for request in self.log_requests
            for group in request.resource_logs
            for scope in group.scope_logs
            for record in scope.log_records
        ]

    @property
    def resource_spans(self) -> list[ResourceSpans]:
        """What was received, by resource."""
        return [group for request in self.requests for group in request.resource_spans]

    @property
    def spans(self) -> list[Span]:
        """Every span that was received."""
        return [
            span
            for group in self.resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]


@pytest.fixture
def otlp_receiver() -> Iterator[OtlpReceiver]:
    """A receiver that lives as long as the test."""
    receiver = OtlpReceiver("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.receive(self.path, body)
            receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.endpoint = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield receiver
        server.shutdown()


@pytest.fixture
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program in a process of its own: what is global there does not stay."""

    def run(
        code: str, *arguments: str, timeout: float = 60, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", code, *arguments],
            env=kept | environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run
