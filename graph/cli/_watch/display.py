"""What `nodespan watch` shows: in place on a terminal, in lines elsewhere."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from time import time_ns
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ....telemetry.console import duration, styled_outcome, when
from .._terminal.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import RenderableType

    from ....telemetry.journal import Activity, JournalError, OpenRunRecord, TraceRecord
    from .._terminal.output import Output

_SHOWN_DIGITS: Final = 12
_CLOCK: Final = "%H:%M:%S"
# Of the lines of a screen, those that are no open run: head, titles, spaces.
_OTHER_LINES: Final = 8
_MOST_FAILURES: Final = 5
# A wait that is longer is told in yellow: what telemetry takes for a stall by default.
_LONG_WAIT: Final = 2.0
_KNOWN_FAILURES: Final = 1_000
_FAILURES: Final = ("error", "lost")


@dataclass(frozen=True, slots=True)
class State:
    """What was seen at a look.

    Attributes:
        journal: where it is.
        activity: in it; None where it could not be read.
        trouble: why it could not be.
    """

    journal: Path
    activity: Activity | None
    trouble: JournalError | None

    def document(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "at": self.activity.at if self.activity is not None else time_ns(),
            "journal": str(self.journal),
            "trouble": str(self.trouble) if self.trouble is not None else None,
            "activity": asdict(self.activity) if self.activity is not None else None,
        }


def show_in_place(output: Output, states: Iterator[State]) -> None:
    """Show each state in the place of the one before."""
    ascii_only = not output.is_unicode
    with Live(console=output.console, auto_refresh=False, screen=False) as live:
        for state in states:
            lines = output.console.size.height
            live.update(_screen(state, lines, ascii_only=ascii_only), refresh=True)


def show_in_lines(output: Output, states: Iterator[State]) -> None:
    """Write a line for each state, and one for each failure that is new."""
    known: dict[tuple[str, int], None] = {}
    trouble: str | None = None
    began: int | None = None
    for state in states:
        activity = state.activity
        if activity is None:
            if trouble != (trouble := str(state.trouble)):
                output.write(f"{when(time_ns(), _CLOCK)}  {plain(trouble)}\n")
            continue
        trouble = None
        began = activity.at if began is None else began
        output.write(f"{when(activity.at, _CLOCK)}  {summary(activity)}\n")
        for trace in reversed(activity.failures):
            key = (trace.trace_id, trace.errors)
            if key not in known and (trace.ended_at or activity.at) >= began:
                output.write(_failure_line(trace))
            known[key] = None
        while len(known) > _KNOWN_FAILURES:
            known.pop(next(iter(known)))


def summary(activity: Activity) -> str:
    """Return what goes on in a line."""
    return "  ".join(text for text, _ in _figures(activity, ascii_only=True))


def _figures(activity: Activity, *, ascii_only: bool) -> list[tuple[str, str]]:
    """Return the figures of a state, each with its style: those of now, then those of a time."""

    def time(seconds: float) -> str:
        """Return a duration as people read it."""
        return duration(seconds * 1e9, ascii_only=ascii_only)

    first = activity.mean_time_to_first_chunk
    wait = activity.longest_wait
    failed, mended = activity.failed_traces, activity.traces_with_errors
    shown = [
        (f"{activity.running:,} open", "bold cyan" if activity.running else ""),
        (f"{activity.tokens_per_second:.1f} tokens/s", ""),
    ]
    if wait is not None:
        shown.append((f"waits {time(wait)}", "yellow" if wait > _LONG_WAIT else ""))
    return [
        *shown,
        (f"in the last {time(activity.seconds)}:", "dim"),
        (f"{failed:,} failed", "bold red" if failed else ""),
        *([(f"{mended:,} with errors", "red")] if mended else []),
        (_count(activity.stalls, "stall"), "yellow" if activity.stalls else ""),
        *([(f"first chunk {time(first)}", "")] if first is not None else []),
    ]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _failure_line(trace: TraceRecord) -> str:
    inside = f"{_count(trace.errors, 'error')} within"
    at = when(trace.ended_at if trace.ended_at is not None else trace.started_at, _CLOCK)
    outcome = styled_outcome(trace.outcome, trace.error).plain
    parts = [outcome, *([] if trace.outcome in _FAILURES else [inside]), plain(trace.name)]
    return f"{at}  {'  '.join(parts)}  trace {trace.trace_id}\n"


def _screen(state: State, lines: int, *, ascii_only: bool) -> RenderableType:
    activity = state.activity
    if activity is None:
        waits = Text(plain(str(state.trouble)), style="yellow", overflow="ellipsis")
        return Group(Text(when(time_ns(), _CLOCK), style="dim"), waits, Text("waiting for it"))
    head = Text(when(activity.at, _CLOCK), style="dim")
    for text, style in _figures(activity, ascii_only=ascii_only):
        head.append("  ").append(text, style=style or "not dim")
    minutes = duration(activity.seconds * 1e9, ascii_only=ascii_only)
    over = Text(
        f"{_count(activity.traces, 'trace')} in {minutes}, {_count(activity.calls, 'call')} of "
        f"models, {activity.output_tokens:,} tokens",
        style="dim",
        no_wrap=True,
        overflow="ellipsis",
    )
    if activity.left_out:
        over.append(f"; of {activity.left_out:,} more nothing is told")
    failures = activity.failures[:_MOST_FAILURES]
    room = max(lines - _OTHER_LINES - len(failures), 3)
    parts: list[RenderableType] = [head, over, Text()]
    parts += _open(activity, room, ascii_only=ascii_only)
    if failures:
        parts += [Text(), _failures(failures)]
    return Group(*parts)


def _open(activity: Activity, room: int, *, ascii_only: bool) -> list[RenderableType]:
    traces = activity.open_traces[:room]
    if not traces:
        return [Text("nothing is running", style="dim")]
    runs: dict[str, list[OpenRunRecord]] = defaultdict(list)
    for run in activity.open_runs:
        runs[run.trace_id].append(run)
    heads = ("trace", "open run", ("age", "right"), "is in", ("chunks", "right"), "waits")
    rows = [
        _open_row(trace, runs[trace.trace_id], activity.at, ascii_only=ascii_only)
        for trace in traces
    ]
    shown = [place for place in range(len(heads)) if any(row[place].plain for row in rows)]
    table = _table(*(heads[place] for place in shown))
    for row in rows:
        table.add_row(*(row[place] for place in shown))
    left = activity.running - len(traces)
    return [table, *([Text(f"and {left:,} more", style="dim")] if left > 0 else [])]


def _open_row(
    trace: TraceRecord, runs: list[OpenRunRecord], now: int, *, ascii_only: bool
) -> list[Text]:
    """Return the cells of an open trace; its *runs* are those that started last first."""

    def time(since: int) -> str:
        """Return how long it has been, as people read it."""
        return duration(now - since, ascii_only=ascii_only)

    deepest = runs[0] if runs else None
    waiting = next((run for run in runs if run.model is not None), None)
    chunks = sum(run.chunks or 0 for run in runs)
    since = (waiting.last_chunk_at or waiting.started_at) if waiting is not None else None
    is_long = since is not None and now - since > _LONG_WAIT * 1e9
    inside = deepest.name if deepest is not None and deepest.name != trace.name else ""
    return [
        Text(trace.trace_id[:_SHOWN_DIGITS], style="dim"),
        Text(plain(trace.name)),
        Text(time(trace.started_at)),
        Text(plain(inside)),
        Text(f"{chunks:,}" if chunks else ""),
        Text(time(since) if since is not None else "", style="yellow" if is_long else ""),
    ]


def _failures(traces: tuple[TraceRecord, ...]) -> Table:
    table = _table("trace", "failure", "at", "outcome")
    for trace in traces:
        at = trace.ended_at if trace.ended_at is not None else trace.started_at
        is_mended = trace.outcome not in _FAILURES
        inside = f", {_count(trace.errors, 'error')} within" if is_mended else ""
        table.add_row(
            Text(trace.trace_id[:_SHOWN_DIGITS], style="dim"),
            Text(plain(trace.name)),
            Text(when(at, _CLOCK)),
            styled_outcome(trace.outcome, trace.error).append(inside, style="red"),
        )
    return table


def _table(*columns: str | tuple[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        name, justify = (column, "left") if isinstance(column, str) else column
        table.add_column(name, justify=justify, no_wrap=True, overflow="ellipsis")  # type: ignore[arg-type]  # rich's literal
    return table
