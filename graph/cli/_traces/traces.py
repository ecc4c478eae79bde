"""`nodespan traces`: its options and its help."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

from .._terminal.exit import reporting
from .._terminal.numbers import seconds, whole_number
from .._terminal.options import AsJson, JournalFile, takes
from .._terminal.output import Output
from .._terminal.plain_text import plain
from .._terminal.values import listed, one_of, text_of
from .asked import since as since_when

if TYPE_CHECKING:
    from datetime import datetime

    from ....telemetry.journal import Journal, TraceFilter, TraceRecord

_KINDS: Final = ("agent", "model", "service", "outcome")
_OUTCOMES: Final = ("ok", "error", "interrupted", "cancelled", "abandoned", "lost", "running")
# Ten years: longer than any took, and of nanoseconds as many as the journal can compare.
_LONGEST: Final = 315_576_000.0
_MOST_KNOWN: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """What `nodespan traces` can be told."""

    conversation: Annotated[
        str | None,
        typer.Option(metavar="ID", parser=text_of("an id"), help="Only those of a conversation."),
    ] = None
    agent: Annotated[
        str | None,
        typer.Option(metavar="NAME", parser=text_of("a name"), help="Only those of an agent."),
    ] = None
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", parser=text_of("a name"), help="Only those with a call of a model."
        ),
    ] = None
    service: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            parser=text_of("a name"),
            help="Only those of a service, as OTEL_SERVICE_NAME says.",
        ),
    ] = None
    outcome: Annotated[
        str | None,
        typer.Option(
            metavar="OUTCOME",
            parser=one_of(_OUTCOMES),
            help=f"Only those that ended so: {listed(_OUTCOMES)}.",
        ),
    ] = None
    slow: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", parser=seconds(0), help="Only those that took longer."),
    ] = None
    stalled: Annotated[
        bool, typer.Option("--stalled", help="Only those with a stream that has stalled.")
    ] = False
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only those since then: 15m, 2h, 7d, or a date."),
    ] = None
    text: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            parser=text_of("a text"),
            help="Only those with it in a name or in recorded content.",
        ),
    ] = None
    limit: Annotated[
        int,
        typer.Option(
            metavar="N", parser=whole_number(1, 10_000), help="How many, from 1 to 10,000."
        ),
    ] = 50
    as_json: AsJson = False
    journal: JournalFile = None

    def filter(self, since: datetime | None) -> TraceFilter:
        """Return which traces are asked for."""
        from ....telemetry.journal import TraceFilter  # noqa: PLC0415 - not for `--help`

        return TraceFilter(
            conversation=self.conversation,
            agent=self.agent,
            model=self.model,
            service=self.service,
            outcome=self.outcome,
            slower_than=min(self.slow, _LONGEST) if self.slow is not None else None,
            stalled=self.stalled,
            since=since,
            text=self.text,
        )


@takes(_Options)
def traces(options: _Options) -> None:
    """List what the journal holds, the newest trace first.

    With `--json` each trace is one line; graph/README.md says which keys it has. The exit code is
    0, or 1 where there is no journal.
    """
    when = since_when(options.since)
    output = Output(sys.stdout)
    with reporting(traceback=False):
        from ....telemetry.journal import Journal  # noqa: PLC0415 - not for `--help`

        with Journal(options.journal) as opened:
            found = opened.traces(options.filter(when), options.limit)
            if found or options.as_json:
                _show(output, found, as_json=options.as_json)
            else:
                output.write(_none(opened, options))


def _show(output: Output, found: list[TraceRecord], *, as_json: bool) -> None:
    from .listing import TraceList  # noqa: PLC0415 - not for `--help`
    from .spans import summary  # noqa: PLC0415 - as above

    if as_json:
        for one in found:
            output.write_json(summary(one))
    else:
        output.show(TraceList(found))


def _none(journal: Journal, options: _Options) -> str:
    """Say that there is no such trace: what was asked for, and what there is of that."""
    asked = {
        name: value
        for name in (
            *("conversation", "agent", "model", "service", "outcome", "slow", "since", "text"),
        )
        if (value := getattr(options, name)) is not None
    }
    given = [f"--{name} {plain(str(value))}" for name, value in asked.items()]
    given += ["--stalled"] if options.stalled else []
    lines = [f"no traces{' with ' if given else ''}{' '.join(given)}"]
    for name in _KINDS:
        known = journal.known(name, _MOST_KNOWN + 1) if name in asked else []
        # None of a journal's has `running` for an outcome: that is told of it while it goes on.
        if asked.get(name) not in (None, "running", *known):
            shown = ", ".join(plain(each) for each in known[:_MOST_KNOWN]) or "none"
            more = " and more" if len(known) > _MOST_KNOWN else ""
            lines.append(f"the {name}s there are: {shown}{more}")
    return "".join(f"{line}\n" for line in lines)
