"""The metrics that nodespan writes: names, units, buckets and descriptions, by edition (pure).

Those named `gen_ai.*` are the conventions', those named `nodespan.*` are our own.

Source: https://github.com/open-telemetry/semantic-conventions-genai
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from . import names as semconv

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .names import Edition

FAST_SECONDS: Final = tuple(round(0.01 * 2**power, 2) for power in range(14))
AGENT_SECONDS: Final = tuple(round(0.1 * 2**power, 1) for power in range(13))
WORKFLOW_SECONDS: Final = (1, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200)
CALLS: Final = tuple(2**power for power in range(8))
TOKENS: Final = tuple(4**power for power in range(14))
TOKENS_PER_SECOND: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)

_NS: Final = 10**9
_MILLI: Final = 10**3


# Known by what they are, and not by what they say; of dataclasses each would take a millisecond
# of every program's start.
class Histogram:
    """A histogram, whose values are counted as integers before they are recorded.

    Attributes:
        name: of the metric.
        unit: of the metric.
        scale: how many of the integers counted make one of the unit.
        boundaries: upper bounds of its buckets, in its unit.
        description: of the metric.
    """

    __slots__ = ("boundaries", "description", "name", "scale", "unit")

    def __init__(
        self, name: str, unit: str, scale: int, boundaries: tuple[float, ...], description: str
    ) -> None:
        self.name = name
        self.unit = unit
        self.scale = scale
        self.boundaries = boundaries
        self.description = description


class Counter:
    """A sum that only grows.

    Attributes:
        name: of the metric.
        unit: of the metric.
        description: of the metric.
    """

    __slots__ = ("description", "name", "unit")

    def __init__(self, name: str, unit: str, description: str) -> None:
        self.name = name
        self.unit = unit
        self.description = description


class UpDownCounter(Counter):
    """A sum that grows and shrinks."""

    __slots__ = ()


class Gauge(Counter):
    """A value that is what it is at the time."""

    __slots__ = ()


class Measure(StrEnum):
    """What is measured, by whatever name an edition has for it."""

    INFERENCE_DURATION = "inference duration"
    OPERATION_DURATION = "operation duration"
    AGENT_DURATION = "agent duration"
    AGENT_INFERENCE_CALLS = "inference calls of an agent"
    AGENT_TOOL_CALLS = "tool calls of an agent"
    WORKFLOW_DURATION = "workflow duration"
    TOOL_DURATION = "tool duration"
    TIME_TO_FIRST_CHUNK = "time to first chunk"
    TIME_PER_OUTPUT_CHUNK = "time per output chunk"
    TOKENS_PER_SECOND = "tokens per second"
    INPUT_TOKENS = "input tokens"
    OUTPUT_TOKENS = "output tokens"


def _seconds(
    name: str, description: str, boundaries: tuple[float, ...] = FAST_SECONDS
) -> Histogram:
    return Histogram(name, "s", _NS, boundaries, description)


def _tokens(name: str, description: str) -> Histogram:
    return Histogram(name, "{token}", 1, TOKENS, description)


_OF_BOTH_EDITIONS: Final = {
    Measure.OPERATION_DURATION: _seconds(
        "gen_ai.client.operation.duration", "GenAI operation duration."
    ),
    Measure.AGENT_DURATION: _seconds(
        "gen_ai.invoke_agent.duration", "Duration of agent invocations.", AGENT_SECONDS
    ),
    Measure.AGENT_INFERENCE_CALLS: Histogram(
        "gen_ai.invoke_agent.inference_calls",
        "{inference_call}",
        1,
        CALLS,
        "Number of model calls of an agent invocation.",
    ),
    Measure.AGENT_TOOL_CALLS: Histogram(
        "gen_ai.invoke_agent.tool_calls",
        "{tool_call}",
        1,
        CALLS,
        "Number of tool calls of an agent invocation.",
    ),
    Measure.WORKFLOW_DURATION: _seconds(
        "gen_ai.invoke_workflow.duration", "Duration of workflow invocations.", WORKFLOW_SECONDS
    ),
    Measure.TOOL_DURATION: _seconds("gen_ai.execute_tool.duration", "Duration of tool executions."),
    Measure.TOKENS_PER_SECOND: Histogram(
        "nodespan.stream.tokens_per_second",
        "{token}/s",
        _MILLI,
        TOKENS_PER_SECOND,
        "Output tokens per second of a stream, from its first chunk to its last.",
    ),
}
_USAGE: Final = _tokens("gen_ai.client.token.usage", "Number of input and output tokens used.")
_RELEASED: Final[Mapping[Measure, Histogram]] = {
    **_OF_BOTH_EDITIONS,
    Measure.INFERENCE_DURATION: _OF_BOTH_EDITIONS[Measure.OPERATION_DURATION],
    Measure.TIME_TO_FIRST_CHUNK: _seconds(
        "gen_ai.client.operation.time_to_first_chunk", "Time to receive the first chunk."
    ),
    Measure.TIME_PER_OUTPUT_CHUNK: _seconds(
        "gen_ai.client.operation.time_per_output_chunk", "Time between chunks after the first."
    ),
    Measure.INPUT_TOKENS: _USAGE,
    Measure.OUTPUT_TOKENS: _USAGE,
}
_NEWEST: Final[Mapping[Measure, Histogram]] = {
    **_OF_BOTH_EDITIONS,
    Measure.INFERENCE_DURATION: _seconds(
        "gen_ai.client.inference.duration", "Duration of model calls."
    ),
    Measure.TIME_TO_FIRST_CHUNK: _seconds(
        "gen_ai.client.inference.time_to_first_chunk", "Time to receive the first chunk."
    ),
    Measure.TIME_PER_OUTPUT_CHUNK: _seconds(
        "gen_ai.client.inference.time_per_output_chunk", "Time between chunks after the first."
    ),
    Measure.INPUT_TOKENS: _tokens(
        "gen_ai.client.inference.operation.input_tokens", "Input tokens of a model call."
    ),
    Measure.OUTPUT_TOKENS: _tokens(
        "gen_ai.client.inference.operation.output_tokens", "Output tokens of a model call."
    ),
}

# No released edition counts the tokens of caches and of reasoning: these have the newest's names.
CACHE_READ_TOKENS: Final = Counter(
    "gen_ai.client.inference.usage.cache_read.input_tokens",
    "{token}",
    "Input tokens that the provider read from its cache.",
)
CACHE_WRITE_TOKENS: Final = Counter(
    "gen_ai.client.inference.usage.cache_write.input_tokens",
    "{token}",
    "Input tokens that the provider wrote to its cache.",
)
REASONING_TOKENS: Final = Counter(
    "gen_ai.client.inference.usage.reasoning.output_tokens",
    "{token}",
    "Output tokens that were used for reasoning.",
)
INPUT_TOKENS: Final = Counter(
    "gen_ai.client.inference.usage.input_tokens", "{token}", "Input tokens used."
)
OUTPUT_TOKENS: Final = Counter(
    "gen_ai.client.inference.usage.output_tokens", "{token}", "Output tokens used."
)
STALLS: Final = Counter(
    "nodespan.stream.stalls",
    "{stall}",
    "Waits for a chunk, or a whole answer, above the threshold.",
)
COST: Final = Counter("nodespan.cost", "{currency}", "Cost of model calls, by the price table.")
EVICTED_RUNS: Final = Counter(
    "nodespan.runs.evicted", "{run}", "Runs that were ended because too many were open."
)
TROUBLES: Final = Counter(
    "nodespan.telemetry.errors", "{error}", "Troubles that telemetry itself has met."
)
CHUNKS: Final = Counter("nodespan.stream.chunks", "{chunk}", "Chunks that streams have given.")

OPEN_RUNS: Final = UpDownCounter(
    "nodespan.runs.open", "{run}", "Runs that have started and not ended."
)
OLDEST_RUN_AGE: Final = Gauge(
    "nodespan.runs.oldest.age",
    "s",
    "How long the oldest of the runs that are open has been going on; 0 where none is.",
)
STALLED_STREAMS: Final = UpDownCounter(
    "nodespan.streams.stalled", "{stream}", "Streams that wait for a chunk above the threshold."
)

UNSENT_SPANS: Final = UpDownCounter(
    "nodespan.spans.unsent", "{span}", "Spans that have ended and that no endpoint has taken."
)
DROPPED_SPANS: Final = Counter(
    "nodespan.journal.dropped",
    "{span}",
    "Spans dropped before the journal had them, or before an endpoint had them from it.",
)
BACKLOG_AGE: Final = Gauge(
    "nodespan.journal.backlog.age", "s", "How long the oldest span waits for the endpoint."
)


def histograms_of(edition: Edition) -> Mapping[Measure, Histogram]:
    """Return an edition's histogram of each measure."""
    return _NEWEST if edition.is_newest else _RELEASED


def token_counters(edition: Edition) -> tuple[tuple[Counter, str], ...]:
    """Return the counters of tokens, each with the span attribute that tells them."""
    subsets = (
        (CACHE_READ_TOKENS, semconv.USAGE_CACHE_READ),
        (CACHE_WRITE_TOKENS, edition.usage_cache_write),
        (REASONING_TOKENS, semconv.USAGE_REASONING),
    )
    if not edition.is_newest:
        return subsets
    return (
        (INPUT_TOKENS, semconv.USAGE_INPUT_TOKENS),
        (OUTPUT_TOKENS, semconv.USAGE_OUTPUT_TOKENS),
        *subsets,
    )


def counters_of(edition: Edition) -> tuple[Counter, ...]:
    """Return the counters of an edition that grow when a run ends, or when a trouble is met."""
    tokens = (counter for counter, _ in token_counters(edition))
    return (*tokens, STALLS, COST, EVICTED_RUNS, TROUBLES)


def exact_integers() -> set[int]:
    """Return the bounds of all buckets, as the integers in which values are counted."""
    histograms = {*_RELEASED.values(), *_NEWEST.values()}
    return {round(bound * kind.scale) for kind in histograms for bound in kind.boundaries}
