"""What all tests share: a clean environment, and programs that run in a process of their own."""

from __future__ import annotations

import gc
import gzip
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from support.otlp import OtlpReceiver
from support.process_state import ProcessState, process_put_back, undo_configure_logging
from support.processes import IMPORTED_ONCE, Processes, environment_of_programs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Or each worker rewrites the assertions of all tests anew, and compiles them, where the
# environment says that nothing is to be written: half of the time until the first test.
sys.dont_write_bytecode = False

# What no test has set up yet, such as a program that a whole module shares, leaves nothing in the
# state folder of who runs the tests either.
os.environ["NODESPAN_JOURNAL"] = "off"

# The same examples in every run, however slow the machine: a red run can be had again.
_EXAMPLES = int(os.environ.get("NODESPAN_EXAMPLES", "25"))
settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=_EXAMPLES)
settings.load_profile("repeatable")

# What a test has of these takes seconds: an interpreter of its own, a fork, or a real model.
_SLOW_FIXTURES = {"processes", "run_python", "smollm2", "smollm2_server"}

_VERSIONS = ("langchain-core", "langgraph", "opentelemetry-sdk")


def pytest_xdist_auto_num_workers() -> int:
    """Use one worker more than there are processors: much of what tests do is to wait."""
    return (os.cpu_count() or 1) + 1


def pytest_report_header() -> str:
    """Say which versions are tested."""
    return ", ".join(f"{name} {version(name)}" for name in _VERSIONS)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what starts programs, and what asks a real model."""
    if not _SLOW_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
        item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """Let no collection of garbage go through what was imported and collected, again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _process_is_what_it_was() -> Iterator[None]:
    """Fail the test that leaves behind what others would meet, and put it back.

    The filters of warnings are not looked at: pytest itself makes them anew for each test.
    """
    before = ProcessState()
    yield
    left_behind = before.put_back()
    if left_behind:
        pytest.fail(f"left behind: {'; '.join(left_behind)}", pytrace=False)


@pytest.fixture(autouse=True)
def clean_environment(_process_is_what_it_was: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the machine that runs the tests sets anything up."""
    set_here = ("OTEL_", "LANGSMITH_", "NODESPAN_")
    for name in [name for name in os.environ if name.startswith(set_here)]:
        monkeypatch.delenv(name)
    # Nor does a test leave anything in the state folder of who runs it.
    monkeypatch.setenv("NODESPAN_JOURNAL", "off")


@pytest.fixture
def logging_put_back() -> Iterator[None]:
    """What `configure_logging` has set up lasts as long as the test."""
    yield
    undo_configure_logging()


@pytest.fixture
def providers_put_back() -> Iterator[None]:
    """What `configure` has put to use lasts as long as the test."""
    with process_put_back():
        yield


@pytest.fixture
def otlp_receiver() -> Iterator[OtlpReceiver]:
    """A receiver that lives as long as the test."""
    receiver = OtlpReceiver("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
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


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    """One server of processes for all tests."""
    processes = Processes(*IMPORTED_ONCE)
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
    return processes.run
