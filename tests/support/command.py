"""The command as people run it: in a process of its own, on pipes or on a terminal."""

import fcntl
import os
import re
import select
import signal
import struct
import sys
import termios
import time
from codecs import getincrementaldecoder
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import pytest

from nodespan.graph.cli import main
from support.process_state import process_put_back
from support.processes import PROGRAMS, environment_of_programs

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


@contextmanager
def standard_streams(stdin: str | bytes) -> Iterator[list[IO[bytes]]]:
    """Give files for standard input, which holds *stdin*, for standard output, and for errors."""
    with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
        given.write(stdin if isinstance(stdin, bytes) else stdin.encode())
        given.seek(0)
        yield [given, out, err]


def use_environment(patch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """Make *variables* all that there are."""
    for name in os.environ.keys() - variables.keys():
        patch.delenv(name)
    for name, value in variables.items():
        patch.setenv(name, value)


class Typed(TextIOWrapper):
    """Standard input that a person types."""

    def isatty(self) -> bool:
        """Say that it is a terminal."""
        return True


def run_here(
    *arguments: str,
    stdin: str | bytes = "",
    reader: type[TextIOWrapper] = TextIOWrapper,
    **variables: str,
) -> Result:
    """Run the command in this process, as in one of its own whose streams are redirected."""
    with (
        process_put_back(),
        standard_streams(stdin) as files,
        pytest.MonkeyPatch.context() as patch,
    ):
        kinds = (reader, TextIOWrapper, TextIOWrapper)
        streams = [kind(file, encoding="utf-8") for kind, file in zip(kinds, files, strict=True)]
        for name, stream in zip(("stdin", "stdout", "stderr"), streams, strict=True):
            patch.setattr(sys, name, stream)
        patch.setattr(sys, "argv", ["nodespan", *arguments])
        patch.setattr(sys, "path", [*sys.path])
        use_environment(patch, environment_of_programs(**variables))
        patch.chdir(PROGRAMS)
        with pytest.raises(SystemExit) as left:
            main()
        for stream in streams:
            stream.detach()
        assert isinstance(left.value.code, int)
        return Result(left.value.code, content(files[1]), content(files[2]))


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
        self._errors = TemporaryFile()  # noqa: SIM115 - closed in `close`
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
