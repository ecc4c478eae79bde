"""The command as people run it: in a process of its own, on pipes or on a terminal."""

import fcntl
import os
import re
import select
import signal
import struct
import tempfile
import termios
import time
from codecs import getincrementaldecoder
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from support.processes import PROGRAMS

SECONDS = 60
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|[\x01\x02]")
COMMAND = "from nodespan.graph.cli import main; main()"


class Server:
    """Starts the command, one process after the other."""

    def __init__(self, processes: Any) -> None:
        self._processes = processes

    def start(
        self, arguments: tuple[str, ...], streams: list[int], *, terminal: bool, **variables: str
    ) -> int:
        """Start the command, and return its process id."""
        return int(
            self._processes.start(
                COMMAND, arguments, streams, folder=PROGRAMS, terminal=terminal, **variables
            )
        )

    def exit_code(self, process: int) -> int:
        """Wait for the process to end."""
        return int(self._processes.exit_code(process))


@dataclass(frozen=True)
class Result:
    """What the command gave."""

    code: int
    out: str
    err: str


def content(file: IO[bytes]) -> str:
    """What a process wrote to a file."""
    file.seek(0)
    return file.read().decode()


class Running:
    """The command while it runs: what it writes, as it comes."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._source = -1
        self._process = -1
        self._code: int | None = None
        self.raw = ""
        self._read = 0
        self._decoder = getincrementaldecoder("utf-8")()  # a piece may end within a character

    @property
    def text(self) -> str:
        """What was written so far, without colours."""
        return ESCAPES.sub("", self.raw).replace("\r\n", "\n")

    def until(self, text: str) -> str:
        """Wait for *text* after what was waited for before; return all up to and with it."""
        deadline = time.monotonic() + SECONDS
        while text not in self.text[self._read :]:
            assert time.monotonic() < deadline, self.text
            assert self._more(), self.text
        start, self._read = self._read, self.text.index(text, self._read) + len(text)
        return self.text[start : self._read]

    def interrupt(self) -> None:
        """Send what Ctrl-C sends."""
        os.kill(self._process, signal.SIGINT)

    def end(self) -> int:
        """Wait for the end, and return the exit code."""
        while self._code is None and self._more():
            pass
        return self._wait()

    def close(self) -> None:
        """Kill what still runs."""
        if self._code is None:
            with suppress(ProcessLookupError):  # it has ended, where a test did not expect it
                os.kill(self._process, signal.SIGKILL)
            self._wait()
        os.close(self._source)

    def _wait(self) -> int:
        if self._code is None:
            self._code = self._server.exit_code(self._process)
        return self._code

    def _more(self) -> bool:
        if not select.select([self._source], [], [], SECONDS)[0]:
            return False
        try:
            piece = os.read(self._source, 65536)
        except OSError:  # Linux says so when the other side of a terminal is closed
            return False
        self.raw += self._decoder.decode(piece)
        return bool(piece)


class Piped(Running):
    """The command with a pipe for standard output."""

    def __init__(self, server: Server, *arguments: str) -> None:
        super().__init__(server)
        self._source, theirs = os.pipe()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        with Path(os.devnull).open("rb") as nothing:
            streams = [nothing.fileno(), theirs, self._errors.fileno()]
            self._process = server.start(arguments, streams, terminal=False)
        os.close(theirs)

    @property
    def err(self) -> str:
        """What standard error got."""
        return content(self._errors)

    def hang_up(self) -> int:
        """Read no more, as `head` does; return the exit code."""
        os.close(self._source)
        self._source = os.open(os.devnull, os.O_RDONLY)
        return self._wait()

    def close(self) -> None:
        """Kill what still runs."""
        super().close()
        self._errors.close()


class Terminal(Running):
    """The command on a terminal of its own."""

    def __init__(
        self, server: Server, *arguments: str, columns: int = 100, **variables: str
    ) -> None:
        super().__init__(server)
        self._source, screen = os.openpty()
        fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        variables = {"TERM": "xterm-256color", **variables}
        self._process = server.start(arguments, [screen] * 3, terminal=True, **variables)
        os.close(screen)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._source, keys.encode())

    def press_ctrl_c(self) -> None:
        """Press Ctrl-C at a prompt, as late as a person would, and wait for a new prompt.

        Where the key comes between readline's showing a prompt, or a character, and its waiting
        for the next one, Python notices it no sooner than that.
        """
        time.sleep(0.3)
        self.type("\x03")
        self.until("> ")
