"""Public helpers for people's own tests: the spans of a call as a tree of plain lines."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import TracerProvider

from ._handler.callbacks import OpenTelemetryCallbackHandler
from ._semconv import names as semconv
from ._settings.keywords import takes
from ._settings.record import CaptureSettings, HandlerSettings
from ._traces.collector import SpanCollector
from ._traces.records import SpanRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["CapturedSpans", "capture_spans", "span_tree"]

_INDENT = "  "


@dataclass(frozen=True, slots=True)
class CapturedSpans:
    """The spans of the runs that a handler has seen.

    Attributes:
        handler: to be passed in a call's config, `{"callbacks": [captured.handler]}`.
        tracer_provider: makes the spans; the application's own belong here too.
        collector: keeps the spans that have ended.
    """

    handler: OpenTelemetryCallbackHandler
    tracer_provider: TracerProvider
    collector: SpanCollector

    @property
    def tree(self) -> list[str]:
        """The spans as `span_tree` shows them."""
        return span_tree(self.collector)

    @property
    def spans(self) -> list[SpanRecord]:
        """The spans as plain data, in the order in which they ended."""
        return self.collector.records()

    def span(self, name: str) -> SpanRecord:
        """Return the only span of that *name*.

        Raises:
            LookupError: there is none, or more than one.
        """
        found = [span for span in self.spans if span.name == name]
        if len(found) != 1:
            raise LookupError(f"{len(found)} spans are named {name!r}; there are {self.tree}")
        return found[0]


@contextmanager
@takes(CaptureSettings)
def capture_spans(settings: CaptureSettings) -> Iterator[CapturedSpans]:
    """Capture spans with a tracer provider of their own, apart from the process's.

    Args:
        settings: each by its keyword.

    Raises:
        ConfigurationError: an argument cannot work, or a variable has an unknown value.

    Example:
        >>> with capture_spans() as captured:
        ...     graph.invoke(state, {"callbacks": [captured.handler]})
        >>> captured.tree
        ['invoke_workflow LangGraph', '  node ask', '    chat tiny']
    """
    collector = SpanCollector()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(collector)
    own = HandlerSettings.of(
        settings,
        tracer_provider=provider,
        meter_provider=settings.meter_provider,
        logger_provider=settings.logger_provider,
    )
    handler = OpenTelemetryCallbackHandler.of(own.checked(os.environ))
    try:
        yield CapturedSpans(handler, provider, collector)
    finally:
        provider.shutdown()


def span_tree(
    spans: SpanCollector | Iterable[ReadableSpan | SpanRecord],
    *attributes: str,
    in_order: bool = True,
) -> list[str]:
    """Return a line for each span, indented by two spaces beneath its parent's.

    A line has the span's name and, in brackets, what is worth showing: how the run ended where
    it did not simply end, with the `error.type` of a failure, and the *attributes* asked for.
    There are no ids and no times in it. A span whose parent is not among the *spans* is a root.

    Args:
        spans: a collector, or spans of the SDK or of `SpanCollector.records`.
        attributes: names of span attributes, such as `langgraph.attempt`, to show as
            `name=value` where a span has them.
        in_order: whether spans of one parent stand in the order in which they started;
            otherwise in that of their lines, for what runs at the same time.
    """
    found = spans.records() if isinstance(spans, SpanCollector) else _records(spans)
    known = {span.span_id for span in found}
    beneath: dict[str | None, list[SpanRecord]] = {}
    for span in sorted(found, key=lambda span: span.start_ns):
        above = span.parent_id if span.parent_id in known else None
        beneath.setdefault(above, []).append(span)
    blocks = _blocks(None, beneath, attributes, in_order=in_order)
    return [line for block in blocks for line in block]


def _records(spans: Iterable[ReadableSpan | SpanRecord]) -> list[SpanRecord]:
    return [span if isinstance(span, SpanRecord) else SpanRecord.from_span(span) for span in spans]


def _blocks(
    above: str | None,
    beneath: dict[str | None, list[SpanRecord]],
    attributes: Sequence[str],
    *,
    in_order: bool,
) -> list[list[str]]:
    blocks = []
    for span in beneath.get(above, ()):
        inner = _blocks(span.span_id, beneath, attributes, in_order=in_order)
        lines = [_INDENT + line for block in inner for line in block]
        blocks.append([_line(span, attributes), *lines])
    return blocks if in_order else sorted(blocks)


def _line(span: SpanRecord, attributes: Sequence[str]) -> str:
    details = [_outcome(span), *(_shown(span, name) for name in attributes)]
    brackets = ", ".join(text for text in details if text)
    return f"{span.name} [{brackets}]" if brackets else span.name


def _outcome(span: SpanRecord) -> str:
    error = span.attributes.get(semconv.ERROR_TYPE)
    outcome = span.attributes.get(semconv.OUTCOME) or ("error" if span.status == "error" else "")
    return f"{outcome}: {error}" if error is not None else str(outcome)


def _shown(span: SpanRecord, name: str) -> str:
    value = span.attributes.get(name)
    return "" if value is None else f"{name}={value}"
