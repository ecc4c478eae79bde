"""The spans of a trace in the order of their tree, each with the guide that draws its place."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .._traces.records import SpanRecord


@dataclass(frozen=True, slots=True)
class Guides:
    """The strokes of a tree, all of one width."""

    child: str
    last_child: str
    passing: str
    blank: str


LINES: Final = Guides(child="├─ ", last_child="└─ ", passing="│  ", blank="   ")
ASCII_LINES: Final = Guides(child="|- ", last_child="`- ", passing="|  ", blank="   ")


def by_trace(spans: Iterable[SpanRecord]) -> list[list[SpanRecord]]:
    """Part *spans* by trace; traces, and the spans of each, are in the order of their starts."""
    parted: dict[str, list[SpanRecord]] = defaultdict(list)
    for span in sorted(spans, key=lambda each: each.start_ns):
        parted[span.trace_id].append(span)
    return list(parted.values())


def branches(
    trace: Sequence[SpanRecord], guides: Guides = LINES
) -> Iterator[tuple[str, SpanRecord]]:
    """Yield the spans of one *trace*, parents before children, each after its guide.

    A span whose parent is not there is a root: its parent is elsewhere, or not kept. Of spans
    that are one another's parents, as only a damaged trace has them, the first is the root.
    """
    children: dict[str | None, list[SpanRecord]] = defaultdict(list)
    for span in trace:
        children[span.parent_id].append(span)
    there = {span.span_id for span in trace}
    roots = [span for span in trace if span.parent_id not in there]
    seen: set[str] = set()
    for root in (*roots, *trace):
        yield from _walk(root, children, guides, seen)


def continued(guide: str, *, has_children: bool, ascii_only: bool) -> str:
    """Return the guide of a line beneath the span that has a *guide*, and is no child of it."""
    guides = ASCII_LINES if ascii_only else LINES
    width = len(guides.child)
    above = guide.removesuffix(guides.child).removesuffix(guides.last_child)
    if len(above) < len(guide):
        above += guides.passing if guide.endswith(guides.child) else guides.blank
    return above + (guides.passing if has_children else guides.blank) + " " * (width - 1)


def _walk(
    root: SpanRecord,
    children: Mapping[str | None, Sequence[SpanRecord]],
    guides: Guides,
    seen: set[str],
) -> Iterator[tuple[str, SpanRecord]]:
    """Yield *root* and what hangs on it; by a stack, since agents nest deeper than Python."""
    stack = [(root, "", "")]
    while stack:
        span, guide, indent = stack.pop()
        if span.span_id in seen:
            continue
        seen.add(span.span_id)
        yield guide, span
        stroke, below = guides.last_child, guides.blank
        for child in reversed(children.get(span.span_id, ())):
            stack.append((child, indent + stroke, indent + below))
            stroke, below = guides.child, guides.passing
