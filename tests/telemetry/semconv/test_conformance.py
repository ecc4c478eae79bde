"""Every span, event, log record and metric, checked against the conventions' own data.

Both editions are checked, the last released one and the newest, each with content off and on.
What the conventions have no name for must stand in our own table.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.messages import AIMessage
from langchain_core.vectorstores import InMemoryVectorStore
from langgraph.graph import StateGraph
from langgraph.types import RetryPolicy
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

from nodespan.telemetry._semconv import names as semconv
from support import everything
from support import own_names as own
from support.conventions import REGISTRY, RELEASED
from support.reporters import Completer, Reporter, StreamingReporter
from support.signals import record_signals
from support.strangers import ASTREAM, INVOKE, STREAM, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from langchain_core.runnables import RunnableConfig
    from opentelemetry.sdk.metrics.export import Metric

    from nodespan.telemetry import SpanRecord
    from support.signals import Signals

OURS: Final = ("nodespan.", "langgraph.", "langchain.", "openinference.", "input.", "output.")

TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "string": lambda value: type(value) is str,
    "int": lambda value: type(value) is int,
    "double": lambda value: type(value) is float,
    "boolean": lambda value: type(value) is bool,
    "string[]": lambda value: isinstance(value, tuple) and all(type(v) is str for v in value),
    # On spans, structured values are JSON in text.
    "any": lambda value: isinstance(value, str | bool | int | float | tuple),
}


@dataclass(frozen=True, slots=True)
class Conventions:
    """One edition of the conventions.

    Attributes:
        name: of the edition.
        attributes: type by name.
        spans: definition by `gen_ai.operation.name`.
        metrics: definition by name.
    """

    name: str
    attributes: dict[str, str]
    spans: dict[str, Any]
    metrics: dict[str, Any]

    def level(self, operation: str, attribute: str) -> str | None:
        """Return the requirement level of an attribute on the span of an operation."""
        told = self.spans[operation]["attributes"].get(attribute)
        return None if told is None else told["level"]


def newest() -> Conventions:
    """Return the newest edition."""
    types = {name: told["type"] for name, told in REGISTRY["attributes"].items()}
    return Conventions("newest", types, _by_operation(REGISTRY["spans"]), REGISTRY["metrics"])


# Of the general conventions.
GENERAL: Final = {
    "session.id": "string",
    "user.id": "string",
    "http.request.resend_count": "int",
}


def released() -> Conventions:
    """Return the last released edition: the newest one, and what differs."""
    latest, legacy = newest(), REGISTRY["legacy"]
    types = {
        name: kind
        for name, kind in latest.attributes.items()
        if name not in RELEASED["attributes_not_yet"]
    }
    types |= {name: legacy["attributes"][name]["type"] for name in RELEASED["attributes_still"]}
    spans = json.loads(json.dumps(REGISTRY["spans"]))
    for name, changes in RELEASED["spans"].items():
        attributes = spans[name]["attributes"]
        for added in set(changes["added"]) - {"gen_ai.agent.name", "gen_ai.conversation.id"}:
            del attributes[added]
        attributes |= {removed: {"level": "recommended"} for removed in changes["removed"]}
    metrics = latest.metrics | legacy["metrics"]
    types |= RELEASED["types"] | GENERAL
    return Conventions("released", types, _by_operation(spans), metrics)


def _by_operation(spans: dict[str, Any]) -> dict[str, Any]:
    in_process = {
        name: told for name, told in spans.items() if name != "gen_ai.invoke_agent.client"
    }
    return {
        operation: told for told in in_process.values() for operation in told["operation_names"]
    }


EDITIONS: Final = (
    released(),
    replace(newest(), attributes=newest().attributes | GENERAL),
)


class Watching(Sampler):
    """Takes every span, and writes down with which attributes it started."""

    def __init__(self) -> None:
        self.starts: dict[str, list[dict[str, Any]]] = {}

    def should_sample(self, _context: Any, _trace_id: int, name: str, *_: Any, **more: Any) -> Any:
        """Take a span."""
        attributes = dict(more.get("attributes") or (_[1] if len(_) > 1 else {}) or {})
        self.starts.setdefault(name, []).append(attributes)
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)

    def get_description(self) -> str:
        """Return its name."""
        return "watching"


@dataclass(frozen=True, slots=True)
class Case:
    """What an application has sent, by an edition and with content on or off."""

    conventions: Conventions
    content: bool
    spans: list[SpanRecord]
    starts: dict[str, list[dict[str, Any]]]
    log_records: list[Any]
    metrics: list[Metric]

    def gen_ai_spans(self) -> Iterator[tuple[str, SpanRecord]]:
        """Yield the spans that the conventions know, with their operations."""
        for span in self.spans:
            operation = span.attributes.get("gen_ai.operation.name")
            if operation is not None:
                yield str(operation), span


@pytest.fixture(params=[False, True], ids=["without content", "with content"])
def case(request: pytest.FixtureRequest, edition: Conventions) -> Case:
    """All signals of the application, by each edition, with content off and on."""
    return case_of(edition.name, with_content=request.param)


@pytest.fixture(params=EDITIONS, ids=lambda edition: edition.name)
def edition(request: pytest.FixtureRequest) -> Conventions:
    """Each of the editions."""
    conventions: Conventions = request.param
    return conventions


@cache
def case_of(edition: str, *, with_content: bool) -> Case:
    """Have an application do everything."""
    (conventions,) = (each for each in EDITIONS if each.name == edition)
    chosen = "gen_ai_latest_experimental" if edition == "newest" else ""
    sampler = Watching()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", chosen)
        with record_signals(
            sampler=sampler,
            capture_content="SPAN_AND_EVENT" if with_content else "NO_CONTENT",
            metadata_keys=["user"],
            tags=with_content,
            prices={"speaker-1": {"input": 1, "output": 2}, "tiny-1": {"input": 1, "output": 2}},
            stall_threshold=1e-9,
        ) as signals:
            everything_else(signals)
            for call in (INVOKE, ASTREAM):
                for scenario in everything.scenarios(call):
                    scenario.run(call, everything.config_of(signals.config))
            told = (signals.spans, sampler.starts, signals.log_records, signals.metrics)
            return Case(conventions, with_content, *told)


PARAMS = {
    "model_name": "tiny-1",
    "base_url": "http://127.0.0.1:8080/v1",
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 40,
    "max_tokens": 100,
    "frequency_penalty": 0.1,
    "presence_penalty": 0.2,
    "seed": 7,
    "n": 2,
    "reasoning_effort": "low",
    "previous_response_id": "resp-0",
    "password": "x",
    **{f"param_{place}": place for place in range(70)},
}


def everything_else(signals: Signals) -> None:
    """Have a model tell all that models can tell, and the rest of what can be done."""
    config = everything.config_of(signals.config)
    tell_all_of_models(config)
    # Models that run in this process are no clients.
    Reporter().invoke("x", {**config, "metadata": {"nodespan_in_process": True}})
    list(Completer().stream("x", config))
    StreamingReporter().with_fallbacks([StreamingReporter()]).invoke("x", config)
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=3))
    store.add_texts(["cats"])
    store.as_retriever(metadata={"ls_embedding_model": "embed-1"}).invoke("cat", config)
    try_a_node_again(config)
    STREAM.run(everything._model(), "x", config)


def tell_all_of_models(config: RunnableConfig) -> None:
    """Ask with all parameters, once of a cache, and be answered with all kinds of usage."""
    told: Any = {
        "replies": [everything.ANSWER],
        "params": PARAMS,
        "ls_params": {"ls_provider": "openai"},
        "cache": InMemoryCache(),
    }
    asking: Any = {"stop": ["END"], "response_format": {"type": "json_object"}}
    modal = {**everything.USAGE, "input_token_details": {"text": 1, "image": 2, "audio": 3}}
    modal["output_token_details"] = {"text": 1, "image": 2, "audio": 3}
    for _ in range(2):
        Reporter(**told).bind(**asking).invoke("x", config)
    several = AIMessage("so it is", usage_metadata=modal)
    list(StreamingReporter(**told | {"replies": [several]}).bind(**asking).stream("x", config))


def try_a_node_again(config: RunnableConfig) -> None:
    """Run a graph whose node fails once."""
    attempts = iter([ValueError("not yet"), None])

    def again(_state: State) -> State:
        if (error := next(attempts)) is not None:
            raise error
        return {}

    graph = StateGraph(State)
    policy = RetryPolicy(initial_interval=0.001, jitter=False, retry_on=ValueError)
    graph.add_node("again", again, retry_policy=policy)
    graph.set_entry_point("again")
    graph.compile().invoke({"messages": ["x"]}, config)


class TestSpans:
    """Spans that the conventions know."""

    def test_each_operation_is_there(self, case: Case) -> None:
        """The application that is checked does all that nodespan knows the operation of."""
        operations = {operation for operation, _ in case.gen_ai_spans()}
        assert operations == {operation.value for operation in semconv.Operation}

    def test_kinds_and_names(self, case: Case) -> None:
        """A span's kind is one that its operation may have, and its name has its form."""
        for operation, span in case.gen_ai_spans():
            told = case.conventions.spans[operation]
            assert span.kind.upper() in told["span_kind"]
            parts = {name: str(value) for name, value in span.attributes.items()}
            forms = (re.sub(r"{(.*?)}", r"{0[\1]}", form) for form in told["name_formats"])
            given = defaultdict(str, parts)
            assert span.name in {form.format(given).strip() for form in forms}

    def test_attributes_are_those_of_the_span(self, case: Case) -> None:
        """A `gen_ai` span has the attributes that its definition lists, and our own."""
        for operation, span in case.gen_ai_spans():
            for name in span.attributes:
                is_listed = case.conventions.level(operation, name) is not None
                assert is_listed or name.startswith(OURS) or name in BESIDE, (operation, name)

    def test_types(self, case: Case) -> None:
        """Each attribute has the type that the edition gives it."""
        for span in case.spans:
            for name, value in span.attributes.items():
                if not name.startswith(OURS):
                    kind = case.conventions.attributes[name]
                    assert TYPES[kind](value), (name, kind, value)

    def test_well_known_values(self, case: Case) -> None:
        """Where the conventions list the values of an attribute and no others, ours is one."""
        for _, span in case.gen_ai_spans():
            for name in ("gen_ai.operation.name", "gen_ai.output.type"):
                if name in span.attributes:
                    assert span.attributes[name] in REGISTRY["attributes"][name]["enum"]

    def test_required_attributes(self, case: Case) -> None:
        """What is required is there, and not empty."""
        for operation, span in case.gen_ai_spans():
            for name, told in case.conventions.spans[operation]["attributes"].items():
                if told["level"] == "required":
                    assert span.attributes.get(name), (operation, name)

    def test_conditionally_required_attributes(self, case: Case) -> None:
        """What is required under a condition is there exactly where the condition holds."""
        for operation, span in case.gen_ai_spans():
            for name, told in case.conventions.spans[operation]["attributes"].items():
                if told["level"] == "conditionally_required" and name not in NOT_TO_BE_HAD:
                    holds = CONDITIONS[name](operation, span)
                    if holds is not None:
                        assert (name in span.attributes) == holds, (operation, name)

    def test_recommended_attributes(self, case: Case) -> None:
        """What is recommended is told where it is known: none is forgotten altogether."""
        for operation in {operation for operation, _ in case.gen_ai_spans()}:
            seen = {
                name for told, span in case.gen_ai_spans() if told == operation
                for name in span.attributes
            }  # fmt: skip
            recommended = {
                name for name, told in case.conventions.spans[operation]["attributes"].items()
                if told["level"] == "recommended"
            }  # fmt: skip
            left_out = NOT_TOLD.get(operation, frozenset()) | NOT_TO_BE_HAD.keys()
            assert recommended - left_out <= seen, operation

    def test_opt_in_attributes(self, case: Case) -> None:
        """What is to be asked for is there where it was asked for, and only there."""
        for operation in {operation for operation, _ in case.gen_ai_spans()}:
            seen = {
                name for told, span in case.gen_ai_spans() if told == operation
                for name in span.attributes
                if case.conventions.level(operation, name) == "opt_in"
            }  # fmt: skip
            assert bool(seen) == case.content, operation

    def test_attributes_at_the_start(self, case: Case) -> None:
        """What samplers are to see is set when the span starts."""
        for operation, span in case.gen_ai_spans():
            early = case.conventions.spans[operation]["set_at_span_start"]
            starts = case.starts[span.name]
            for name in early:
                if name in span.attributes:
                    assert any(start.get(name) == span.attributes[name] for start in starts)

    def test_nothing_is_only_proposed(self, case: Case) -> None:
        """No name is used that has only been proposed."""
        proposed = REGISTRY["proposed_do_not_emit"]
        for span in case.spans:
            assert not set(proposed["attributes"]) & span.attributes.keys()
            assert span.attributes.get("gen_ai.operation.name") not in proposed["operation_names"]

    def test_errors(self, case: Case) -> None:
        """A span that has failed has the error's type, and no other has one."""
        failed = [span for span in case.spans if span.status == "error"]
        assert failed
        for span in case.spans:
            assert (span.status == "error") == ("error.type" in span.attributes)


