"""Where the prompt comes from: the command line, standard input, or a person at a terminal."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import typer

from .._terminal.output import Output

MAX_BYTES: Final = 16 * 1024 * 1024
"""A prompt on standard input that is longer is a mistake, and may have no end."""

_MARK: Final = "> "
_COLOURED_MARK: Final = "\001\033[1;36m\002> \001\033[0m\002"
"""In the brackets that tell readline what takes no room."""


def single_prompt(argument: str | None) -> str | None:
    """Return the prompt that is given, or `None` where there is a person to be asked for one.

    Raises:
        typer.BadParameter: The prompt is empty, too long, or no text.
    """
    if argument is not None:
        return _checked(_decoded(argument))
    if sys.stdin is not None and sys.stdin.isatty():
        return None
    return _checked(_piped())


def typed_prompts(output: Output) -> Iterator[str]:
    """Ask a person for one prompt after another; Ctrl-D ends it, Ctrl-C drops the line."""
    with suppress(ImportError):
        import readline  # noqa: F401, PLC0415 - makes `input` edit lines, where there is one
    while True:
        try:
            line = _ask(output)
        except EOFError:
            output.write("\n")
            return
        except KeyboardInterrupt:
            output.write("\n")
            continue
        if line.strip():
            yield _decoded(line)


def _ask(output: Output) -> str:
    """Read a line; `input` writes its prompt to standard output, which may be a pipe."""
    if output.is_terminal:
        return input(_COLOURED_MARK if output.console.color_system else _MARK)
    sys.stderr.write(_MARK)
    sys.stderr.flush()
    return input()


def _piped() -> str:
    """Read the prompt on standard input, without the line break that ends it."""
    if sys.stdin is None:
        return ""
    given = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(given) > MAX_BYTES:
        raise _bad_prompt(f"it is longer than {MAX_BYTES:,} bytes")
    try:
        return given.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise _bad_prompt(_not_text(error.object[error.start], error.start)) from error


def _decoded(text: str) -> str:
    """Return text that Python has read in a locale without UTF-8 as what its bytes are."""
    try:
        return text.encode("utf-8", "surrogateescape").decode()
    except UnicodeError:
        return text


def _checked(prompt: str) -> str:
    if not prompt.strip():
        raise _bad_prompt("it is empty; write it after the command, or send it to standard input")
    try:
        prompt.encode()
    except UnicodeEncodeError as error:
        # Python keeps an undecodable byte of the command line as this kind of character.
        raise _bad_prompt(_not_text(ord(prompt[error.start]) & 0xFF, error.start)) from error
    return prompt


def _not_text(byte: int, position: int) -> str:
    return f"it is not UTF-8 text: byte 0x{byte:02x} at position {position}"


def _bad_prompt(message: str) -> typer.BadParameter:
    return typer.BadParameter(message, param_hint="PROMPT")
