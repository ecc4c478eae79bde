"""A trace as a tree with aligned columns, for a terminal or a pipe."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from .duration import duration
from .plain_text import plain
from .span_tree import ASCII_LINES, LINES, Guides, branches, by_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

    from ....telemetry import SpanRecord

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


class TraceTree:
    """Renders finished or running spans: one tree a trace, one line a span.

    Columns: the span's name, how long it took, time to first chunk, chunks, tokens in and out,
    outcome. On a terminal long names are cut, so that no line is wrapped; in a pipe they are whole.

    Args:
        spans: The spans, in any order, of one or more traces.
    """

    def __init__(self, spans: Iterable[SpanRecord]) -> None:
        self._traces = by_trace(spans)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for index, trace in enumerate(self._traces):
            if index:
                yield Text()
            yield Text(f"trace {trace[0].trace_id}", style="dim")
            yield _table(trace, ascii_only=options.ascii_only)


@dataclass(frozen=True, slots=True)
class _Number:
    """A column of numbers, and how a span gives its own; an empty text where it has none."""

    header: str
    of: Callable[[SpanRecord], str]


def _table(trace: Sequence[SpanRecord], *, ascii_only: bool) -> Table:
    numbers = [column for column in _numbers(ascii_only=ascii_only) if any(map(column.of, trace))]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("span", min_width=12)
    for column in numbers:
        table.add_column(column.header, justify="right", no_wrap=True)
    table.add_column("outcome", no_wrap=True, overflow="ellipsis")
    for guide, span in branches(trace, _guides(ascii_only=ascii_only)):
        table.add_row(_name(guide, span), *(each.of(span) for each in numbers), _outcome(span))
    return table


def _guides(*, ascii_only: bool) -> Guides:
    return ASCII_LINES if ascii_only else LINES


def _numbers(*, ascii_only: bool) -> tuple[_Number, ...]:
    return (
        _Number("time", partial(_time, ascii_only=ascii_only)),
        _Number("first chunk", partial(_first_chunk, ascii_only=ascii_only)),
        _Number("chunks", partial(_count, "nodespan.stream.chunks")),
        _Number("tokens in", partial(_tokens, "gen_ai.usage.input_tokens")),
        _Number("out", partial(_tokens, "gen_ai.usage.output_tokens")),
    )


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
    operation, space, rest = plain(span.name).partition(" ")
    name = Text(no_wrap=True, overflow="ellipsis")
    name.append(guide, style="dim")
    name.append(operation, style=_OPERATION_STYLES.get(operation, ""))
    return name.append(space + rest)


def _outcome(span: SpanRecord) -> Text:
    error_type = span.attributes.get("error.type")
    return styled_outcome(_outcome_of(span), error_type if isinstance(error_type, str) else None)


def styled_outcome(outcome: str, error_type: str | None) -> Text:
    """Return how a run ended in its colour, with the type of its error."""
    outcome = plain(outcome)
    text = Text(outcome, style=_OUTCOME_STYLES.get(outcome, _OTHER_OUTCOME_STYLE))
    if error_type is not None:
        text.append(f" {plain(error_type.rpartition('.')[2])}", style="not bold")
    return text


def _outcome_of(span: SpanRecord) -> str:
    """How the run ended; telemetry says so when it did not simply end."""
    if span.end_ns is None:
        return "running"
    default = "error" if span.status == "error" else "ok"
    return str(span.attributes.get("nodespan.outcome", default))