class TestEvents:
    """Events on spans, and log records."""

    def test_exceptions(self, case: Case) -> None:
        """An exception's event has the attributes of the conventions, its message only if asked."""
        events = [each for span in case.spans for each in span.events if each.name == "exception"]
        assert events
        for event in events:
            told = set(event.attributes) - {"exception.message"}
            assert told == {"exception.type", "exception.stacktrace"}
            assert ("exception.message" in event.attributes) == case.content
            assert all(TYPES["string"](value) for value in event.attributes.values())

    def test_events_of_spans_are_known(self, case: Case) -> None:
        """An event on a span is one of the conventions', or our table knows it on such spans."""
        known = {event.name: event for event in own.OWN_EVENTS}
        for span in case.spans:
            for event in span.events:
                assert event.name == "exception" or place_of(span) in known[event.name].on

    def test_each_of_our_events_is_written(self, case: Case) -> None:
        """There is no event in the table that nobody writes."""
        written = {event.name for span in case.spans for event in span.events}
        assert {event.name for event in own.OWN_EVENTS} <= written

    def test_log_records(self, case: Case) -> None:
        """A log record is the conventions' or our own; its attributes are known by their types."""
        names = set()
        for record in case.log_records:
            names.add(record.event_name)
            for name, value in dict(record.attributes).items():
                if name.startswith(OURS):
                    assert own_attribute(name) is not None, name
                else:
                    kind = case.conventions.attributes[name]
                    # In log records, structured values are as they are.
                    assert kind == "any" or TYPES[kind](value), (name, value)
        details = "gen_ai.client.inference.operation.details"
        assert names - {details} <= {event.name for event in own.OWN_EVENTS}
        assert details in REGISTRY["events"]
        assert (details in names) == case.content


