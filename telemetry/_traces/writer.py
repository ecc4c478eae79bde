"""Writes a run to its span: started, current in the run's body, and ended with all it says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, TypeAlias

from opentelemetry.trace import INVALID_SPAN, Status, StatusCode

from .._content.door import CaptureContent
from .._context.current import attach_body, context_beneath, context_of_root
from .._context.graphs import GRAPHS
from .._context.stack import started_graph
from .._context.starting import STARTING_RUN
from .._diagnostics import switch_off
from .._interrupts import INTERRUPTS
from .._semconv import names as semconv
from .._settings.variables import Signal, is_disabled
from .._stream.attributes import stream_attributes, stream_events
from .._stream.clock import FOR_EVER
from .._stream.counter import ChunkCounter
from .._stream.text import StreamText
from .._translation.exceptions import exception_attributes
from .._translation.kinds import RunKind
from .._translation.outcome import Outcome
from .._translation.spans import (
    DETAILS,
    PLANS,
    add_person,
    metadata_attributes,
    span_plan,
    tag_attributes,
)
from .lazy_events import add_events, add_mark
from .room import Room

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

    from .._content.door import Content, ContentDoor, Passed
    from .._context.current import Body
    from .._diagnostics import Diagnostics
    from .._runs.run import Run
    from .._stream.clock import Waits
    from .._translation.ending import Ending
    from .._translation.start import Plan
    from .._values.attributes import Attributes, AttributeValue

    Passages: TypeAlias = dict[str, Passed]

NO_PROVIDER: Final = (
    "OTEL_EXPORTER_OTLP_ENDPOINT is set, but no tracer provider, so no span is sent there: call "
    "nodespan.telemetry.configure() before the first run, or set a provider of OpenTelemetry's SDK"
)
GAVE_WAY: Final = "attributes gave way to the limit of a span"

_FAILURES: Final = (Outcome.ERROR, Outcome.LOST)


class SpanWriter:
    """Starts and ends the spans of runs.

    Args:
        tracer: makes the spans.
        door: lets content through, or not.
        edition: of the conventions.
        diagnostics: counts what could not be written.
        metadata_keys: of the metadata that spans carry.
        waits: how long the chunks of streams may be waited for.
        user_ids: whether spans carry the ids of sessions and users.
        tags: whether spans carry the tags of runs.
    """

    def __init__(  # noqa: PLR0913 - the last are settings
        self,
        tracer: Tracer,
        door: ContentDoor,
        edition: semconv.Edition,
        diagnostics: Diagnostics,
        *,
        metadata_keys: Collection[str] = (),
        waits: Waits = FOR_EVER,
        user_ids: bool = True,
        tags: bool = False,
    ) -> None:
        self._tracer = tracer
        self._door = door
        self._edition = edition
        self._diagnostics = diagnostics
        self._metadata_keys = metadata_keys
        self._waits = waits
        self._user_ids = user_ids
        self._tags = tags
        self._wants_content = door.capture is not CaptureContent.NO_CONTENT
        # So many attributes a span may have from its start: 0 until one has shown how many.
        self._plenty = 0

    @property
    def wants_content(self) -> bool:
        """Whether content may go anywhere."""
        return self._wants_content

    def open(self, run: Run, content: Content, context: Context, frame: int | None = None) -> None:
        """Start the span of a run, and make it current where the run has a body.

        Args:
            run: that starts.
            content: makes the content of what it is given.
            context: that is current where it starts.
            frame: identity of the frame that starts it, where that is known.
        """
        plan = PLANS[run.kind](run.start)
        above = run.parent
        while above is not None and above.span is None:
            above = above.parent
        if above is None or above.span is None:
            around = context_of_root(context)
        else:
            around = context_beneath(context, above.run_id, above.span)
        is_likely = above is None or above.is_recorded
        early = self._early(run, plan) if is_likely and self._plenty else None
        starting = STARTING_RUN.set(run)
        try:
            span = self._tracer.start_span(
                plan.name,
                around,
                plan.kind,
                {**plan.attributes} if early is None else early,
                start_time=run.started_at + run.epoch,
                record_exception=False,
                set_status_on_exception=False,
            )
        finally:
            STARTING_RUN.reset(starting)
        if not self._begin(run, span, plan, context, frame):
            if not span.get_span_context().is_valid:
                _say_what_is_missing()
        elif early is None or run.kind.is_graph or run.kind.is_model:
            self._describe(run, span, content, None if early is not None else plan)

    def _begin(self, run: Run, span: Span, plan: Plan, context: Context, frame: int | None) -> bool:
        """Make the span of a run that starts current in its body; return whether it is recorded."""
        body, chunks = run.body, None
        is_recording = span.is_recording()
        try:
            if run.kind.has_body:
                starter = frame if run.kind.is_leaf else None
                body = attach_body(
                    run.run_id, span, run.waiting, body, beneath=context, starter=starter
                )
            if run.kind.is_model:
                chunks = self._counter(run, body, is_recording=is_recording)
        finally:
            # Whatever has failed: a span that nobody knows of would never end.
            run.trace(span, plan.attributes, body, chunks, is_recorded=is_recording)
        return is_recording

    def _early(self, run: Run, plan: Plan) -> Attributes | None:
        """Return all that the span of a run has from its start, to be told in one.

        None where that has to be looked at with more care, when the span has started.
        """
        told = {**plan.attributes}
        try:
            self._add_details(told, run, plan)
        except INTERRUPTS:
            raise
        except BaseException:  # noqa: BLE001 - it is met again, and reported, when there is a span
            return None
        return told if len(told) <= self._plenty else None

    def _describe(self, run: Run, span: Span, content: Content, plan: Plan | None) -> None:
        """Write to the span of a run that has started, and is recorded, what it lacks.

        Args:
            run: that has started.
            span: of the run.
            content: makes the content of what it is given.
            plan: of the span; None where all that it has from its start is told already.
        """
        if plan is not None:
            told: Attributes = {}
            self._add_details(told, run, plan)
            self._describe_with_care(run, span, content, told)
        if run.kind.is_graph and run.is_in_journal:
            Room(span).write(_shape())
        if run.chunks is not None:
            add_mark(span, semconv.EVENT_MODEL_START, run.started_at + run.epoch)

    def _add_details(self, told: Attributes, run: Run, plan: Plan) -> None:
        """Add the attributes that a span has from its start beside those of its plan."""
        start = run.start
        DETAILS[run.kind](told, start, plan, self._edition)
        if run.attempt is not None:
            is_node = run.kind is RunKind.NODE
            told[semconv.LANGGRAPH_ATTEMPT if is_node else semconv.LANGCHAIN_ATTEMPT] = run.attempt
        if self._user_ids:
            add_person(told, start)
        if self._tags:
            told |= tag_attributes(start)
        if self._metadata_keys:
            told |= metadata_attributes(start, self._metadata_keys)

    def _describe_with_care(self, run: Run, span: Span, content: Content, told: Attributes) -> None:
        """Write what passes of content, and all else as far as there is room for it."""
        room = Room(span)
        if self._wants_content:
            passages = self._content(content, room)
            told |= _content_attributes(passages, semconv.INPUT_DROPPED)
        else:
            self._plenty = room.plenty
        early, late = room.early(told)
        if late:
            run.hold(late)
        self._write(room, early)

    def rename(self, run: Run) -> Mapping[str, AttributeValue]:
        """Write on the span of a run that is open what the run has turned out to be.

        Returns:
            The attributes of its span that a sampler would have decided on.
        """
        plan = span_plan(run.kind, run.start)
        span = run.span or INVALID_SPAN
        if span.is_recording():
            span.update_name(plan.name)
            span.set_attributes(plan.attributes)
        return plan.attributes

    def close(self, run: Run, ending: Ending, *, records_exception: bool) -> None:
        """End the span of a run.

        Args:
            run: that has ended.
            ending: how.
            records_exception: whether the exception arose here, and in no run beneath.
        """
        span = run.span
        if span is None:
            return
        try:
            if span.is_recording():
                # That of a step which simply ended says nothing.
                says_anything = (
                    ending.attributes is not None
                    or ending.outcome is not None
                    or run.chunks is not None
                    or run.totals is not None
                    or run.held
                )
                if says_anything or self._wants_content:
                    self._write_result(run, span, ending)
                if run.kind.is_model or ending.outcome is not None:
                    self._write_outcome(run, span, ending, records_exception=records_exception)
        finally:
            span.end(end_time=ending.at + run.epoch)

    def _write_result(self, run: Run, span: Span, ending: Ending) -> None:
        room = None if self._plenty and not run.held else Room(span)
        attributes = self._result(run, span, ending, room)
        if ending.outcome is not None:
            attributes = _outcome_attributes(ending) | attributes
        if room is None and self._has_plenty(span, attributes):
            if attributes:
                span.set_attributes(attributes)
        else:
            self._write(room or Room(span), {**attributes, **run.held})

    def _has_plenty(self, span: Span, attributes: Attributes) -> bool:
        known = getattr(span, "attributes", None) or ()
        return len(known) + len(attributes) <= self._plenty

    def _write(self, room: Room, attributes: Attributes) -> None:
        if room.write(attributes):
            self._diagnostics.report(GAVE_WAY)

    def _result(self, run: Run, span: Span, ending: Ending, room: Room | None) -> Attributes:
        """Return the attributes of a run's result; the events of its stream are added."""
        attributes: Attributes = {}
        if ending.attributes is not None:
            try:
                attributes = {**ending.result_attributes(run.start)}
            except INTERRUPTS:
                raise
            except BaseException as error:  # noqa: BLE001 - the span ends without it
                self._diagnostics.report("result could not be read", error)
        content = (
            self._content(ending.content, room) if room is not None and self._wants_content else {}
        )
        if run.chunks is not None and run.chunks.has_anything:
            clock = run.chunks.clock
            attributes |= stream_attributes(clock, attributes, ending.said)
            events = stream_events(clock, self._passed(run.chunks.text, content))
            add_events(span, events, run.epoch)
        if run.totals is not None:
            attributes |= run.totals.attributes()
        if content:
            attributes |= _content_attributes(content, semconv.OUTPUT_DROPPED)
        return attributes

    def _counter(self, run: Run, body: Body | None, *, is_recording: bool) -> ChunkCounter:
        # With the first chunk its consumer's code executes, unless that gets the whole at once.
        # The counter knows the body and not the run, which knows the counter.
        on_begin = _go_on if body is None or run.is_whole else body.end
        text = None
        if self._wants_content and is_recording:
            text = StreamText(self._door.max_characters, self._door.so_far)
        return ChunkCounter(run.started_at, on_begin, self._waits, text)

    def _passed(self, text: StreamText | None, content: Passages) -> StreamText | None:
        """Return the text of a stream, where all of it may pass as it is.

        In pieces nobody would know a credential, or what the user's redaction looks for: it has
        seen the whole answer, and must have left it as it was.
        """
        if text is None or not self._door.capture.on_spans:
            return None
        if self._door.redact is not None:
            answer = content.get(semconv.OUTPUT_MESSAGES)
            if answer is None or answer.is_changed:
                return None
        return text if self._door.passes_whole(text.whole) else None

    def _content(self, content: Content, room: Room) -> Passages:
        return dict(self._door.all_on_span(content, room.characters))

    def _write_outcome(
        self, run: Run, span: Span, ending: Ending, *, records_exception: bool
    ) -> None:
        outcome = ending.outcome
        at = ending.at + run.epoch
        if outcome is None:
            add_mark(span, semconv.EVENT_MODEL_END, at)
            return
        if ending.error is not None and records_exception:
            attributes = exception_attributes(ending.error, self._door)
            span.add_event(semconv.EXCEPTION_EVENT, attributes, at)
        if outcome in _FAILURES:
            span.set_status(Status(StatusCode.ERROR, ending.error_type or outcome.value))


