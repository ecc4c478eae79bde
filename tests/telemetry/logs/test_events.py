"""The events of models as OpenTelemetry log records, while they happen."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from opentelemetry import _logs
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from nodespan.telemetry import (
    ConfigurationError,
    OpenTelemetryCallbackHandler,
    SpanCollector,
    instrument,
    uninstrument,
)
from nodespan.telemetry._logs import events as log_events
from support.strangers import AINVOKE, ASTREAM, EVENTS_V3, INVOKE, STREAM, Call, State, Talker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_core.runnables import RunnableConfig
    from opentelemetry.sdk._logs import ReadableLogRecord

PLANTED = "the-planted-content"
DETAILS = "gen_ai.client.inference.operation.details"
CHUNKS = "on_chat_model_stream"


@dataclass
class Logged:
    """A handler, and the records and spans that it makes."""

    exporter: InMemoryLogRecordExporter = field(default_factory=InMemoryLogRecordExporter)
    spans: SpanCollector = field(default_factory=SpanCollector)
    handlers: list[OpenTelemetryCallbackHandler] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.logger_provider = LoggerProvider(shutdown_on_exit=False)
        self.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self.exporter))
        self.tracer_provider = TracerProvider(shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(self.spans)

    def config(self, **settings: Any) -> RunnableConfig:
        """Return the config of a call with a handler of these settings."""
        handler = OpenTelemetryCallbackHandler(
            tracer_provider=settings.pop("tracer_provider", self.tracer_provider),
            logger_provider=self.logger_provider,
            **settings,
        )
        handler.raise_error = True
        self.handlers.append(handler)
        return {"callbacks": [handler], "configurable": {"thread_id": "t-1"}}

    @property
    def records(self) -> list[Any]:
        """The records so far."""
        return [told.log_record for told in self.exporter.get_finished_logs()]

    def named(self, name: str) -> list[dict[str, Any]]:
        """Return the attributes of the records of that name."""
        return [dict(record.attributes) for record in self.records if record.event_name == name]

    @property
    def names(self) -> list[str]:
        """The names of the records so far, without the chunks'."""
        return [record.event_name for record in self.records if record.event_name != CHUNKS]


@pytest.fixture
def logged() -> Iterator[Logged]:
    """Keeps records and spans, and fails where telemetry met trouble."""
    logged = Logged()
    yield logged
    for handler in logged.handlers:
        assert handler.open_runs == 0, "a run is open"
        assert handler.diagnostics.counts == {}, "telemetry has met trouble"