class TestMetrics:
    """Metrics."""

    def test_they_are_known(self, case: Case) -> None:
        """A metric is the edition's, with its unit and attributes, or our own."""
        assert case.metrics
        for metric in case.metrics:
            assert metric.name.startswith("nodespan.") or metric.name in case.conventions.metrics
            known = case.conventions.metrics.get(metric.name, {})
            assert metric.unit == known.get("unit", metric.unit)
            for point in metric.data.data_points:
                for name in dict(point.attributes or {}):
                    own_one = own_attribute(name)
                    is_ours = own_one is not None and own.METRICS in own_one.on
                    assert is_ours or name in REGISTRY["attributes"] or name in LEGACY, name

    def test_the_other_edition_has_no_place(self, case: Case) -> None:
        """By the newest edition, no metric has a name that it has left behind."""
        if case.conventions.name == "newest":
            names = {metric.name for metric in case.metrics}
            assert not names & REGISTRY["legacy"]["metrics"].keys()


class TestOwnNames:
    """Names that the conventions do not have."""

    def test_every_attribute_is_in_the_table(self, case: Case) -> None:
        """Our own attributes are of the type, and in the place, that the table tells."""
        for name, place, value in written(case):
            told = own_attribute(name)
            assert told is not None, name
            assert place in told.on, (name, place)
            assert TYPES[told.type](value), (name, value)

    def test_the_table_has_no_dead_rows(self, case: Case) -> None:
        """There is no attribute in the table that nobody writes."""
        if not case.content:
            return
        seen = {told.name for name, _, _ in written(case) if (told := own_attribute(name))}
        elsewhere = {told.name for told in own.OWN_ATTRIBUTES if set(told.on) <= ELSEWHERE}
        assert {told.name for told in own.OWN_ATTRIBUTES} - elsewhere - WITH_A_JOURNAL <= seen

    def test_every_constant_is_in_the_table(self) -> None:
        """A name of our own that the code knows has its meaning in the table."""
        names = {
            value
            for name, value in vars(semconv).items()
            if name.isupper() and isinstance(value, str) and value.startswith(OURS)
        }
        events = {event.name for event in own.OWN_EVENTS}
        attributes = {told.name.removesuffix(".<key>") for told in own.OWN_ATTRIBUTES}
        assert names - events == attributes - events

    def test_our_names_are_not_the_conventions(self) -> None:
        """We take no name that the conventions have, nor one within their namespace."""
        for told in own.OWN_ATTRIBUTES:
            assert told.name not in REGISTRY["attributes"]
            assert not told.name.startswith("gen_ai.")

    def test_no_name_is_another_s_namespace(self) -> None:
        """No attribute's name is the beginning of another's: backends nest them."""
        names = [told.name.removesuffix(".<key>") for told in own.OWN_ATTRIBUTES]
        assert len(set(names)) == len(names)
        assert not [
            (name, other) for name in names for other in names if other.startswith(f"{name}.")
        ]


