"""A run that has ended, as measurements (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from .._semconv import metrics as instruments
from .._semconv import names as semconv
from .._semconv.metrics import Measure
from .._semconv.names import Operation
from .._stream.attributes import tokens_per_second
from .._translation.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .._runs.run import Run
    from .._semconv.metrics import Counter
    from .._semconv.names import Edition
    from .._stream.clock import StreamClock
    from .._stream.sketch import Sketch
    from .._translation.ending import Ending
    from .._values.attributes import AttributeValue
    from .series import Value

    SpanAttributes: TypeAlias = Mapping[str, AttributeValue]
    MetricAttributes: TypeAlias = dict[str, Value]

# As a tuple, of which each of many looks is short; a union is made anew each time.
_VALUES: Final = (str, int)
_MILLI: Final = 10**3
_FAILURES: Final = (Outcome.ERROR, Outcome.LOST)

_REQUEST_KEYS: Final = (
    semconv.OPERATION_NAME,
    semconv.PROVIDER_NAME,
    semconv.REQUEST_MODEL,
    semconv.SERVER_ADDRESS,
    semconv.SERVER_PORT,
)
_TOOL_KEYS: Final = (semconv.TOOL_NAME, semconv.TOOL_TYPE, semconv.AGENT_NAME)
_DURATIONS: Final[Mapping[object, tuple[Measure, tuple[str, ...]]]] = {
    Operation.CHAT: (Measure.INFERENCE_DURATION, _REQUEST_KEYS),
    Operation.TEXT_COMPLETION: (Measure.INFERENCE_DURATION, _REQUEST_KEYS),
    Operation.RETRIEVAL: (Measure.OPERATION_DURATION, (semconv.OPERATION_NAME,)),
    Operation.INVOKE_AGENT: (Measure.AGENT_DURATION, (semconv.AGENT_NAME,)),
    Operation.INVOKE_WORKFLOW: (Measure.WORKFLOW_DURATION, (semconv.WORKFLOW_NAME,)),
    Operation.EXECUTE_TOOL: (Measure.TOOL_DURATION, _TOOL_KEYS),
}
_MODALITIES: Final = ("text", "image", "audio")
_UNKNOWN_MODALITY: Final = "unknown"


class Recorded(NamedTuple):
    """A value of a histogram, or many, as integers in the histogram's scale."""

    measure: Measure
    attributes: MetricAttributes
    value: int | Sketch


class Counted(NamedTuple):
    """An amount that a counter grows by."""

    counter: Counter
    attributes: MetricAttributes
    amount: float


def kind_attributes(kind: str, operation: AttributeValue | None) -> MetricAttributes:
    """Return the attributes that runs of a kind share, and of what its spans call its operation."""
    attributes = {} if operation is None else {semconv.OPERATION_NAME: operation}
    return {semconv.RUN_KIND: kind, **_picked(attributes, tuple(attributes))}


def request_attributes(run: Run) -> MetricAttributes:
    """Return the attributes that requests to a model share."""
    return _picked(run.attributes, _REQUEST_KEYS)


def run_measurements(
    run: Run, ending: Ending, result: SpanAttributes, edition: Edition
) -> list[Recorded | Counted]:
    """Return all that is measured of a run.

    Args:
        run: that has ended.
        ending: how it ended.
        result: what its result says, as span attributes.
        edition: of the conventions.
    """
    answer = _answer_attributes(run, result) if run.kind.is_model else {}
    measure, keys = _DURATIONS.get(run.attributes.get(semconv.OPERATION_NAME), (None, ()))
    measured: list[Recorded | Counted] = []
    if measure is not None:
        attributes = answer or _picked(run.attributes, keys)
        if ending.outcome is not None:
            attributes = attributes | _how_it_ended(ending)
        measured.append(Recorded(measure, attributes, max(ending.at - run.started_at, 0)))
    if run.kind.is_agent:
        agent = _picked(run.attributes, (semconv.AGENT_NAME,))
        calls, tool_calls = 0, 0
        if run.totals is not None:
            calls, tool_calls = run.totals.own_inference_calls, run.totals.own_tool_calls
        measured.append(Recorded(Measure.AGENT_INFERENCE_CALLS, agent, calls))
        measured.append(Recorded(Measure.AGENT_TOOL_CALLS, agent, tool_calls))
    if run.chunks is not None and run.chunks.has_anything:
        measured += _of_stream(run.chunks.clock, answer, result, ending.said)
    if answer:
        measured += _of_usage(answer, result, edition)
    return measured