@pytest.fixture
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the streams fifty times a second."""
    monkeypatch.setattr(log_events, "LOOK_EVERY", 0.02)


def until(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be so"
        time.sleep(0.005)


def test_nothing_is_emitted_unless_asked_for(logged: Logged) -> None:
    """A handler with a logger provider and no more than that emits no record."""
    config, before = logged.config(), set(threading.enumerate())
    for call in (INVOKE, STREAM):
        call.run(Talker(), "hello", config)
    assert logged.records == []
    started = set(threading.enumerate()) - before
    assert "nodespan-ticker" not in [thread.name for thread in started]


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
@pytest.mark.parametrize("call", [STREAM, ASTREAM, EVENTS_V3, INVOKE, AINVOKE], ids=str)
def test_a_model_has_records_of_its_start_chunks_and_end(logged: Logged, call: Call) -> None:
    """They are named as the span's events are, and lie in the span's context."""
    model = Talker(reports_usage=True)
    call.run(model, "hello", logged.config(log_events=True))
    assert logged.names == ["on_chat_model_start", "on_chat_model_end"]
    (span,) = logged.spans.records()
    for record in logged.records:
        ids = f"{record.trace_id:032x}/{record.span_id:016x}"
        assert ids == f"{span.trace_id}/{span.span_id}"
        assert record.body is None
    (start,) = logged.named("on_chat_model_start")
    assert start["gen_ai.request.model"] == "talker"
    assert start["gen_ai.operation.name"] == "chat"
    assert start["langchain.run_id"]
    (end,) = logged.named("on_chat_model_end")
    assert end["gen_ai.usage.output_tokens"] == 3
    assert end["nodespan.run.duration"] == pytest.approx((span.end_ns - span.start_ns) / 1e9)
    assert start.items() <= end.items()
    for name in ("nodespan.stream.chunks", "gen_ai.response.time_to_first_chunk"):
        assert end.get(name) == span.attributes.get(name)


@pytest.mark.usefixtures("_often")
@pytest.mark.parametrize("call", [STREAM, ASTREAM], ids=str)
def test_a_stream_can_be_followed_while_it_goes_on(logged: Logged, call: Call) -> None:
    """Before it ends there are records of it, and together they have each chunk once."""
    words = 60
    seen: list[int] = []

    def looks(_body: str, given: int) -> None:
        time.sleep(0.002)
        if given == words:
            seen.append(len(logged.named(CHUNKS)))

    started = time.monotonic()
    call.run(Talker(answer="word " * words, looks=looks), "hello", logged.config(log_events=True))
    told = logged.named(CHUNKS)
    assert seen[0] >= 1
    assert len(told) <= (time.monotonic() - started) / 0.02 + 1
    following = 0
    for record in told:
        assert record["nodespan.stream.window.first_chunk"] == following
        assert record["nodespan.stream.window.chunks"] > 0
        assert record["nodespan.stream.window.duration"] >= 0
        following += record["nodespan.stream.window.chunks"]
        assert record["nodespan.stream.chunks"] == following
    assert following == words
    times = [record.timestamp for record in logged.records]
    assert times == sorted(times)
    (span,) = logged.spans.records()
    assert span.start_ns <= times[0] <= times[-1] == span.end_ns


@pytest.mark.usefixtures("_often")
def test_a_stream_that_stands_still_has_no_records(logged: Logged) -> None:
    """Only what has moved is told of."""
    stream = Talker().stream("hello", logged.config(log_events=True))
    next(stream)
    until(lambda: logged.named(CHUNKS))
    time.sleep(0.1)
    assert len(logged.named(CHUNKS)) == 1
    stream.close()
    assert [end["nodespan.outcome"] for end in logged.named("on_chat_model_end")] == ["abandoned"]


@pytest.mark.usefixtures("_often")
def test_a_stall_is_told_while_it_lasts(logged: Logged) -> None:
    """Once for each chunk that is waited for longer than the threshold, as a warning."""
    stream = Talker().stream("hello", logged.config(log_events=True, stall_threshold=0.05))
    name = "nodespan.stream.stall"
    for awaited in (1, 2):
        next(stream)
        until(lambda awaited=awaited: len(logged.named(name)) == awaited)
    time.sleep(0.1)
    stream.close()
    told = logged.named(name)
    assert [one["nodespan.stream.stall.chunk"] for one in told] == [1, 2]
    assert all(one["nodespan.stream.stall.duration"] > 0.05 for one in told)
    severities = {one.severity_text for one in logged.records if one.event_name == name}
    assert severities == {"WARN"}


@pytest.mark.usefixtures("_often")
def test_a_look_tells_of_a_bounded_number_of_streams(
    logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more streams than that each has its turn, and none loses a chunk."""
    monkeypatch.setattr(log_events, "MAX_RECORDS_A_LOOK", 2)
    config = logged.config(log_events=True)

    async def slowly(_body: str, _given: int) -> None:
        await asyncio.sleep(0.03)

    async def main() -> None:
        models = [Talker(model_name=f"m-{n}", answer="a b c d", waits=slowly) for n in range(5)]
        await asyncio.gather(*(drain(model.astream("hello", config)) for model in models))

    started = time.monotonic()
    asyncio.run(main())
    looks = (time.monotonic() - started) / 0.02
    told = logged.named(CHUNKS)
    assert len(told) <= 2 * looks + 5
    chunks: dict[str, int] = {}
    for record in told:
        model = record["gen_ai.request.model"]
        chunks[model] = chunks.get(model, 0) + record["nodespan.stream.window.chunks"]
    assert chunks == {f"m-{n}": 4 for n in range(5)}


async def drain(stream: Any) -> None:
    """Take all that an async stream gives."""
    async for _ in stream:
        pass


@pytest.mark.usefixtures("_often")
def test_no_thread_stays_when_nothing_streams(logged: Logged) -> None:
    """It goes with the last stream, and comes with the next."""
    config = logged.config(log_events=True)
    for _ in range(2):
        stream = Talker().stream("hello", config)
        next(stream)
        assert "nodespan-ticker" in [thread.name for thread in threading.enumerate()]
        stream.close()
        until(lambda: "nodespan-ticker" not in [thread.name for thread in threading.enumerate()])


def test_a_failure_is_a_warning_with_its_class(logged: Logged) -> None:
    """The end says so, and not what the exception says."""
    model = Talker(fails_with=ValueError(PLANTED), fails_after=2)
    with pytest.raises(ValueError, match=PLANTED):
        STREAM.run(model, PLANTED, logged.config(log_events=True))
    (end,) = [record for record in logged.records if record.event_name == "on_chat_model_end"]
    assert end.severity_text == "WARN"
    assert end.attributes["error.type"] == "ValueError"
    assert end.attributes["nodespan.outcome"] == "error"
    assert PLANTED not in repr(told(logged))