def own_attribute(name: str) -> own.OwnAttribute | None:
    """Return the row of our table that tells of an attribute."""
    for told in own.OWN_ATTRIBUTES:
        prefix = told.name.removesuffix("<key>")
        if name == told.name or (prefix != told.name and name.startswith(prefix)):
            return told
    return None


def written(case: Case) -> Iterator[tuple[str, str, Any]]:
    """Yield our own attributes that are on spans, events and links: name, place and value."""
    for span in case.spans:
        for name, value in span.attributes.items():
            if name.startswith(OURS):
                yield name, place_of(span), value
        for event in span.events:
            for name, value in event.attributes.items():
                if name.startswith(OURS):
                    yield name, event.name, value
        for link in span.links:
            for name, value in link.attributes.items():
                yield name, own.LINKS, value


def place_of(span: SpanRecord) -> str:
    """Return the kind of a span's run, as our table calls it."""
    operation = span.attributes.get("gen_ai.operation.name")
    kinds = {
        "invoke_agent": "agent",
        "invoke_workflow": "workflow",
        "execute_tool": "tool",
        "retrieval": "retriever",
    }
    if operation is None:
        return "node" if span.name.startswith("node ") else "runnable"
    return kinds.get(str(operation), str(operation))


LEGACY: Final = REGISTRY["legacy"]["attributes"].keys()
ELSEWHERE: Final = {own.LOG_RECORDS, own.METRICS}
WITH_A_JOURNAL: Final = {"langgraph.graph.id"}