def _answer_attributes(run: Run, result: SpanAttributes) -> MetricAttributes:
    """Return the attributes of a request, and those that its answer reports."""
    attributes = _picked(run.attributes, _REQUEST_KEYS)
    model = result.get(semconv.RESPONSE_MODEL)
    if isinstance(model, str):
        attributes[semconv.RESPONSE_MODEL] = model
    return attributes


def _of_stream(
    clock: StreamClock, answer: MetricAttributes, result: SpanAttributes, said: Callable[[], int]
) -> Iterator[Recorded | Counted]:
    if clock.stall_count:
        yield Counted(instruments.STALLS, answer, clock.stall_count)
    first = clock.first_chunk_at
    if first is None:
        return
    waited = max(first - clock.started_at, 0)
    yield Recorded(Measure.TIME_TO_FIRST_CHUNK, answer, waited)
    if clock.gaps.count:
        yield Recorded(Measure.TIME_PER_OUTPUT_CHUNK, answer, clock.gaps)
    speed = tokens_per_second(clock, result, said)
    if speed is not None:
        yield Recorded(Measure.TOKENS_PER_SECOND, answer, round(speed * _MILLI))


def _of_usage(
    answer: MetricAttributes, result: SpanAttributes, edition: Edition
) -> list[Recorded | Counted]:
    measured: list[Recorded | Counted] = []
    for side, measure in (("input", Measure.INPUT_TOKENS), ("output", Measure.OUTPUT_TOKENS)):
        tokens = _tokens(result, f"gen_ai.usage.{side}_tokens")
        if tokens is not None:
            kind: MetricAttributes = {} if edition.is_newest else {semconv.TOKEN_TYPE: side}
            measured.append(Recorded(measure, answer | kind, tokens))
    for counter, name in instruments.token_counters(edition):
        if name in result:
            for modality, amount in _by_modality(result, name):
                attributes = {**answer, semconv.TOKEN_MODALITY: modality}
                measured.append(Counted(counter, attributes, amount))
    cost, currency = result.get(semconv.COST), result.get(semconv.CURRENCY)
    if isinstance(cost, float) and isinstance(currency, str):
        attributes = {**answer, semconv.CURRENCY: currency}
        measured.append(Counted(instruments.COST, attributes, cost))
    return measured


def _by_modality(result: SpanAttributes, name: str) -> Iterator[tuple[str, int]]:
    """Give the tokens of each modality that is reported by itself, and then the others."""
    unknown = _tokens(result, name)
    if unknown is None:
        return
    for modality in _MODALITIES:
        tokens = _tokens(result, name.replace("usage.", f"usage.{modality}."))
        if tokens:
            yield modality, tokens
            unknown -= tokens
    if unknown > 0:
        yield _UNKNOWN_MODALITY, unknown


def _tokens(result: SpanAttributes, name: str) -> int | None:
    tokens = result.get(name)
    return tokens if isinstance(tokens, int) and tokens >= 0 else None


def _how_it_ended(ending: Ending) -> MetricAttributes:
    outcome = ending.outcome
    if outcome is None:
        return {}
    if outcome not in _FAILURES:
        return {semconv.OUTCOME: outcome.value}
    failure = ending.error_type or outcome.value
    return {semconv.OUTCOME: outcome.value, semconv.ERROR_TYPE: failure}


def _picked(attributes: SpanAttributes, keys: tuple[str, ...]) -> MetricAttributes:
    picked: MetricAttributes = {}
    for key in keys:
        value = attributes.get(key)
        if value is not None and isinstance(value, _VALUES):
            picked[key] = value
    return picked