def told(logged: Logged) -> list[Any]:
    """Return all that the records say."""
    return [(record.body, dict(record.attributes)) for record in logged.records]


def test_no_event_has_content_unless_asked_for(logged: Logged) -> None:
    """Neither prompts nor answers nor the application's metadata."""
    for mode in ("NO_CONTENT", "SPAN_ONLY"):
        config = logged.config(log_events=True, capture_content=mode)
        config["metadata"] = {"note": PLANTED}
        STREAM.run(Talker(answer=PLANTED), PLANTED, config)
    assert len(logged.records) == 6
    assert DETAILS not in logged.names
    assert PLANTED not in repr(told(logged))


def test_what_is_not_sampled_is_not_emitted(logged: Logged) -> None:
    """The records of a run follow its trace; where nobody traces, they are emitted."""
    off = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    modes = {"log_events": True, "capture_content": "EVENT_ONLY"}
    STREAM.run(Talker(), "hello", logged.config(tracer_provider=off, **modes))
    assert logged.records == []
    from opentelemetry.trace import NoOpTracerProvider  # noqa: PLC0415

    STREAM.run(Talker(), "hello", logged.config(tracer_provider=NoOpTracerProvider(), **modes))
    assert set(logged.names) == {"on_chat_model_start", "on_chat_model_end", DETAILS}
    assert logged.named(DETAILS)[0]["gen_ai.request.model"] == "talker"


@pytest.mark.parametrize("mode", ["EVENT_ONLY", "SPAN_AND_EVENT"])
@pytest.mark.parametrize("call", [INVOKE, ASTREAM], ids=str)
def test_content_is_on_the_conventions_event(logged: Logged, mode: str, call: Call) -> None:
    """One event a call has all that the span says, and the content as plain data."""
    call.run(Talker(reports_usage=True), "hello", logged.config(capture_content=mode))
    (record,) = logged.records
    assert (record.event_name, record.severity_text) == (DETAILS, "DEBUG")
    (span,) = logged.spans.records()
    assert (record.timestamp, f"{record.span_id:016x}") == (span.end_ns, span.span_id)
    attributes = dict(record.attributes)
    (question,) = attributes.pop("gen_ai.input.messages")
    assert question["role"] == "user"
    assert [dict(part) for part in question["parts"]] == [{"type": "text", "content": "hello"}]
    (answer,) = attributes.pop("gen_ai.output.messages")
    assert [part["content"].strip() for part in answer["parts"]] == ["so it is"]
    on_span = dict(span.attributes)
    had = [on_span.pop(name, None) for name in ("gen_ai.input.messages", "gen_ai.output.messages")]
    assert all(had) == (mode == "SPAN_AND_EVENT")
    assert attributes == on_span


def test_redaction_and_size_hold_on_events(logged: Logged) -> None:
    """What the user withholds is withheld, what is long is cut, and that is counted."""

    def redact(name: str, content: Any) -> Any:
        return None if name.startswith("gen_ai.input") else content

    config = logged.config(capture_content="EVENT_ONLY", redact=redact, max_content_characters=200)
    INVOKE.run(Talker(answer="word " * 1_000), PLANTED, config)
    (attributes,) = logged.named(DETAILS)
    assert PLANTED not in repr(attributes)
    assert "gen_ai.input.messages" not in attributes
    assert len(str(attributes["gen_ai.output.messages"])) < 400
    assert attributes["nodespan.output.dropped"] > 4_000


def test_a_prompt_is_told_as_it_was_given(logged: Logged) -> None:
    """What the application does to its messages afterwards does not change it."""
    from langchain_core.messages import HumanMessage  # noqa: PLC0415

    message = HumanMessage("as given")

    def looks(_body: str, _given: int) -> None:
        message.content = PLANTED

    INVOKE.run(Talker(looks=looks), [message], logged.config(capture_content="EVENT_ONLY"))
    (attributes,) = logged.named(DETAILS)
    assert "as given" in repr(attributes["gen_ai.input.messages"])
    assert PLANTED not in repr(attributes)


def test_a_failed_call_has_its_event_too(logged: Logged) -> None:
    """With what it was given, and with the class of what went wrong."""
    model = Talker(fails_with=ValueError(PLANTED))
    with pytest.raises(ValueError, match=PLANTED):
        INVOKE.run(model, "hello", logged.config(capture_content="EVENT_ONLY"))
    (attributes,) = logged.named(DETAILS)
    assert attributes["error.type"] == "ValueError"
    assert "gen_ai.input.messages" in attributes
    assert PLANTED not in repr(attributes)


