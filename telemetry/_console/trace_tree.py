"""A trace as a tree with aligned columns, for a terminal or a pipe."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from .._values.visible import visible
from .columns import NAME_WIDTH, left_out, width_of
from .duration import duration
from .span_notes import cost, given, notes, speed, stalls
from .span_tree import ASCII_LINES, LINES, branches, by_trace, continued

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

    from .._traces.records import SpanRecord
    from .span_details import Details

_OPERATION_STYLES: Final[Mapping[str, str]] = {
    "invoke_agent": "magenta",
    "invoke_workflow": "magenta",
    "node": "blue",
    "chat": "cyan",
    "text_completion": "cyan",
    "execute_tool": "yellow",
    "retrieval": "yellow",
}
_OUTCOME_STYLES: Final[Mapping[str, str]] = {
    "ok": "green",
    "error": "bold red",
    "lost": "bold red",
    "running": "cyan",
}
_OTHER_OUTCOME_STYLE: Final = "yellow"
# What is left out first where the terminal is narrow.
_LEAST: Final = ("start", "chunks", "longest wait", "tokens in", "out", "first chunk")


class TraceTree:
    """Renders finished or running spans: one tree a trace, one line a span.

    Columns: the span's name, with what a tool was given; how long it took, time to first chunk,
    chunks, tokens in and out, tokens a second, stalls, cost; outcome, with why an answer was cut
    off. On a terminal long names are cut, so that no line is wrapped; in a pipe they are whole.

    Args:
        spans: The spans, in any order, of one or more traces.
        details: What to show beside: when each started, its waits, and what stands beneath it.
    """

    def __init__(self, spans: Iterable[SpanRecord], details: Details | None = None) -> None:
        self._traces = by_trace(spans)
        self._details = details

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        ascii_only = options.ascii_only
        for index, trace in enumerate(self._traces):
            if index:
                yield Text()
            yield Text(f"trace {trace[0].trace_id}", style="dim")
            lines = list(branches(trace, ASCII_LINES if ascii_only else LINES))
            if self._details is None:
                yield _table(lines, _numbers(ascii_only=ascii_only))
                continue
            columns = _with_room(
                lines,
                _detailed_numbers(trace, self._details, ascii_only=ascii_only),
                options.max_width,
            )
            rows = console.render_lines(_table(lines, columns), options, pad=False)
            for place, row in enumerate(rows):
                yield Segments([*row, Segment.line()])
                if place:
                    yield from self._beneath(lines, place - 1, ascii_only=ascii_only)

    def _beneath(
        self, lines: Sequence[tuple[str, SpanRecord]], place: int, *, ascii_only: bool
    ) -> Iterator[Text]:
        """Give what stands beneath the span at a *place*, each line behind its guide."""
        assert self._details is not None  # noqa: S101 - or nothing does
        guide, span = lines[place]
        following = lines[place + 1][0] if place + 1 < len(lines) else ""
        indent = continued(guide, has_children=len(following) > len(guide), ascii_only=ascii_only)
        began = lines[0][1].start_ns
        for text in self._details.lines(span, began, ascii_only=ascii_only):
            line = Text(indent, style="dim", no_wrap=True, overflow="ellipsis")
            yield line.append(text)


@dataclass(frozen=True, slots=True)
class _Number:
    """A column of numbers, and how a span gives its own; an empty text where it has none."""

    header: str
    of: Callable[[SpanRecord], str]


def _table(lines: Sequence[tuple[str, SpanRecord]], columns: Iterable[_Number]) -> Table:
    spans = [span for _, span in lines]
    numbers = [column for column in columns if any(map(column.of, spans))]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("span", min_width=12)
    for column in numbers:
        table.add_column(column.header, justify="right", no_wrap=True)
    table.add_column("outcome", no_wrap=True, overflow="ellipsis")
    for guide, span in lines:
        table.add_row(_name(guide, span), *(each.of(span) for each in numbers), _outcome(span))
    return table


def _with_room(
    lines: Sequence[tuple[str, SpanRecord]], columns: Iterable[_Number], room: int
) -> list[_Number]:
    """Return the columns that there is room for beside names and outcomes."""
    spans = [span for _, span in lines]
    names = (guide + visible(span.name) for guide, span in lines)
    outcomes = (_outcome(span).plain for span in spans)
    shown = [column for column in columns if any(map(column.of, spans))]
    widths = {
        "span": min(width_of("span", names), NAME_WIDTH),
        **{column.header: width_of(column.header, map(column.of, spans)) for column in shown},
        "outcome": width_of("outcome", outcomes),
    }
    out = left_out(widths, room, _LEAST)
    return [column for column in shown if column.header not in out]


def _numbers(*, ascii_only: bool) -> tuple[_Number, ...]:
    return (
        _Number("time", partial(_time, ascii_only=ascii_only)),
        _Number("first chunk", partial(_first_chunk, ascii_only=ascii_only)),
        _Number("chunks", partial(_count, "nodespan.stream.chunks")),
        _Number("tokens in", partial(_tokens, "gen_ai.usage.input_tokens")),
        _Number("out", partial(_tokens, "gen_ai.usage.output_tokens")),
        _Number("tokens/s", speed),
        _Number("stalls", stalls),
        _Number("cost", cost),
    )


def _detailed_numbers(
    trace: Sequence[SpanRecord], details: Details, *, ascii_only: bool
) -> tuple[_Number, ...]:
    began = min(span.start_ns for span in trace)
    mark = "..." if ascii_only else "…"

    def start(span: SpanRecord) -> str:
        """Return when it started, after the first."""
        after = span.start_ns - began
        return duration(after, ascii_only=ascii_only) if after else "0"

    def time(span: SpanRecord) -> str:
        """Return how long it took, or has taken so far."""
        if span.end_ns is not None:
            return _time(span, ascii_only=ascii_only)
        return duration(details.now - span.start_ns, ascii_only=ascii_only) + mark

    def wait(span: SpanRecord) -> str:
        """Return the longest wait of a stream, or how long an open call waits now."""
        seconds = details.wait(span)
        if seconds is None:
            return ""
        return duration(seconds * 1e9, ascii_only=ascii_only) + (mark if not span.end_ns else "")

    _, first_chunk, *counts = _numbers(ascii_only=ascii_only)
    waits = _Number("longest wait", wait)
    return _Number("start", start), _Number("time", time), first_chunk, waits, *counts


def _time(span: SpanRecord, *, ascii_only: bool) -> str:
    if span.end_ns is None:
        return ""
    return duration(span.end_ns - span.start_ns, ascii_only=ascii_only)


def _first_chunk(span: SpanRecord, *, ascii_only: bool) -> str:
    seconds = span.attributes.get("gen_ai.response.time_to_first_chunk")
    if not isinstance(seconds, (int, float)):
        return ""
    return duration(seconds * 1_000_000_000, ascii_only=ascii_only)


def _count(attribute: str, span: SpanRecord) -> str:
    count = span.attributes.get(attribute)
    return f"{count:,}" if isinstance(count, int) else ""


def _tokens(attribute: str, span: SpanRecord) -> str:
    count = _count(attribute, span)
    is_estimated = span.attributes.get("nodespan.usage.is_estimated") is True
    return f"~{count}" if count and is_estimated else count


def _name(guide: str, span: SpanRecord) -> Text:
    """The name behind its guide, cut rather than wrapped; a name is text from elsewhere."""
    operation, space, rest = visible(span.name).partition(" ")
    name = Text(no_wrap=True, overflow="ellipsis")
    name.append(guide, style="dim")
    name.append(operation, style=_OPERATION_STYLES.get(operation, ""))
    name.append(space + rest)
    what = given(span)
    return name.append(f" {what}", style="dim") if what else name


def _outcome(span: SpanRecord) -> Text:
    error_type = span.attributes.get("error.type")
    text = styled_outcome(_outcome_of(span), error_type if isinstance(error_type, str) else None)
    for note in notes(span):
        text.append(f", {note}", style=_OTHER_OUTCOME_STYLE)
    return text


def styled_outcome(outcome: str, error_type: str | None) -> Text:
    """Return how a run ended in its colour, with the type of its error."""
    outcome = visible(outcome)
    text = Text(outcome, style=_OUTCOME_STYLES.get(outcome, _OTHER_OUTCOME_STYLE))
    if error_type is not None and error_type != outcome:
        text.append(f" {visible(error_type.rpartition('.')[2])}", style="not bold")
    return text


def _outcome_of(span: SpanRecord) -> str:
    """How the run ended; telemetry says so when it did not simply end."""
    if span.end_ns is None:
        return "running"
    default = "error" if span.status == "error" else "ok"
    return str(span.attributes.get("nodespan.outcome", default))