# On spans whose definition does not list them: the thread is told on each span of a run, and
# what a store's own model is called belongs to retrieval in both editions; HTTP's own count of
# requests that were sent again is on the model's call, which has no span of each request.
BESIDE: Final = {"gen_ai.conversation.id", "session.id", "user.id", "http.request.resend_count"}

NOT_TO_BE_HAD: Final = {
    "gen_ai.prompt.name": "LangChain tells of prompts' texts, not of their names",
    "gen_ai.prompt.version": "as above",
    "gen_ai.conversation.compacted": "nothing tells of it",
    "gen_ai.agent.description": "LangGraph's graphs have none",
    "gen_ai.retrieval.top_k": "retrievers do not tell their arguments",
    "gen_ai.request.top_k": "on retrieval: as above; on models it is checked by test_model_truth",
    "gen_ai.usage.text.cache_read.input_tokens": "LangChain splits no cache by modality",
    "gen_ai.usage.image.cache_read.input_tokens": "as above",
    "gen_ai.usage.audio.cache_read.input_tokens": "as above",
}
# Recommended on an agent's span too, where the spans of its models tell it: backends that sum
# over a trace would count it twice.
OF_THE_MODELS: Final = frozenset(
    {
        "gen_ai.request.model",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.request.max_tokens",
        "gen_ai.request.temperature",
        "gen_ai.request.top_p",
        "gen_ai.request.stop_sequences",
        "gen_ai.request.frequency_penalty",
        "gen_ai.request.presence_penalty",
        "gen_ai.response.finish_reasons",
        "gen_ai.provider.name",
        "gen_ai.agent.id",
        "gen_ai.agent.version",
    }
)
COMPLETION: Final = frozenset(
    name
    for name, told in REGISTRY["spans"]["gen_ai.client.inference"]["attributes"].items()
    if told["level"] == "recommended" and name != "gen_ai.response.model"
) | {"gen_ai.usage.cache_creation.input_tokens"}
NOT_TOLD: Final = {
    "invoke_agent": OF_THE_MODELS,
    # What chat models are checked for by the same code.
    "text_completion": COMPLETION,
    "retrieval": frozenset({"server.address"}),
}


