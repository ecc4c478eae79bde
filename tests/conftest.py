"""What all tests share: a clean environment, and programs that run in a process of their own."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

# The same examples in every run, however slow the machine: a red run can be had again.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

HERE = Path(__file__).parent
SECONDS = 60
IMPORTED_ONCE = ("nodespan.graph.cli._app", "nodespan.graph.cli._chat.talk", "langchain.agents")
SET_UP_HERE = re.compile(
    r"OTEL_|LANG|LC_|COLUMNS|LINES|NO_COLOR|FORCE_COLOR|GITHUB_|PY_COLORS|PYTHONDONTWRITE"
)

_VERSIONS = ("langchain-core", "langgraph", "opentelemetry-sdk")


def pytest_xdist_auto_num_workers() -> int:
    """Use one worker more than there are processors: much of what tests do is to wait."""
    return (os.cpu_count() or 1) + 1


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
    metric_requests: list[ExportMetricsServiceRequest] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def receive(self, path: str, body: bytes) -> None:
        """Keep a request."""
        if path.endswith("/v1/logs"):
            self.log_requests.append(ExportLogsServiceRequest.FromString(body))
        elif path.endswith("/v1/metrics"):
            self.metric_requests.append(ExportMetricsServiceRequest.FromString(body))
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
    def metrics(self) -> dict[str, Metric]:
        """What was received last of each metric, by its name."""
        return {
            metric.name: metric
            for request in self.metric_requests
            for group in request.resource_metrics
            for scope in group.scope_metrics
            for metric in scope.metrics
        }

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


class Processes:
    """Starts programs in processes of their own, one after the other; see `process_server`."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._channel.settimeout(SECONDS)
        self._server = subprocess.Popen(
            [sys.executable, "-W", "error", HERE / "process_server.py", *IMPORTED_ONCE],
            stdin=theirs,
            env=environment_of_programs(),
        )
        theirs.close()

    def start(
        self,
        code: str,
        arguments: tuple[str, ...],
        streams: list[int],
        *,
        folder: Path = HERE,
        terminal: bool = False,
        **variables: str,
    ) -> int:
        """Start a program, and return its process id."""
        request = {
            "code": code,
            "arguments": arguments,
            "environment": environment_of_programs(**variables),
            "folder": str(folder),
            "terminal": terminal,
        }
        socket.send_fds(self._channel, [json.dumps(request).encode()], streams)
        return int(self._channel.recv(64))

    def exit_code(self, process: int) -> int:
        """Wait for the process to end."""
        ended, code = self._channel.recv(64).split()
        assert int(ended) == process
        return int(code)

    def close(self) -> None:
        """Stop."""
        self._server.kill()
        self._server.wait()
        self._channel.close()


def environment_of_programs(**variables: str) -> dict[str, str]:
    """What a process gets: nothing of what is set up on this machine."""
    kept = {name: value for name, value in os.environ.items() if not SET_UP_HERE.match(name)}
    return kept | {"PYTHONUTF8": "1"} | variables


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    """One server of processes for all tests."""
    processes = Processes()
    yield processes
    processes.close()


@pytest.fixture
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program in a fresh interpreter: what is global there does not stay."""

    def run(
        code: str, *arguments: str, timeout: float = 60, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", code, *arguments],
            env=environment_of_programs(**environment),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture
def run_program(processes: Processes) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program as `run_python` does, but where nodespan is imported already."""

    def run(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        nothing = Path(os.devnull)
        with nothing.open() as given, TemporaryFile("r+") as out, TemporaryFile("r+") as err:
            streams = [given.fileno(), out.fileno(), err.fileno()]
            process = processes.start(code, arguments, streams, **environment)
            ended = processes.exit_code(process)
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(code, ended, out.read(), err.read())

    return run
