"""`nodespan watch`: its options, its help, and its rounds."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import count
from time import monotonic, sleep
from typing import TYPE_CHECKING, Annotated

import typer

from .._terminal.exit import ExitCode, reporting
from .._terminal.numbers import seconds, whole_number
from .._terminal.options import AsJson, JournalFile, takes
from .._terminal.output import Output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .display import State


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """What `nodespan watch` can be told."""

    interval: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            parser=seconds(0.1, 3_600),
            help="How often to look, from 0.1 to 3,600.",
        ),
    ] = 1.0
    rounds: Annotated[
        int | None,
        typer.Option(
            "--count", metavar="N", parser=whole_number(1), help="Look so often, and end."
        ),
    ] = None
    as_json: AsJson = False
    journal: JournalFile = None


@takes(_Options)
def watch(options: _Options) -> None:
    """Watch what goes on: open runs, tokens a second, first chunks, stalls, recent errors.

    On a terminal it is shown in place; in a pipe each look is a line, and so is each failure.
    With `--json` each look is one document on a line; graph/README.md says which keys it has. It
    goes on until Ctrl-C, with exit code 130, or for `--count` looks. The journal may be missing
    yet: it is waited for.
    """
    output = Output(sys.stdout)
    with reporting(traceback=False):
        from .display import show_in_lines, show_in_place  # noqa: PLC0415 - not for `--help`

        states = _states(options)
        try:
            if options.as_json:
                for state in states:
                    output.write_json(state.document())
            elif output.is_terminal and not output.console.is_dumb_terminal:
                show_in_place(output, states)
            else:
                show_in_lines(output, states)
        except KeyboardInterrupt:
            raise typer.Exit(ExitCode.INTERRUPTED) from None


def _states(options: _Options) -> Iterator[State]:
    from ....telemetry.journal import JournalWatch  # noqa: PLC0415 - not for `--help`
    from .display import State  # noqa: PLC0415 - as above

    with JournalWatch(options.journal) as watched:
        for number in count(1):
            begun = monotonic()
            activity = watched.read(lambda journal: journal.activity())
            if number == 1 and watched.trouble is not None and not watched.is_missing:
                raise watched.trouble
            yield State(watched.path, activity, watched.trouble)
            if number == options.rounds:
                return
            # A journal that takes long to read is read less often.
            took = monotonic() - begun
            sleep(max(options.interval - took, took))
