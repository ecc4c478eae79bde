"""The SDK alone as a contestant: it makes the spans that nodespan makes of the same work.

Names, kinds, attributes and events are those of a recording; nothing is decided, and nothing
counted. What it takes beyond the bare work is the least that such spans cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final

from langgraph.callbacks import GraphCallbackHandler
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from nodespan.telemetry import OpenTelemetryCallbackHandler

from .contestants import dropping_provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from uuid import UUID

    from langchain_core.runnables import RunnableConfig
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Event, ReadableSpan

SDK: Final = "the SDK alone"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A span as it is made again.

    Attributes:
        name: of the span.
        kind: of the span.
        at_start: its attributes when it started.
        later: those that it got afterwards.
        events: of the span.
    """

    name: str
    kind: trace.SpanKind
    at_start: Mapping[str, Any]
    later: Mapping[str, Any]
    events: tuple[Event, ...]


class _Recorder(SpanProcessor):
    """Keeps spans in the order of their starts, with what they had by then."""

    def __init__(self) -> None:
        self.started: list[tuple[ReadableSpan, dict[str, Any]]] = []

    def handler(self) -> OpenTelemetryCallbackHandler:
        """Return a handler whose spans are kept here."""
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(self)
        return OpenTelemetryCallbackHandler(tracer_provider=provider)

    def on_start(self, span: Any, parent_context: Context | None = None) -> None:
        """Keep a span."""
        del parent_context
        self.started.append((span, dict(span.attributes)))

    def recorded(self, place: int) -> Recorded:
        """Return the span that was started at a place, which has ended by now."""
        span, at_start = self.started[place]
        later = {k: v for k, v in (span.attributes or {}).items() if at_start.get(k) != v}
        return Recorded(span.name, span.kind, at_start, later, tuple(span.events))


class _Told(GraphCallbackHandler):
    """Is told of the starts and ends of runs."""

    run_inline = True

    def on_chain_start(
        self, *_: Any, run_id: UUID, parent_run_id: UUID | None = None, **__: Any
    ) -> None:
        """Start a run."""
        self.start(run_id, parent_run_id)

    def on_chat_model_start(
        self, *_: Any, run_id: UUID, parent_run_id: UUID | None = None, **__: Any
    ) -> None:
        """Start a run."""
        self.start(run_id, parent_run_id)

    def on_chain_end(self, *_: Any, run_id: UUID, **__: Any) -> None:
        """End a run."""
        self.end(run_id)

    def on_llm_end(self, *_: Any, run_id: UUID, **__: Any) -> None:
        """End a run."""
        self.end(run_id)

    def start(self, run_id: UUID, parent_run_id: UUID | None) -> None:
        """Start the run of any kind."""

    def end(self, run_id: UUID) -> None:
        """End the run of any kind."""


class _Places(_Told):
    """Is told after nodespan's handler, and keeps which starts of runs were those of spans."""

    def __init__(self, recorder: _Recorder) -> None:
        self._recorder = recorder
        self._before = 0
        self.places: list[int | None] = []

    def start(self, run_id: UUID, parent_run_id: UUID | None) -> None:
        """Keep the place of the span that has started last, if one has."""
        del run_id, parent_run_id
        count = len(self._recorder.started)
        self.places.append(count - 1 if count > self._before else None)
        self._before = count


class _SdkAlone(_Told):
    """Makes one recorded span after another, each when its run starts.

    Args:
        script: the spans in the order of their starts; None for a run that has none.
        tracer: makes them.
    """

    def __init__(self, script: list[Recorded | None], tracer: trace.Tracer) -> None:
        self._script: Iterator[Recorded | None] = cycle(script)
        self._tracer = tracer
        self._open: dict[UUID, tuple[trace.Span, Recorded]] = {}

    def start(self, run_id: UUID, parent_run_id: UUID | None) -> None:
        """Start a span under that of its parent."""
        recorded = next(self._script)
        if recorded is None:
            return
        above = self._open.get(parent_run_id) if parent_run_id is not None else None
        context = trace.set_span_in_context(above[0]) if above is not None else None
        span = self._tracer.start_span(
            recorded.name, context, recorded.kind, attributes=recorded.at_start
        )
        self._open[run_id] = span, recorded

    def end(self, run_id: UUID) -> None:
        """End a span, with all that was recorded of it."""
        opened = self._open.pop(run_id, None)
        if opened is None:
            return
        span, recorded = opened
        for event in recorded.events:
            span.add_event(event.name, event.attributes, event.timestamp)
        span.set_attributes(recorded.later)
        span.end()


def sdk_alone(work: Callable[[RunnableConfig], None]) -> RunnableConfig:
    """Return the config with which the SDK alone makes the spans of some work.

    Args:
        work: that is done once, with nodespan, and recorded.
    """
    recorder = _Recorder()
    places = _Places(recorder)
    work({"callbacks": [recorder.handler(), places]})
    script = [None if at is None else recorder.recorded(at) for at in places.places]
    return {"callbacks": [_SdkAlone(script, dropping_provider().get_tracer("sdk"))]}


def spans_of(work: Callable[[RunnableConfig], None]) -> list[ReadableSpan]:
    """Return the spans that nodespan makes of some work."""
    recorder = _Recorder()
    work({"callbacks": [recorder.handler()]})
    return [span for span, _ in recorder.started]
