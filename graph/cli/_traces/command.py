"""`nodespan traces`, `nodespan trace` and `nodespan doctor`: their arguments and their help."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .._terminal.exit import reporting
from .._terminal.output import Output
from .._terminal.plain_text import escaped_in_json
from .asked import since as since_when

if TYPE_CHECKING:
    from ....telemetry.journal import JournalTrace, TraceRecord

File = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        metavar="FILE",
        help="The journal's file; by default what NODESPAN_JOURNAL says, or the user's own.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def traces(  # noqa: PLR0913 - each is an option of the command
    *,
    conversation: Annotated[
        str | None, typer.Option(metavar="ID", help="Only those of a conversation.")
    ] = None,
    agent: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only those of an agent.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only those with a call of a model.")
    ] = None,
    outcome: Annotated[
        str | None,
        typer.Option(
            metavar="OUTCOME",
            help="ok, error, interrupted, cancelled, abandoned, lost or running.",
        ),
    ] = None,
    slow: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Only those that took longer.")
    ] = None,
    stalled: Annotated[
        bool, typer.Option("--stalled", help="Only those with a stream that has stalled.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only those since then: 15m, 2h, 7d, or a date."),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Only those with it in a name or in recorded content."),
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=10_000, help="How many.")] = 50,
    as_json: AsJson = False,
    journal: File = None,
) -> None:
    """List what the journal holds, the newest trace first.

    With `--json` each trace is a line, with the keys of `TraceRecord` in
    `nodespan.telemetry.journal`. The exit code is 0, or 1 where there is no journal.
    """
    when = since_when(since)
    output = Output(sys.stdout)
    with reporting(traceback=False):
        from ....telemetry.journal import Journal, TraceFilter  # noqa: PLC0415 - not for `--help`

        asked = TraceFilter(
            conversation=conversation,
            agent=agent,
            model=model,
            outcome=outcome,
            slower_than=slow,
            stalled=stalled,
            since=when,
            text=text,
        )
        with Journal(journal) as opened:
            opened.end_lost_runs()
            found = opened.traces(asked, limit)
        _show_traces(output, found, as_json=as_json)


def trace(
    name: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="Of a trace, or its first digits; a run's id; or `last`."
        ),
    ],
    *,
    as_json: AsJson = False,
    otlp: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it as OTLP JSON, for other backends."),
    ] = None,
    journal: File = None,
) -> None:
    """Show one trace of the journal as a tree; it may still be running.

    The exit code is 0, or 1 where there is no such trace.
    """
    output = Output(sys.stdout)
    with reporting(traceback=False):
        from ....telemetry.journal import Journal  # noqa: PLC0415 - not for `--help`

        with Journal(journal) as opened:
            opened.end_lost_runs()
            if otlp is not None:
                otlp.write_text(opened.otlp_json(name) + "\n", encoding="utf-8")
                return
            found = opened.trace(name)
        _show_trace(output, found, as_json=as_json)


def doctor(
    *,
    as_json: AsJson = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Recover what can be read of a damaged journal.")
    ] = False,
    journal: File = None,
) -> None:
    """Say where the journal is, what it holds, what it owes, and what was dropped or lost.

    The exit code is 0, or 1 where there is no journal, or it is damaged.
    """
    output = Output(sys.stdout)
    with reporting(traceback=False):
        from ....telemetry import journal as journals  # noqa: PLC0415 - not for `--help`
        from .status import status_document, status_lines  # noqa: PLC0415 - as above

        path = journal or journals.path_in_use(os.environ)
        if repair:
            journals.repair(path)
        with journals.Journal(path) as opened:
            status, is_sound = opened.status(), opened.is_sound()
        if as_json:
            _write_json(output, status_document(status, is_sound=is_sound))
        else:
            output.write("".join(f"{line}\n" for line in status_lines(status, is_sound=is_sound)))
        if not is_sound:
            raise typer.Exit(1)


def _show_traces(output: Output, found: list[TraceRecord], *, as_json: bool) -> None:
    from .listing import TraceList  # noqa: PLC0415 - as above
    from .spans import summary  # noqa: PLC0415 - as above

    if as_json:
        for one in found:
            _write_json(output, summary(one))
    elif found:
        output.show(TraceList(found))
    else:
        output.write("no traces\n")


def _show_trace(output: Output, found: JournalTrace, *, as_json: bool) -> None:
    from .._terminal.trace_tree import TraceTree  # noqa: PLC0415 - as above
    from .spans import document, span_records  # noqa: PLC0415 - as above

    if as_json:
        _write_json(output, document(found))
        return
    output.show(TraceTree(span_records(found)))
    if found.dropped:
        output.write(f"and {found.dropped:,} more spans\n")


def _write_json(output: Output, content: dict[str, Any]) -> None:
    text = json.dumps(content, ensure_ascii=not output.is_unicode, default=str)
    output.write_exactly(escaped_in_json(text) + "\n")
