"""A run that has ended, as measurements (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Self, TypeAlias

from .._semconv import metrics as instruments
from .._semconv import names as semconv
from .._semconv.metrics import Measure
from .._semconv.names import Operation
from .._stream.attributes import tokens_per_second
from .._translation.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.trace import SpanContext

    from .._runs.run import Run
    from .._semconv.metrics import Counter
    from .._semconv.names import Edition
    from .._stream.clock import StreamClock
    from .._stream.sketch import Sketch
    from .._translation.ending import Ending
    from .._translation.kinds import RunKind
    from .._values.attributes import AttributeValue
    from .attribute_sets import AttributeSet
    from .series import Value

    SpanAttributes: TypeAlias = Mapping[str, AttributeValue]
    MetricAttributes: TypeAlias = dict[str, Value]
    # A value of a histogram, or many, as integers in the histogram's scale. Plain: there are many.
    Recorded: TypeAlias = tuple[Measure, AttributeSet, int | Sketch]

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
_NOTHING: Final[MetricAttributes] = {}  # never changed


class Counted(NamedTuple):
    """An amount that a counter grows by."""

    counter: Counter
    attributes: AttributeSet
    amount: float


@dataclass(slots=True)  # not frozen: one is made for each run, and that takes thrice as long
class EndedRun:
    """What is measured of a run that has ended, and nothing that keeps content.

    Attributes:
        kind: of the run.
        operation: that its span is of.
        shared: the attributes of all that is measured of it, see `shared_attributes`.
        result: what its result says, as span attributes.
        duration: in ns.
        ending: how it ended, as metrics have it.
        clock: of its stream, where anything has come.
        speed: of its stream, in tokens a second.
        calls: of an agent, to models and tools.
        span: of the run, where that is sampled: exemplars are of spans that somebody will find.
    """

    kind: RunKind
    operation: AttributeValue | None
    shared: AttributeSet
    result: SpanAttributes
    duration: int
    ending: MetricAttributes
    clock: StreamClock | None
    speed: float | None
    calls: tuple[int, int]
    span: SpanContext | None

    @classmethod
    def of(cls, run: Run, ending: Ending, shared: AttributeSet) -> Self:
        """Return what is measured of a run."""
        result, totals = ending.result_attributes(run.start), run.totals
        clock = speed = span = None
        if run.chunks is not None and run.chunks.has_anything:
            clock = run.chunks.clock
            speed = tokens_per_second(clock, result, ending.said)
        if run.is_recorded and run.span is not None:
            span = run.span.get_span_context()
        calls = (
            (totals.own_inference_calls, totals.own_tool_calls) if totals is not None else (0, 0)
        )
        how = _NOTHING if ending.outcome is None else _how_it_ended(ending)
        duration = max(ending.at - run.started_at, 0)
        operation = run.attributes.get(semconv.OPERATION_NAME)
        return cls(run.kind, operation, shared, result, duration, how, clock, speed, calls, span)


def kind_attributes(kind: str, operation: AttributeValue | None) -> MetricAttributes:
    """Return the attributes that runs of a kind share, and of what its spans call its operation."""
    attributes = {} if operation is None else {semconv.OPERATION_NAME: operation}
    return {semconv.RUN_KIND: kind, **_picked(attributes, tuple(attributes))}


def shared_attributes(attributes: SpanAttributes) -> MetricAttributes:
    """Return the attributes of all that is measured of runs, by those of their spans."""
    _, keys = _DURATIONS.get(attributes.get(semconv.OPERATION_NAME), (None, ()))
    return _picked(attributes, keys)


def run_measurements(run: EndedRun, edition: Edition) -> list[Recorded | Counted]:
    """Return all that is measured of a run."""
    answer = _answer(run) if run.kind.is_model else run.shared
    measure, _ = _DURATIONS.get(run.operation, (None, ()))
    measured: list[Recorded | Counted] = []
    if measure is not None:
        attributes = answer
        for name, value in run.ending.items():
            attributes = attributes.beside(name, value)
        measured.append((measure, attributes, run.duration))
    if run.kind.is_agent:
        calls, tool_calls = run.calls
        measured.append((Measure.AGENT_INFERENCE_CALLS, run.shared, calls))
        measured.append((Measure.AGENT_TOOL_CALLS, run.shared, tool_calls))
    if run.clock is not None:
        measured += _of_stream(run.clock, answer, run.speed)
    if run.kind.is_model:
        measured += _of_usage(answer, run.result, edition)
    return measured


def _answer(run: EndedRun) -> AttributeSet:
    """Return the attributes of a request, and those that its answer reports."""
    model = run.result.get(semconv.RESPONSE_MODEL)
    if not isinstance(model, str):
        return run.shared
    return run.shared.beside(semconv.RESPONSE_MODEL, model)


def _of_stream(
    clock: StreamClock, answer: AttributeSet, speed: float | None
) -> Iterator[Recorded | Counted]:
    if clock.stall_count:
        yield Counted(instruments.STALLS, answer, clock.stall_count)
    first = clock.first_chunk_at
    if first is None:
        return
    waited = max(first - clock.started_at, 0)
    yield Measure.TIME_TO_FIRST_CHUNK, answer, waited
    if clock.gaps.count:
        yield Measure.TIME_PER_OUTPUT_CHUNK, answer, clock.gaps
    if speed is not None:
        yield Measure.TOKENS_PER_SECOND, answer, round(speed * _MILLI)


def _of_usage(
    answer: AttributeSet, result: SpanAttributes, edition: Edition
) -> list[Recorded | Counted]:
    measured: list[Recorded | Counted] = []
    for side, measure in (("input", Measure.INPUT_TOKENS), ("output", Measure.OUTPUT_TOKENS)):
        tokens = _tokens(result, f"gen_ai.usage.{side}_tokens")
        if tokens is not None:
            attributes = answer if edition.is_newest else answer.beside(semconv.TOKEN_TYPE, side)
            measured.append((measure, attributes, tokens))
    for counter, name in instruments.token_counters(edition):
        if name in result:
            for modality, amount in _by_modality(result, name):
                attributes = answer.beside(semconv.TOKEN_MODALITY, modality)
                measured.append(Counted(counter, attributes, amount))
    cost, currency = result.get(semconv.COST), result.get(semconv.CURRENCY)
    if isinstance(cost, float) and isinstance(currency, str):
        attributes = answer.beside(semconv.CURRENCY, currency)
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
