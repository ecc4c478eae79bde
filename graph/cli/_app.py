"""The `nodespan` command and its subcommands."""

import codecs
import os
import sys
from io import TextIOWrapper
from typing import Annotated, Final

import typer

from ._chat.command import chat
from ._doctor.command import doctor
from ._terminal.exit import ExitCode, report_bad_usage
from ._terminal.options import Command, Group
from ._terminal.usage_error import CommandLineError
from ._traces.trace import trace
from ._traces.traces import traces
from ._ui.command import ui
from ._watch.command import watch

_NAME: Final = "nodespan"

_app: Final = typer.Typer(
    name=_NAME,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    cls=Group,
)
# Of a prompt without quotes the command says itself what to do.
_app.command(context_settings={"allow_extra_args": True}, cls=Command)(chat)
for _command in (traces, trace, watch, ui, doctor):
    _app.command(cls=Command)(_command)


def run() -> int:
    """Run the command that `sys.argv` says, and return its exit code."""
    _open_closed_streams()
    _write_any_character()
    try:
        return int(_app(prog_name=_NAME, standalone_mode=False) or ExitCode.OK)
    except CommandLineError as error:
        report_bad_usage(error)
        return ExitCode.BAD_USAGE


def _open_closed_streams() -> None:
    """Give a process that was started with closed streams (`>&-`) ones that lead nowhere."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115 - for as long as we run
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115 - as above


def _write_any_character() -> None:
    """Write UTF-8 where the locale is C, which says nothing of what a terminal can show.

    Source: https://peps.python.org/pep-0540/, which does so unless it is told not to.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and "PYTHONIOENCODING" not in os.environ:
            is_ascii = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding="utf-8" if is_ascii else None)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - it brings a parser of e-mails

        typer.echo(f"{_NAME} {version(_NAME)}")
        raise typer.Exit


@_app.callback(invoke_without_command=True)
def _nodespan(
    context: typer.Context,
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            metavar="",
            callback=_print_version,
            is_eager=True,
            help="Print the version.",
        ),
    ] = False,
) -> None:
    """Chat models of your own in LangGraph, with every run on OpenTelemetry."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(ExitCode.BAD_USAGE)
