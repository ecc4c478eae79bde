"""`nodespan doctor`: its options and its help."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from .._terminal.exit import reporting
from .._terminal.numbers import seconds
from .._terminal.options import AsJson, JournalFile, takes
from .._terminal.output import Output

if TYPE_CHECKING:
    from .findings import Findings


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """What `nodespan doctor` can be told."""

    as_json: AsJson = False
    repair: Annotated[
        bool, typer.Option("--repair", help="Make a damaged journal anew of what can be read.")
    ] = False
    timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            parser=seconds(0.1, 60),
            help="How long an endpoint may take, from 0.1 to 60.",
        ),
    ] = 5.0
    journal: JournalFile = None


@takes(_Options)
def doctor(options: _Options) -> None:
    """Say whether all is well: the journal, the endpoint, the settings in force.

    Of the journal: where it is, its size, what it holds and owes, what was dropped or lost. The
    endpoint is asked by a real request with nothing in it. Of each setting, who says it: an
    argument, a variable, or the default. Credentials are not shown. graph/README.md says which
    keys `--json` has. The exit code is 0, or 1 where something is wrong.
    """
    output = Output(sys.stdout)
    with reporting(traceback=False):
        found = _findings(options)
        if options.as_json:
            output.write_json(found.document())
        else:
            from .status import lines  # noqa: PLC0415 - not for `--help`

            output.write("".join(f"{line}\n" for line in lines(found)))
        if not found.is_well:
            raise typer.Exit(1)


def _findings(options: _Options) -> Findings:
    from ....telemetry import journal as journals  # noqa: PLC0415 - not for `--help`
    from .findings import Findings  # noqa: PLC0415 - as above

    repaired = None
    with suppress(journals.JournalMissingError):  # it is found missing below
        if options.repair:
            repaired = journals.repair(options.journal or journals.path_in_use(os.environ))
    return Findings.made(options.journal, options.timeout, repaired)
