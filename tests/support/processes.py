"""Programs in processes of their own, where nothing of this machine's set-up shows."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile

TESTS = Path(__file__).parents[1]
PROGRAMS = TESTS / "programs"
SECONDS = 60
IMPORTED_ONCE = (
    "langchain.agents",
    "nodespan.graph.cli._app",
    "nodespan.graph.cli._chat.talk",
    "nodespan.telemetry.console",
    "nodespan.telemetry.journal",
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
)
SET_UP_HERE = re.compile(
    r"OTEL_|LANG|LC_|COLUMNS|LINES|NO_COLOR|FORCE_COLOR|GITHUB_|PY_COLORS|PYTHONDONTWRITE"
)


class Processes:
    """Starts programs in processes of their own, one after the other, by `process_server.py`.

    Args:
        imported: modules that are imported already when a program starts.
    """

    def __init__(self, *imported: str) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._channel.settimeout(SECONDS)
        self._server = subprocess.Popen(
            [sys.executable, "-W", "error", PROGRAMS / "process_server.py", *imported],
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
        folder: Path = TESTS,
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

    def run(
        self, code: str, *arguments: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end."""
        nothing = Path(os.devnull)
        with nothing.open() as given, TemporaryFile("r+") as out, TemporaryFile("r+") as err:
            streams = [given.fileno(), out.fileno(), err.fileno()]
            process = self.start(code, arguments, streams, **environment)
            ended = self.exit_code(process)
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(code, ended, out.read(), err.read())

    def close(self) -> None:
        """Stop."""
        self._server.kill()
        self._server.wait()
        self._channel.close()


def environment_of_programs(**variables: str) -> dict[str, str]:
    """What a process gets: nothing of what is set up on this machine."""
    kept = {name: value for name, value in os.environ.items() if not SET_UP_HERE.match(name)}
    # Nor does a test leave anything in the state folder of who runs it.
    return kept | {"PYTHONUTF8": "1", "NODESPAN_JOURNAL": "off"} | variables
