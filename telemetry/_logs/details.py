"""The conventions' event of a model call, with its content where that is asked for on events.

Source: `gen_ai.client.inference.operation.details`,
https://github.com/open-telemetry/semantic-conventions-genai.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import set_span_in_context

from .._context.current import current
from .._semconv import names as semconv
from .events import is_sampled

if TYPE_CHECKING:
    from opentelemetry._logs import Logger
    from opentelemetry.util.types import AnyValue

    from .._content.door import Content, ContentDoor
    from .._runs.run import Run
    from .._translation.ending import Ending

    RecordAttributes: TypeAlias = dict[str, AnyValue]


class InferenceEvents:
    """Emits a record of each model call when it ends: its span's attributes, and its content.

    The content is plain data here, and not JSON in text as on spans. It follows the sampling of
    the trace.

    Args:
        logger: of OpenTelemetry.
        door: lets content through, or not.
    """

    reads_totals = False

    def __init__(self, logger: Logger, door: ContentDoor) -> None:
        self._logger = logger
        self._door = door
        self._inputs: dict[int, RecordAttributes] = {}

    def opened(self, run: Run, content: Content) -> None:
        """Keep what a model is given until it ends: the application may change it meanwhile."""
        if run.span is not None and run.kind.is_model and is_sampled(run.span):
            self._inputs[run.run_id] = self._passed(content, semconv.INPUT_DROPPED)

    def closed(self, run: Run, ending: Ending) -> None:
        """Emit the record of a model call that has ended."""
        inputs = self._inputs.pop(run.run_id, None)
        if inputs is None or run.span is None:
            return
        answer = self._passed(ending.content, semconv.OUTPUT_DROPPED)
        self._logger.emit(
            timestamp=run.time(ending.at),
            context=set_span_in_context(run.span, current()),
            severity_number=SeverityNumber.DEBUG,
            severity_text=SeverityNumber.DEBUG.name,
            attributes={**_span_attributes(run, ending), **inputs, **answer},
            event_name=semconv.EVENT_INFERENCE_DETAILS,
        )

    def forget(self) -> None:
        """Forget every call: this is a forked child, and they are its parent's."""
        self._inputs.clear()

    def _passed(self, content: Content, dropped_name: str) -> RecordAttributes:
        passed = dict(self._door.all_on_event(content))
        dropped = sum(one.dropped for one in passed.values())
        values: RecordAttributes = {
            name: one.value for name, one in passed.items() if one.value is not None
        }
        return values | ({dropped_name: dropped} if dropped else {})


def _span_attributes(run: Run, ending: Ending) -> RecordAttributes:
    """Return the attributes of a run's span, or those that it would have without a tracer."""
    recorded = getattr(run.span, "attributes", None)
    return (
        dict(recorded)
        if recorded is not None
        else {**run.attributes, **ending.result_attributes(run.start)}
    )
