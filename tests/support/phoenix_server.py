"""Arize Phoenix as a server of its own, on 127.0.0.1, with nothing of what it had before.

Source: https://arize.com/docs/phoenix/self-hosting/configuration
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Final, TypeVar

from support.processes import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_T = TypeVar("_T")

_HOST: Final = "127.0.0.1"
_LOOPBACK: Final = PROGRAMS / "loopback"
_REQUIREMENT: Final = "arize-phoenix>=20.26,<21"
_SETTINGS: Final = {
    "PHOENIX_HOST": _HOST,
    "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
    "PHOENIX_TELEMETRY_ENABLED": "false",
    "PHOENIX_DISABLE_AGENT_ASSISTANT": "true",
    "PHOENIX_ENABLE_MCP_SERVER": "false",
    "PHOENIX_LOG_MIGRATIONS": "false",
}
_SECONDS_TO_START: Final = 180
_SECONDS_TO_STOP: Final = 20
_SECONDS_TO_ARRIVE: Final = 30


@dataclass(frozen=True, slots=True)
class Phoenix:
    """A Phoenix that runs.

    Attributes:
        folder: where all that it has lies: its database, and its log.
        port: of its page, its API and its OTLP/HTTP receiver.
    """

    folder: Path
    port: int

    @property
    def endpoint(self) -> str:
        """What `OTEL_EXPORTER_OTLP_ENDPOINT` is to be."""
        return f"http://{_HOST}:{self.port}"

    @property
    def log(self) -> str:
        """What it has printed."""
        return (self.folder / "log").read_text(errors="replace")

    def spans(self, trace_id: str, count: int) -> list[dict[str, Any]]:
        """Return the spans of a trace, as soon as there are *count* of them.

        Raises:
            TimeoutError: they have not arrived.
        """
        path = f"/v1/projects/default/spans?limit=1000&trace_id={trace_id}"

        def arrived() -> list[dict[str, Any]] | None:
            found: list[dict[str, Any]] = self.get(path)["data"]
            return found if len(found) >= count else None

        return _wait(arrived, _SECONDS_TO_ARRIVE, f"{count} spans of the trace {trace_id}")

    def session_ids(self) -> set[str]:
        """Return the ids of the conversations that it knows."""
        sessions = self.get("/v1/projects/default/sessions?limit=1000")["data"]
        return {session["session_id"] for session in sessions}

    def has(self, text: str) -> bool:
        """Tell whether *text* is anywhere in what it has, its log included."""
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return any(text.encode() in path.read_bytes() for path in files)

    def get(self, path: str) -> Any:
        """Return what its HTTP API says under *path*.

        Raises:
            OSError: it does not answer, or not with what was asked for.
        """
        connection = HTTPConnection(_HOST, self.port, timeout=_SECONDS_TO_ARRIVE)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise OSError(f"GET {path}: {response.status} {body[:200]!r}")
        return json.loads(body)


def install_phoenix(folder: Path) -> Path:
    """Install Phoenix into a new virtual environment, which takes minutes, and return its command.

    Raises:
        subprocess.CalledProcessError: it cannot be installed.
    """
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = (folder / "bin" / "python", "-m", "pip", "install", "--quiet")
    subprocess.run([*pip, "--disable-pip-version-check", _REQUIREMENT], check=True)
    return folder / "bin" / "phoenix"


@contextmanager
def run_phoenix(command: Path, folder: Path) -> Iterator[Phoenix]:
    """Run the `phoenix` *command* with an empty *folder* of its own.

    Raises:
        RuntimeError: it does not get ready; its log is in the message.
    """
    port, grpc_port = _free_ports(2)
    phoenix = Phoenix(folder, port)
    environment = _environment(folder, port, grpc_port)
    with ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("wb"))
        process = subprocess.Popen(
            [command, "serve"], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        stack.callback(_stop, process)
        try:
            _wait(lambda: _is_ready(phoenix, process), _SECONDS_TO_START, "Phoenix")
            _check_that_nobody_else_is_served(grpc_port)
        except OSError as error:
            raise RuntimeError(f"Phoenix does not get ready; its log:\n{phoenix.log}") from error
        yield phoenix


def _environment(folder: Path, port: int, grpc_port: int) -> dict[str, str]:
    foreign = ("PHOENIX_", "OTEL_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    own = {
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(grpc_port),
        "PYTHONPATH": str(_LOOPBACK),
    }
    return kept | _SETTINGS | own


def _is_ready(phoenix: Phoenix, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise OSError(f"it ended with exit code {process.returncode}")
    try:
        return "data" in phoenix.get("/v1/projects")
    except ConnectionError:
        return False


def _check_that_nobody_else_is_served(port: int) -> None:
    try:
        socket.create_connection(("::1", port), timeout=1).close()
    except OSError:
        return
    raise OSError(f"port {port} is open on more than {_HOST}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_ports(count: int) -> Sequence[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((_HOST, 0))
        return [each.getsockname()[1] for each in sockets]


def _wait(ask: Callable[[], _T | None], seconds: float, what: str) -> _T:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if answer := ask():
            return answer
        time.sleep(0.2)
    raise TimeoutError(f"{what}: not there after {seconds} s")
