"""Evaluations of runs, while they go on or later."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from opentelemetry.trace import SpanContext, TraceFlags, get_current_span

from ._handler.callbacks import OpenTelemetryCallbackHandler
from ._handler.living import Handler, living_handlers
from ._runs.current import run_context
from ._runs.registry import find_span
from ._traces.evaluation import Evaluation

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

_TRACE_DIGITS = 32
_SPAN_DIGITS = 16


def record_evaluation(  # noqa: PLR0913 - what the conventions' event has, and of what it is
    name: str,
    *,
    score: float | None = None,
    label: str | None = None,
    explanation: str | None = None,
    run_id: UUID | str | None = None,
    trace_id: str | None = None,
    span_id: str | None = None,
    response_id: str | None = None,
    error_type: str | None = None,
    tracer_provider: TracerProvider | None = None,
) -> bool:
    """Record what somebody, or another model, thinks of an answer.

    It becomes the conventions' event `gen_ai.evaluation.result`, which goes where log records
    go, and a span `evaluation NAME`, which goes where spans go; both are beneath the span that
    is judged. That is the run in which the code is; or later, the one that *run_id* names, as
    long as it is remembered (the last 1,024 models, and as many others); or the span of
    *trace_id* and *span_id*, in any process.

    Args:
        name: of what was looked at, such as `relevance`.
        score: as a number.
        label: what that means, such as `good`, `pass` or `thumbs_up`.
        explanation: of the score. It is content: recorded only where content is.
        run_id: of LangChain's run that is judged.
        trace_id: of the span that is judged, in 32 hexadecimal digits.
        span_id: of that span, in 16 hexadecimal digits.
        response_id: of the answer, as its provider names it.
        error_type: why it could not be judged, where that failed.
        tracer_provider: makes the span; by default the one of the run, or the global one.

    Returns:
        Whether there was a span to judge: none in code that no run is around, nor for a run
        that is not remembered.

    Raises:
        ValueError: a name, a score or an id that cannot be one.

    Source: https://github.com/open-telemetry/semantic-conventions-genai
    """
    evaluation = Evaluation(name, score, label, explanation, response_id, error_type)
    judged, run = _judged(run_id, trace_id, span_id)
    if judged is None or not judged.is_valid:
        return False
    _handler_of(run, tracer_provider).evaluate(evaluation, judged)
    return True


def _judged(
    run_id: UUID | str | None, trace_id: str | None, span_id: str | None
) -> tuple[SpanContext | None, int | None]:
    """Return the span that is judged, and the integer of its run's id where that is known."""
    if trace_id is not None or span_id is not None:
        if run_id is not None:
            raise ValueError("both a run_id and ids of a span were given; give one of them")
        trace = _number("trace_id", trace_id, _TRACE_DIGITS)
        span = _number("span_id", span_id, _SPAN_DIGITS)
        sampled = TraceFlags(TraceFlags.SAMPLED)
        return SpanContext(trace, span, is_remote=True, trace_flags=sampled), None
    if run_id is not None:
        number = _uuid(run_id).int
        return find_span(number), number
    context, run = run_context()
    return get_current_span(context).get_span_context(), run.run_id if run is not None else None


def _handler_of(run: int | None, tracer_provider: TracerProvider | None) -> Handler:
    """Return a handler that knows the run, or else one that writes to the provider."""
    handlers = living_handlers()
    knowing = [each for each in handlers if run is not None and each.knows(run)]
    writing = [each for each in knowing or handlers if each.writes_to(tracer_provider)]
    found = writing or (knowing if tracer_provider is None else [])
    return found[0] if found else OpenTelemetryCallbackHandler(tracer_provider=tracer_provider)


def _number(name: str, text: str | None, digits: int) -> int:
    is_id = isinstance(text, str) and len(text) == digits and text.isalnum()
    try:
        number = int(text or "", 16) if is_id else 0
    except ValueError:
        number = 0
    if not number:
        raise ValueError(f"{name} is {text!r}; use the id in {digits} hexadecimal digits")
    return number


def _uuid(run_id: UUID | str) -> UUID:
    try:
        return run_id if isinstance(run_id, UUID) else UUID(run_id)
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"run_id is {run_id!r}; use the run's UUID, or its text") from None
