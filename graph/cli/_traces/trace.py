"""`nodespan trace`: its options and its help."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - typer reads it
from time import time_ns
from typing import TYPE_CHECKING, Annotated

import typer

from .._terminal.exit import bad_value, reporting
from .._terminal.options import AsJson, JournalFile, takes
from .._terminal.output import Output, write_file
from .._terminal.values import file_named, text_of

if TYPE_CHECKING:
    from ....telemetry.journal import Journal, JournalTrace


@dataclass(frozen=True, slots=True)
class _Options:
    """What `nodespan trace` can be told."""

    name: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            parser=text_of("an id, or `last`"),
            help="Of a trace, or of a run as a log line has it, or the first digits of one; or "
            "`last`.",
        ),
    ]
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on while it is running, until it has ended.")
    ] = False
    shows_all: Annotated[
        bool, typer.Option("--all", help="Show each attribute and each event.")
    ] = False
    as_json: AsJson = False
    otlp: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            parser=file_named,
            help="Write it as OTLP JSON, for other backends.",
        ),
    ] = None
    as_script: Annotated[
        bool,
        typer.Option(
            "--as-script",
            help="Print a Python test with a model that answers as the recorded ones did.",
        ),
    ] = False
    journal: JournalFile = None

    def check(self) -> None:
        """Refuse options that say different things of what is to be printed."""
        forms = {"--json": self.as_json, "--otlp": self.otlp, "--as-script": self.as_script}
        chosen = [name for name, value in forms.items() if value]
        if len(chosen) > 1:
            raise bad_value(chosen[1], f"not together with {chosen[0]}: each is another form")
        if self.follow and (self.otlp or self.as_script):
            raise bad_value(chosen[0], "not together with --follow: it is written once")


@takes(_Options)
def trace(options: _Options) -> None:
    """Show one trace of the journal as a tree; it may still be running.

    Beneath a span stand its stalls, errors and other events. With `--follow` the tree grows until
    the trace has ended; in a pipe each start and end is a line. graph/README.md says which keys
    `--json` has. The exit code is 0, or 1 where there is no such trace, 130 for Ctrl-C.
    """
    options.check()
    output = Output(sys.stdout)
    with reporting(traceback=False):
        from ....telemetry.journal import Journal  # noqa: PLC0415 - not for `--help`

        if options.follow:
            from .follow import follow  # noqa: PLC0415 - as above

            follow(output, options.name, options.journal, options)
            return
        with Journal(options.journal) as opened:
            _write(opened, output, options)


def _write(journal: Journal, output: Output, options: _Options) -> None:
    if options.otlp is not None:
        write_file(options.otlp, journal.otlp_json(options.name) + "\n")
        return
    found = journal.trace(options.name)
    if options.as_script:
        from .._script.command import write_script  # noqa: PLC0415 - not for `--help`

        write_script(output, found)
    elif options.as_json:
        from .spans import document  # noqa: PLC0415 - as above

        output.write_json(document(found))
    else:
        _show(output, found, shows_all=options.shows_all)


def _show(output: Output, found: JournalTrace, *, shows_all: bool) -> None:
    from .spans import tree  # noqa: PLC0415 - not for `--help`

    output.show(tree(found, time_ns(), shows_all=shows_all))
    if found.dropped:
        output.write(f"and {found.dropped:,} more spans\n")