@pytest.mark.parametrize(
    ("told", "mode", "expected"),
    [("true", "NO_CONTENT", 1), ("false", "EVENT_ONLY", 0), ("", "EVENT_ONLY", 1)],
)
def test_the_official_variable_switches_the_event(
    logged: Logged, monkeypatch: pytest.MonkeyPatch, told: str, mode: str, expected: int
) -> None:
    """`OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT` has it with or without content, or not at all."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT", told)
    INVOKE.run(Talker(), PLANTED, logged.config(capture_content=mode))
    assert len(logged.named(DETAILS)) == expected
    if mode == "NO_CONTENT":
        assert PLANTED not in repr(logged.named(DETAILS))
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT", "perhaps")
    with pytest.raises(ConfigurationError, match="EMIT_EVENT is 'perhaps'; use true or false"):
        logged.config()


def test_instrument_takes_both_settings(logged: Logged) -> None:
    """Who instruments a whole process follows models as well."""
    instrument(
        tracer_provider=logged.tracer_provider,
        logger_provider=logged.logger_provider,
        log_events=True,
    )
    try:
        list(Talker().stream("hello"))
    finally:
        uninstrument()
    assert logged.names == ["on_chat_model_start", "on_chat_model_end"]


def test_a_model_in_a_graph_tells_its_node(logged: Logged) -> None:
    """The records of a run have its place."""
    graph = StateGraph(State)
    graph.add_node("ask", lambda state: {"messages": [Talker().invoke(state["messages"])]})
    graph.add_edge(START, "ask")
    config = logged.config(log_events=True)
    graph.compile(InMemorySaver()).invoke({"messages": [("user", "hi")]}, config)
    (end,) = logged.named("on_chat_model_end")
    assert (end["langgraph.node"], end["gen_ai.conversation.id"]) == ("ask", "t-1")


@pytest.mark.usefixtures("_often")
def test_a_provider_that_fails_does_not_reach_the_application(logged: Logged) -> None:
    """The stream goes on, and the trouble is counted."""

    class Broken(_logs.NoOpLogger):
        def emit(self, *_: Any, **__: Any) -> None:
            raise RuntimeError

    class Provider(_logs.NoOpLoggerProvider):
        def get_logger(self, name: str, *_: Any, **__: Any) -> Any:
            return Broken(name)

    handler = OpenTelemetryCallbackHandler(
        tracer_provider=logged.tracer_provider,
        logger_provider=Provider(),
        log_events=True,
        capture_content="EVENT_ONLY",
    )
    handler.raise_error = True
    stream = Talker().stream("hello", {"callbacks": [handler]})
    chunks = [next(stream)]
    until(lambda: "LogEvents missed a look" in handler.diagnostics.counts)
    assert len([*chunks, *stream]) == 4
    assert handler.diagnostics.counts == {
        "LogEvents missed a start": 1,
        "LogEvents missed a look": 1,
        "LogEvents missed an end": 1,
        "InferenceEvents missed an end": 1,
    }


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.usefixtures("_often")
def test_a_forked_child_follows_its_own_streams(logged: Logged) -> None:
    """Not its parent's, which the parent follows itself."""
    config = logged.config(log_events=True, capture_content="EVENT_ONLY")
    stream = Talker(answer="a b c").stream("hello", config)
    next(stream)
    inside, outside = os.pipe()
    child = os.fork()
    if not child:
        logged.exporter.clear()
        own = Talker(model_name="child").stream("hello", config)
        next(own)
        until(lambda: logged.named(CHUNKS))
        told = [record["gen_ai.request.model"] for record in logged.named(CHUNKS)]
        os.write(outside, ",".join(told).encode())
        os._exit(0)
    os.close(outside)
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(inside, 100) == b"child"
    os.close(inside)
    list(stream)
    assert sum(one["nodespan.stream.window.chunks"] for one in logged.named(CHUNKS)) == 3


def finished(logged: Logged) -> tuple[ReadableLogRecord, ...]:
    """Return the SDK's own records."""
    return logged.exporter.get_finished_logs()


def test_records_name_their_scope_and_its_conventions(logged: Logged) -> None:
    """As spans do."""
    INVOKE.run(Talker(), "hello", logged.config(log_events=True))
    scope = finished(logged)[0].instrumentation_scope
    assert scope is not None
    assert (scope.name, scope.schema_url) == (
        "nodespan.telemetry",
        "https://opentelemetry.io/schemas/1.41.0",
    )
