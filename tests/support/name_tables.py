"""The tables of names that telemetry's README shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodespan.telemetry._semconv import metrics as instruments
from nodespan.telemetry._semconv.metrics import Gauge, Histogram, UpDownCounter
from nodespan.telemetry._semconv.names import NEWEST, RELEASED

from . import own_names as own

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nodespan.telemetry._semconv.metrics import Counter
    from nodespan.telemetry._semconv.names import Edition


def attribute_table() -> str:
    """Return the attributes as a table in Markdown."""
    rows = ((f"`{one.name}`", one.type, _places(one.on), one.meaning) for one in own.OWN_ATTRIBUTES)
    return table(("attribute", "type", "on", "meaning"), rows)


def event_table() -> str:
    """Return the events as a table in Markdown."""
    rows = ((f"`{one.name}`", _places(one.on), one.meaning) for one in own.OWN_EVENTS)
    return table(("event", "on", "meaning"), rows)


def metric_table() -> str:
    """Return the metrics of both editions as a table in Markdown."""
    released, newest = list(_metrics(RELEASED)), list(_metrics(NEWEST))
    rows = (
        (
            f"`{one.name}`",
            _instrument(one),
            f"`{one.unit}`",
            _edition(in_released=one in released, in_newest=one in newest),
            one.description,
        )
        for one in dict.fromkeys([*released, *newest])
    )
    return table(("metric", "instrument", "unit", "edition", "meaning"), rows)


def _metrics(edition: Edition) -> Iterator[Histogram | Counter]:
    yield from dict.fromkeys(instruments.histograms_of(edition).values())
    yield from instruments.counters_of(edition)
    yield from (instruments.OPEN_RUNS, instruments.OLDEST_RUN_AGE)
    yield from (instruments.STALLED_STREAMS, instruments.CHUNKS)
    yield from (instruments.UNSENT_SPANS, instruments.DROPPED_SPANS, instruments.BACKLOG_AGE)


def _edition(*, in_released: bool, in_newest: bool) -> str:
    if in_released and in_newest:
        return "both"
    return "1.41" if in_released else "newest"


def _instrument(metric: Histogram | Counter) -> str:
    if isinstance(metric, Histogram):
        return "histogram"
    if isinstance(metric, Gauge):
        return "gauge"
    return "up-down counter" if isinstance(metric, UpDownCounter) else "counter"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _places(on: tuple[str, ...]) -> str:
    """Return the places in words: every span where it is every kind's."""
    is_everywhere = set(own.EVERY_SPAN) <= set(on)
    told = ["every span"] if is_everywhere else []
    told += [place for place in on if not (is_everywhere and place in own.EVERY_SPAN)]
    return ", ".join(told)
