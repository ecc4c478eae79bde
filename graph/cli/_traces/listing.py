"""Traces as a table with a line each, for a terminal or a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from ....telemetry.console import (
    NAME_WIDTH,
    duration,
    left_out,
    styled_outcome,
    when,
    width_of,
)
from .._terminal.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

    from ....telemetry.journal import TraceRecord

_SHOWN_DIGITS: Final = 12
# On a terminal of fewer columns ids and times are shorter.
_NARROW: Final = 100
_FEW_DIGITS: Final = 8
_SHORTEST_NAME: Final = 12
_LONG: Final = "%Y-%m-%d %H:%M:%S"
_SHORT: Final = "%m-%d %H:%M:%S"
# What is left out first where the terminal is narrow.
_SERVICE: Final = "service"
_LEAST: Final = (
    "stalls",
    "tokens in",
    "cost",
    "out",
    "conversation",
    "run's first chunk",
    _SERVICE,
)


class TraceList:
    """Renders traces: when each started, its name, how it ended, how long it took, what it used.

    Args:
        traces: as the journal has them.
    """

    def __init__(self, traces: Sequence[TraceRecord]) -> None:
        self._traces = traces

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield _table(self._traces, options.max_width, ascii_only=options.ascii_only)


def _table(traces: Sequence[TraceRecord], room: int, *, ascii_only: bool) -> Table:
    is_narrow = room < _NARROW
    columns = [column for column in _columns(ascii_only=ascii_only) if any(map(column[2], traces))]
    if len({trace.service for trace in traces}) == 1:
        columns = [column for column in columns if column[0] != _SERVICE]
    started = [when(trace.started_at, _SHORT if is_narrow else _LONG) for trace in traces]
    names = [plain(trace.name) for trace in traces]
    digits = _FEW_DIGITS if is_narrow else _SHOWN_DIGITS
    widths = {
        "trace": digits + 2,
        "started": width_of("started", started),
        "name": min(width_of("name", names), NAME_WIDTH),
        **{head: width_of(head, (str(of(one)) for one in traces)) for head, _, of in columns},
    }
    out = left_out(widths, room, _LEAST)
    columns = [column for column in columns if column[0] not in out]
    others = sum(widths[head] for head in ("trace", "started", *(column[0] for column in columns)))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("trace", no_wrap=True, style="dim")
    table.add_column("started", no_wrap=True)
    most = max(room - others, _SHORTEST_NAME)
    table.add_column("name", no_wrap=True, overflow="ellipsis", max_width=most)
    for header, justify, _ in columns:
        table.add_column(header, justify=justify, no_wrap=True)  # type: ignore[arg-type]  # rich's literal
    for trace, start, name in zip(traces, started, names, strict=True):
        table.add_row(
            trace.trace_id[:digits],
            start,
            Text(name, no_wrap=True, overflow="ellipsis"),
            *(of(trace) for _, _, of in columns),
        )
    return table


def _columns(*, ascii_only: bool) -> list[tuple[str, str, Callable[[TraceRecord], Text | str]]]:
    def time(seconds: float | None) -> str:
        """Return a duration as people read it, or nothing where there is none."""
        return duration(seconds * 1e9, ascii_only=ascii_only) if seconds is not None else ""

    return [
        (_SERVICE, "left", lambda one: plain(one.service or "")),
        ("outcome", "left", lambda one: styled_outcome(one.outcome, one.error)),
        ("time", "right", lambda one: time(one.duration)),
        ("run's first chunk", "right", lambda one: time(one.time_to_first_chunk)),
        ("tokens in", "right", lambda one: _tokens(one, one.input_tokens)),
        ("out", "right", lambda one: _tokens(one, one.output_tokens)),
        ("cost", "right", _cost),
        ("stalls", "right", lambda one: _number(one.stalls or None)),
        ("conversation", "left", lambda one: plain(one.conversation or "")),
    ]


def _tokens(trace: TraceRecord, count: int | None) -> str:
    return f"~{count:,}" if count and trace.is_estimated else _number(count)


def _number(count: int | None) -> str:
    return f"{count:,}" if count is not None else ""


def _cost(trace: TraceRecord) -> str:
    return f"{trace.cost:.4g} {plain(trace.currency or '')}" if trace.cost is not None else ""