def _only_of(*operations: str) -> Callable[[str, SpanRecord], bool | None]:
    return lambda operation, _span: True if operation in operations else None


CONDITIONS: Final[Mapping[str, Callable[[str, SpanRecord], bool | None]]] = {
    "error.type": lambda _operation, span: span.status == "error",
    "gen_ai.request.model": _only_of("chat", "text_completion"),
    # An agent to which nobody has given a name has none.
    "gen_ai.agent.name": lambda operation, span: (
        span.name != operation if operation == "invoke_agent" else None
    ),
    "gen_ai.workflow.name": _only_of("invoke_workflow"),
    "gen_ai.data_source.id": _only_of("retrieval"),
    "gen_ai.provider.name": _only_of("chat", "text_completion"),
    # Whatever is outside of a graph is in no thread.
    "gen_ai.conversation.id": lambda operation, span: (
        "langgraph.node" in span.attributes or operation.startswith("invoke_")
    ),
    "gen_ai.request.stream": lambda operation, span: (
        any(event.name == "on_chat_model_stream" for event in span.events)
        if operation in ("chat", "text_completion")
        else None
    ),
    "gen_ai.request.choice.count": lambda _operation, span: span.name == "chat tiny-1",
    "gen_ai.request.seed": lambda _operation, span: span.name == "chat tiny-1",
    "gen_ai.output.type": lambda _operation, span: (
        True if span.name == "chat tiny-1" else None if span.name == "chat speaker-1" else False
    ),
    "server.port": lambda _operation, span: "server.address" in span.attributes,
}