def _go_on() -> None:
    """Do nothing: what executes is the same code as before."""


def _say_what_is_missing() -> None:
    """Say once that spans go nowhere, where the variables say that they are to be sent."""
    is_wanted = any(os.environ.get(name) for name in Signal.TRACES.otlp_variables("ENDPOINT"))
    if is_wanted and not is_disabled(os.environ):
        switch_off(NO_PROVIDER)


def _shape() -> Attributes:
    """Return which graph it is that LangGraph starts; nothing where the stack does not show it."""
    graph = started_graph()
    identity = GRAPHS.identify(graph) if graph is not None else None
    return {semconv.LANGGRAPH_GRAPH_ID: identity} if identity is not None else {}


def _outcome_attributes(ending: Ending) -> Attributes:
    outcome = ending.outcome
    if outcome is None:
        return {}
    told: Attributes = {semconv.OUTCOME: outcome.value}
    return told | (
        {semconv.ERROR_TYPE: ending.error_type or outcome.value} if outcome in _FAILURES else {}
    )


def _content_attributes(content: Passages, dropped_name: str) -> Attributes:
    attributes: Attributes = {}
    for name, passed in content.items():
        attributes[name] = passed.text
        if name in semconv.MIME_TYPES:
            attributes[semconv.MIME_TYPES[name]] = passed.mime_type
    if dropped := sum(passed.dropped for passed in content.values()):
        attributes[dropped_name] = dropped
    return attributes
