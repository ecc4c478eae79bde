"""How the command ends: its exit codes, and errors on standard error."""

import sys
import traceback as tracebacks
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import typer
from rich.text import Text

from .console import PlainConsole
from .output import OutputLostError
from .plain_text import plain_lines
from .usage_error import CommandLineError


class ExitCode(IntEnum):
    """What the command's exit code says."""

    OK = 0
    FAILED = 1
    BAD_USAGE = 2
    INTERRUPTED = 130


def report(error: BaseException, *, traceback: bool = False) -> None:
    """Print *error* to standard error: its message, and its traceback where asked for."""
    if traceback:
        sys.stderr.write(plain_lines("".join(tracebacks.format_exception(error))))
    _print_error(_described(error))


def bad_value(option: str, message: str) -> typer.BadParameter:
    """Make the error that says what is wrong with what an *option* says."""
    return typer.BadParameter(message, param_hint=f"'{option}'")


class BadSettingError(typer.BadParameter):
    """A variable says what cannot work: no option is at fault."""

    def format_message(self) -> str:
        """Return the message, which names the variable."""
        return self.message


def report_bad_usage(error: CommandLineError) -> None:
    """Print what is wrong with the command line, or a variable, and where to read more."""
    _print_error(error.format_message())
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "nodespan"
    is_set = isinstance(error, BadSettingError)
    hint = (
        "`nodespan doctor` shows every setting"
        if is_set
        else f"`{command} --help` shows what there is"
    )
    _print(Text(f"{hint}.", style="dim"))


@contextmanager
def reporting(*, traceback: bool) -> Iterator[None]:
    """Turn exceptions into messages and exit codes, but for those that are typer's."""
    try:
        yield
    except (CommandLineError, typer.Exit):
        raise
    except OutputLostError as error:
        if error.reader_left:
            raise typer.Exit(ExitCode.OK) from None
        report(error, traceback=traceback)
        raise typer.Exit(ExitCode.FAILED) from None
    except Exception as error:  # noqa: BLE001 - the user gets a message, and a traceback on demand
        report(error, traceback=traceback)
        raise typer.Exit(ExitCode.FAILED) from None


def _described(error: BaseException) -> str:
    """Our own errors are written for the user; others need their type to make sense."""
    if type(error).__module__.startswith("nodespan."):
        return str(error)
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _print_error(message: str) -> None:
    _print(Text.assemble(("error:", "bold red"), " ", plain_lines(message)))


def _print(text: Text) -> None:
    PlainConsole(stderr=True, soft_wrap=True, highlight=False).print(text)
