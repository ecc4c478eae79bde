"""Interrupted runs, until they are resumed."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from .._semconv import names as semconv
from .._upstream.opentelemetry import event_text_limit
from .._values.attributes import attribute_value

if TYPE_CHECKING:
    from langgraph.callbacks import GraphInterruptEvent, GraphResumeEvent
    from opentelemetry.trace import SpanContext

    from .._content.door import ContentDoor
    from .._values.attributes import AttributeValue
    from .run import Run

_MAX_REMEMBERED: Final = 1_024


class InterruptedRuns:
    """Where runs were interrupted, by checkpoint id; of those in this process, the last 1,024."""

    def __init__(self) -> None:
        # No lock: one that another thread holds when this process is forked is never free again.
        self._spans: OrderedDict[str, SpanContext] = OrderedDict()

    def remember(self, checkpoint_id: str, span: SpanContext) -> None:
        """Remember the span of a run that was interrupted at a checkpoint."""
        self._spans.pop(checkpoint_id, None)
        self._spans[checkpoint_id] = span
        if len(self._spans) > _MAX_REMEMBERED:
            self._spans.popitem(last=False)

    def find(self, checkpoint_id: str) -> SpanContext | None:
        """Return the span of the run that was last interrupted at a checkpoint.

        A resumption may fail and be tried again: the checkpoint stays what it was.
        """
        return self._spans.get(checkpoint_id)


class Interrupts:
    """Marks interrupted runs, and links each resumed run to the one that it resumes.

    LangGraph reports both with the same checkpoint id.

    Args:
        interrupted: the runs that may be resumed.
        door: lets the interrupts' values through, or not.
    """

    def __init__(self, interrupted: InterruptedRuns, door: ContentDoor) -> None:
        self._interrupted = interrupted
        self._door = door

    def interrupt(self, run: Run, event: GraphInterruptEvent) -> None:
        """Record that a run waits for a person."""
        run.interrupt()
        if run.span is None or not run.take_graph_event(event):
            return
        self._interrupted.remember(event.checkpoint_id, run.span.get_span_context())
        if run.span.is_recording():
            limit = event_text_limit(run.span)
            run.span.add_event(semconv.EVENT_INTERRUPT, self._attributes(event, limit))

    def resume(self, run: Run, event: GraphResumeEvent) -> None:
        """Record that a run goes on where another was interrupted."""
        if run.span is None or not run.take_graph_event(event):
            return
        attributes = {semconv.LANGGRAPH_CHECKPOINT_ID: event.checkpoint_id}
        run.span.add_event(semconv.EVENT_RESUME, attributes)
        interrupted = self._interrupted.find(event.checkpoint_id)
        if interrupted is not None:
            run.span.add_link(interrupted, attributes)

    def _attributes(
        self, event: GraphInterruptEvent, limit: int | None
    ) -> dict[str, AttributeValue]:
        name = semconv.LANGGRAPH_INTERRUPT_VALUES
        values = self._door.on_span(name, lambda: [item.value for item in event.interrupts], limit)
        # A task of the functional API and the entrypoint around it report the same interrupt.
        ids = dict.fromkeys(str(attribute_value(item.id)) for item in event.interrupts)
        identity: dict[str, AttributeValue] = {
            semconv.LANGGRAPH_CHECKPOINT_ID: event.checkpoint_id,
            semconv.LANGGRAPH_INTERRUPT_IDS: tuple(ids),
        }
        return identity | ({name: values.text} if values is not None else {})
