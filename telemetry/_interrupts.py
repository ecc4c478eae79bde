"""Interrupted runs, until they are resumed."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Final

from . import _semconv as semconv
from ._attributes import attribute_value
from ._outcome import Outcome

if TYPE_CHECKING:
    from langgraph.callbacks import GraphInterruptEvent, GraphResumeEvent
    from opentelemetry.trace import SpanContext

    from ._attributes import AttributeValue
    from ._content import ContentDoor
    from ._runs import Run

_MAX_REMEMBERED: Final = 1_024


class Interrupts:
    """Marks interrupted runs, and links each resumed run to the one that it resumes.

    LangGraph tells both with the same checkpoint id. Of interrupted runs the last 1,024 are
    remembered.

    Args:
        door: lets the interrupts' values through, or not.
    """

    def __init__(self, door: ContentDoor) -> None:
        self._door = door
        self._interrupted: OrderedDict[str, SpanContext] = OrderedDict()
        self._lock = Lock()

    def interrupt(self, run: Run, event: GraphInterruptEvent) -> None:
        """Record that a run waits for a person."""
        run.outcome = Outcome.INTERRUPTED
        if run.span is None:
            return
        self._remember(event.checkpoint_id, run.span.get_span_context())
        if run.span.is_recording():
            run.span.add_event(semconv.EVENT_INTERRUPT, self._attributes(event))

    def resume(self, run: Run, event: GraphResumeEvent) -> None:
        """Record that a run goes on where another was interrupted."""
        if run.span is None:
            return
        attributes = {semconv.LANGGRAPH_CHECKPOINT_ID: event.checkpoint_id}
        run.span.add_event(semconv.EVENT_RESUME, attributes)
        with self._lock:
            interrupted = self._interrupted.pop(event.checkpoint_id, None)
        if interrupted is not None:
            run.span.add_link(interrupted, attributes)

    def _remember(self, checkpoint_id: str, interrupted: SpanContext) -> None:
        with self._lock:
            self._interrupted[checkpoint_id] = interrupted
            while len(self._interrupted) > _MAX_REMEMBERED:
                self._interrupted.popitem(last=False)

    def _attributes(self, event: GraphInterruptEvent) -> dict[str, AttributeValue]:
        name = semconv.LANGGRAPH_INTERRUPT_VALUES
        values = self._door.on_span(name, lambda: [item.value for item in event.interrupts])
        identity: dict[str, AttributeValue] = {
            semconv.LANGGRAPH_CHECKPOINT_ID: event.checkpoint_id,
            semconv.LANGGRAPH_INTERRUPT_IDS: tuple(
                str(attribute_value(item.id)) for item in event.interrupts
            ),
        }
        return identity | ({name: values.text} if values is not None else {})
