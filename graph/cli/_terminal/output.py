"""Standard output: the answer as it comes, and what rich renders."""

import io
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from rich.console import RenderableType

from .console import PlainConsole
from .plain_text import escaped_in_json, plain_lines

_WIDE = 10_000
"""Columns of a pipe, where nothing is cut or wrapped."""


class OutputLostError(Exception):
    """Standard output takes no more.

    Args:
        reason: Why, as the system says.
        reader_left: Whether its reader went away, as `head` does, which is no failure.
    """

    def __init__(self, reason: str, *, reader_left: bool) -> None:
        super().__init__(f"cannot write to standard output: {reason}")
        self.reader_left = reader_left


class FileNotWrittenError(Exception):
    """A file that was asked for cannot be written.

    Args:
        path: Of the file.
        error: What the system says.
    """

    def __init__(self, path: Path, error: OSError) -> None:
        why = error.strerror or str(error)
        if isinstance(error, FileNotFoundError):
            why = f"there is no folder {path.parent}"
        elif isinstance(error, IsADirectoryError):
            why = "it is a folder; name a file in it"
        super().__init__(f"the file {path} cannot be written: {why}")


def write_file(path: Path, text: str) -> None:
    """Write a file that was asked for.

    Raises:
        FileNotWrittenError: It cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FileNotWrittenError(path, error) from error


class Output:
    """Writes to *stream* at once, in colour where it is a terminal, plain where it is not.

    Every method raises `OutputLostError` when the stream takes no more.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._at_line_start = True
        self.is_terminal = stream.isatty()
        self.console = PlainConsole(file=stream, width=None if self.is_terminal else _WIDE)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    @property
    def is_unicode(self) -> bool:
        """Whether the stream takes any character."""
        return self.console.encoding.startswith("utf")

    def write(self, text: str) -> None:
        """Write a piece of an answer: harmless on a terminal, untouched elsewhere."""
        self.write_exactly(plain_lines(text) if self.is_terminal else text)

    def write_exactly(self, text: str) -> None:
        """Write *text* that is known to be harmless."""
        if text:
            self._at_line_start = text.endswith("\n")
            self._write(text)

    def write_json(self, content: Mapping[str, Any]) -> None:
        """Write one JSON document on a line of its own."""
        ascii_only = not self.is_unicode
        try:
            text = json.dumps(content, ensure_ascii=ascii_only, default=str, allow_nan=False)
        except ValueError:  # JSON has no number for what is none
            content = _finite(content)
            text = json.dumps(content, ensure_ascii=ascii_only, default=str, allow_nan=False)
        self.write_exactly(escaped_in_json(text) + "\n")

    def end_line(self) -> None:
        """Begin a new line, unless the last one has ended."""
        if not self._at_line_start:
            self.write("\n")

    def leave_echo(self) -> None:
        """Begin a new line where a terminal shows `^C` on this one."""
        if self.is_terminal:
            self.write("\n")

    def show(self, rendered: RenderableType) -> None:
        """Write what rich makes of *rendered*, without spaces at the ends of lines."""
        with self.console.capture() as capture:
            self.console.print(rendered)
        lines = capture.get().splitlines()
        self.write_exactly("".join(f"{line.rstrip()}\n" for line in lines))

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError as error:
            self._discard_the_rest()
            reader_left = isinstance(error, BrokenPipeError)
            raise OutputLostError(error.strerror or str(error), reader_left=reader_left) from error

    def _discard_the_rest(self) -> None:
        """Send what is still buffered nowhere: the interpreter would fail on it as it ends."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value
