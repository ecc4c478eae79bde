"""What somebody thinks of an answer: the conventions' event, and a span that shows it.

Source: the event `gen_ai.evaluation.result` of the GenAI conventions,
https://github.com/open-telemetry/semantic-conventions-genai
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import NonRecordingSpan, Status, StatusCode, set_span_in_context

from .._context.current import current
from .._semconv import names as semconv
from .._values.attributes import attribute_text
from .._version import VERSION

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.trace import SpanContext, Tracer
    from opentelemetry.util.types import AnyValue

    from .._content.door import ContentDoor
    from .._values.attributes import Attributes

_SPAN_NAME: Final = "evaluation"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A judgement of an answer.

    Attributes:
        name: of the metric that was looked at.
        score: as a number.
        label: what the score means.
        explanation: of the score; content.
        response_id: of the answer, as its provider names it.
        error_type: why it could not be judged.
    """

    name: str
    score: float | None = None
    label: str | None = None
    explanation: str | None = None
    response_id: str | None = None
    error_type: str | None = None

    def __post_init__(self) -> None:
        for field in ("name", "label", "explanation", "response_id", "error_type"):
            value = getattr(self, field)
            if value is not None and not isinstance(value, str):
                raise ValueError(f"{field} is {value!r}; use a text")
        if not self.name.strip():
            raise ValueError("the evaluation has no name; say what was looked at")
        if self.score is not None and not _is_number(self.score):
            raise ValueError(f"score is {self.score!r}; use a finite number, or a label for words")
        if self.score is None and self.label is None and self.error_type is None:
            raise ValueError(f"evaluation {self.name!r} has neither a score nor a label")

    def attributes(self) -> Attributes:
        """Return what it says, but for its explanation."""
        said = {
            semconv.EVALUATION_NAME: self.name,
            semconv.EVALUATION_LABEL: self.label,
            semconv.RESPONSE_ID: self.response_id,
            semconv.ERROR_TYPE: self.error_type,
        }
        texts = {key: attribute_text(value) for key, value in said.items() if value is not None}
        score = {} if self.score is None else {semconv.EVALUATION_SCORE: float(self.score)}
        return {**texts, **score}


def _is_number(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)  # type: ignore[arg-type]  # a number


@dataclass(frozen=True, slots=True)
class EvaluationWriter:
    """Writes evaluations beneath the spans that they are of, where those are sampled.

    Args:
        tracer: makes the spans.
        door: lets explanations through, or not.
        logger_provider: takes the events; None is the global one.
        schema_url: of the conventions.
    """

    tracer: Tracer
    door: ContentDoor
    logger_provider: LoggerProvider | None
    schema_url: str

    def write(self, evaluation: Evaluation, judged: SpanContext) -> None:
        """Write an evaluation of the span that has this context."""
        if not judged.trace_flags.sampled:
            return
        context = set_span_in_context(NonRecordingSpan(judged), current())
        name = f"{_SPAN_NAME} {attribute_text(evaluation.name)}"
        attributes = evaluation.attributes()
        span = self.tracer.start_span(name, context, attributes=attributes)
        passed = self.door.on_span(semconv.EVALUATION_EXPLANATION, lambda: evaluation.explanation)
        if passed is not None and evaluation.explanation is not None:
            span.set_attribute(semconv.EVALUATION_EXPLANATION, passed.text)
        if evaluation.error_type is not None:
            span.set_status(Status(StatusCode.ERROR, evaluation.error_type))
        span.end()
        # Imported late, as all of logs.
        from opentelemetry._logs import SeverityNumber, get_logger  # noqa: PLC0415

        logger = get_logger("nodespan.telemetry", VERSION, self.logger_provider, self.schema_url)
        logger.emit(
            context=context,
            severity_number=SeverityNumber.INFO,
            severity_text=SeverityNumber.INFO.name,
            attributes={**attributes, **self._explained(evaluation)},
            event_name=semconv.EVENT_EVALUATION,
        )

    def _explained(self, evaluation: Evaluation) -> dict[str, AnyValue]:
        if evaluation.explanation is None:
            return {}
        content = {semconv.EVALUATION_EXPLANATION: evaluation.explanation}
        return {name: passed.text for name, passed in self.door.all_on_event(lambda: content)}
