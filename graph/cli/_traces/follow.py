"""`nodespan trace --follow`: a trace while it is running."""

from __future__ import annotations

from time import monotonic, sleep, time_ns
from typing import TYPE_CHECKING, Final, Protocol

import typer
from rich.live import Live

from ....telemetry.console import duration, styled_outcome, when
from ....telemetry.journal import JournalError, JournalWatch, TraceNotFoundError
from .._terminal.exit import ExitCode
from .._terminal.plain_text import plain
from .._terminal.tail import Tail
from .spans import span_document, summary, tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ....telemetry.journal import JournalSpan, JournalTrace
    from .._terminal.output import Output

_EVERY: Final = 0.25
# Of the time at most this part is spent with reading.
_PART_READING: Final = 0.2
# Where the root is elsewhere, more may come of a trace that has nothing open.
_QUIET: Final = 2.0
# So long may the journal be gone, or the trace be gone from it.
_PATIENCE: Final = 5.0
# What hangs deeper is not moved further to the right.
_DEEPEST: Final = 50


class Shows(Protocol):
    """What `--follow` can be told of how to show a trace."""

    @property
    def as_json(self) -> bool:
        """Whether as JSON."""

    @property
    def shows_all(self) -> bool:
        """Whether with each attribute and event."""


def follow(output: Output, name: str, path: Path | None, shows: Shows) -> None:
    """Show a trace until it has ended.

    Args:
        output: where to.
        name: of the trace, as `Journal.trace` takes it.
        path: of the journal; None for the one in use.
        shows: how.

    Raises:
        JournalError: there is no such trace, or no journal, or it went away.
    """
    with JournalWatch(path) as watch:
        first = watch.read(lambda journal: journal.trace(name, most_spans=1))
        if first is None:
            raise watch.trouble or JournalError(f"the journal {watch.path} cannot be read")
        states = _states(watch, first.summary.trace_id)
        if output.is_terminal and not output.console.is_dumb_terminal and not shows.as_json:
            _follow_in_place(output, states, shows_all=shows.shows_all)
        else:
            _follow_in_lines(output, states, as_json=shows.as_json)


def _states(watch: JournalWatch, trace_id: str) -> Iterator[JournalTrace]:
    """Give a trace as it is now, again and again until it has ended."""
    read_at = quiet_since = monotonic()
    last: int | None = None
    while True:
        begun = monotonic()
        found = _read(watch, trace_id)
        if found is not None:
            read_at = monotonic()
            if found.summary.open_spans or last != found.summary.spans:
                quiet_since, last = read_at, found.summary.spans
            yield found
            if not found.summary.open_spans and (
                _has_root(found) or monotonic() - quiet_since >= _QUIET
            ):
                return
        elif monotonic() - read_at > _PATIENCE:
            raise watch.trouble or JournalError(f"the journal {watch.path} has lost the trace")
        sleep(max(_EVERY, (monotonic() - begun) / _PART_READING))


def _read(watch: JournalWatch, trace_id: str) -> JournalTrace | None:
    try:
        return watch.read(lambda journal: journal.trace(trace_id))
    except TraceNotFoundError:  # the file was replaced, or the trace made room for others
        return None


def _has_root(trace: JournalTrace) -> bool:
    return any(span.parent_id is None for span in trace.spans)


def _follow_in_place(output: Output, states: Iterator[JournalTrace], *, shows_all: bool) -> None:
    found: JournalTrace | None = None
    try:
        with Live(console=output.console, auto_refresh=False, transient=True) as live:
            for found in states:
                live.update(Tail(tree(found, time_ns(), shows_all=shows_all)), refresh=True)
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    finally:
        if found is not None:
            output.show(tree(found, time_ns(), shows_all=shows_all))
            if found.dropped:
                output.write(f"and {found.dropped:,} more spans\n")


def _follow_in_lines(output: Output, states: Iterator[JournalTrace], *, as_json: bool) -> None:
    known: dict[str, bool] = {}
    try:
        for found in states:
            parents = {each.span_id: each.parent_id for each in found.spans}
            for at, what, span in _news(found, known):
                if as_json:
                    output.write_json({"event": what, "at": at, "span": span_document(span)})
                else:
                    output.write(_line(at, what, span, _depth(span, parents)))
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    whole = summary(found.summary)
    if as_json:
        output.write_json({"event": "trace", "at": found.summary.ended_at, "trace": whole})
    else:
        took = duration((found.summary.duration or 0) * 1e9, ascii_only=not output.is_unicode)
        output.write(f"trace {found.summary.trace_id}  {took}  {plain(found.summary.outcome)}\n")


def _news(trace: JournalTrace, known: dict[str, bool]) -> list[tuple[int, str, JournalSpan]]:
    """Return which spans have started and ended since, in the order of their times.

    Args:
        trace: as it is now.
        known: which spans were told of already, and whether of their ends; it is kept up to date.
    """
    news: list[tuple[int, str, JournalSpan]] = []
    for span in trace.spans:
        if span.span_id not in known:
            known[span.span_id] = False
            news.append((span.started_at, "started", span))
        if span.ended_at is not None and not known[span.span_id]:
            known[span.span_id] = True
            news.append((span.ended_at, "ended", span))
    return sorted(news, key=lambda each: each[0])


def _line(at: int, what: str, span: JournalSpan, depth: int) -> str:
    time = f"{when(at, '%H:%M:%S')}.{at // 1_000_000 % 1_000:03}"
    parts = [time, what.ljust(7), "  " * depth + plain(span.name)]
    if what == "ended":
        parts.append(duration((span.duration or 0) * 1e9, ascii_only=True))
        parts.append(styled_outcome(span.outcome, span.error).plain)
        if span.stalls:
            parts.append(f"{span.stalls} stalls" if span.stalls > 1 else "1 stall")
    return "  ".join(parts) + "\n"


def _depth(span: JournalSpan, parents: Mapping[str, str | None]) -> int:
    depth, parent = 0, span.parent_id
    while parent is not None and parent in parents and depth < _DEEPEST:
        depth, parent = depth + 1, parents[parent]
    return depth
