"""The handler's own lines: starts, first chunks and ends, in numbers and without content."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import RetryPolicy, interrupt
from opentelemetry import trace

from nodespan.telemetry import OpenTelemetryCallbackHandler
from support.strangers import AINVOKE, ASTREAM, EVENTS_V3, INVOKE, STREAM, Call, State, Talker

if TYPE_CHECKING:
    from support.traced import Traced

# The ways in do not differ in what is logged.
pytestmark = pytest.mark.parametrize("traced", ["handler"], indirect=True)

PLANTED = "the-planted-content"
LOGGER = "nodespan.telemetry.runs"


def asking(model: Any) -> Any:
    """Return a graph of one node that asks a model."""
    graph = StateGraph(State)
    graph.add_node("ask", lambda state: {"messages": [model.invoke(state["messages"])]})
    graph.add_edge(START, "ask")
    return graph.compile(InMemorySaver())


def lines(caplog: pytest.LogCaptureFixture, event: str = "") -> list[logging.LogRecord]:
    """Return the handler's own lines that begin with *event*."""
    return [
        record
        for record in caplog.records
        if record.name == LOGGER and record.getMessage().startswith(event)
    ]


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return level, event and run of each line."""
    return [
        f"{record.levelname} {str(record.msg).split(' run=')[0]}: {vars(record)['run']}"
        for record in lines(caplog)
    ]


@pytest.fixture(autouse=True)
def _log_at_info(caplog: pytest.LogCaptureFixture) -> None:
    """The level that one would leave on in production."""
    caplog.set_level(logging.INFO, logger=LOGGER)


@pytest.mark.parametrize("call", [STREAM, ASTREAM, INVOKE, AINVOKE], ids=str)
def test_graphs_and_models_are_told_at_level_info(
    traced: Traced, caplog: pytest.LogCaptureFixture, call: Call
) -> None:
    """A graph and its model start, stream and end; the node in between is a detail."""
    call.run(asking(Talker()), {"messages": [("user", "hi")]}, traced.thread("t"))
    assert [line for line in told(caplog) if "first chunk" not in line] == [
        "INFO run started: invoke_workflow LangGraph",
        "INFO run started: chat talker",
        "INFO run ended: chat talker",
        "INFO run ended: invoke_workflow LangGraph",
    ]


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
@pytest.mark.parametrize("call", [STREAM, ASTREAM, EVENTS_V3], ids=str)
def test_the_first_chunk_is_told_once_and_when_it_comes(
    traced: Traced, caplog: pytest.LogCaptureFixture, call: Call
) -> None:
    """The line is there before the second chunk, with the time that it took."""
    seen: list[int] = []

    def looks(_body: str, _given: int) -> None:
        seen.append(len(lines(caplog, "first chunk")))
        time.sleep(0.002)

    call.run(Talker(looks=looks), "hello", traced.config())
    assert seen == [0, 1, 1, 1, 1]
    (first,) = lines(caplog, "first chunk")
    (ended,) = lines(caplog, "run ended")
    assert 0.002 <= vars(first)["time_to_first_chunk"] < 1
    difference = vars(first)["time_to_first_chunk"] - vars(ended)["time_to_first_chunk"]
    assert abs(difference) < 0.001


def test_an_end_has_numbers(traced: Traced, caplog: pytest.LogCaptureFixture) -> None:
    """Outcome, duration in seconds, chunks, gaps and tokens, as on the span."""
    model = Talker(reports_usage=True, looks=lambda *_: time.sleep(0.001))
    STREAM.run(model, "hello", traced.config())
    (record,) = lines(caplog, "run ended")
    fields = vars(record)
    span = traced.spans[0]
    assert (fields["outcome"], fields["chunks"]) == ("ok", 3)
    assert (fields["input_tokens"], fields["output_tokens"]) == (1, 3)
    assert fields["duration"] == pytest.approx((span.end_ns - span.start_ns) / 1e9, abs=1e-6)
    assert 0.001 <= fields["gap_p95"] <= fields["gap_max"] * 1.05
    assert "outcome='ok'" in record.getMessage()


def test_each_line_tells_the_run_and_has_its_span_current(
    traced: Traced, caplog: pytest.LogCaptureFixture
) -> None:
    """Ids are on the line, and in the context for whoever adds them from there."""
    current: list[int] = []

    class Watch(logging.Filter):
        def filter(self, _record: logging.LogRecord) -> bool:
            current.append(trace.get_current_span().get_span_context().span_id)
            return True

    watch = Watch()
    logging.getLogger(LOGGER).addFilter(watch)
    asking(Talker()).invoke({"messages": [("user", "hi")]}, traced.thread("t-7"))
    logging.getLogger(LOGGER).removeFilter(watch)
    chat = traced.span("chat talker")
    of_chat = [vars(line) for line in lines(caplog) if vars(line)["run"] == "chat talker"]
    assert {line["span_id"] for line in of_chat} == {chat.span_id}
    assert {line["trace_id"] for line in of_chat} == {chat.trace_id}
    assert {(line["thread_id"], line["node"]) for line in of_chat} == {("t-7", "ask")}
    assert len({line["run_id"] for line in of_chat}) == 1
    assert [f"{span_id:016x}" for span_id in current] == [
        vars(line)["span_id"] for line in lines(caplog)
    ]


def test_nodes_are_told_at_level_debug(traced: Traced, caplog: pytest.LogCaptureFixture) -> None:
    """Who wants to see each step sees each step."""
    caplog.set_level(logging.DEBUG, logger=LOGGER)
    asking(Talker()).invoke({"messages": [("user", "hi")]}, traced.thread("t"))
    assert "DEBUG run started: node ask" in told(caplog)
    assert "DEBUG run ended: node ask" in told(caplog)


def test_a_line_tells_the_attempt(traced: Traced, caplog: pytest.LogCaptureFixture) -> None:
    """Where a node is tried again, the lines of each attempt have its number."""
    caplog.set_level(logging.DEBUG, logger=LOGGER)
    fails = [ValueError(), ValueError()]

    def body(_state: State) -> State:
        if fails:
            raise fails.pop()
        return {}

    graph = StateGraph(State)
    again = RetryPolicy(max_attempts=3, initial_interval=0.001, jitter=False, retry_on=ValueError)
    graph.add_node("try", body, retry_policy=again)
    graph.add_edge(START, "try")
    graph.compile().invoke({"messages": []}, traced.config())
    ends = [vars(line) for line in lines(caplog, "run ended")]
    tries = [(end["attempt"], end["outcome"]) for end in ends if end["run"] == "node try"]
    assert tries == [(1, "error"), (2, "error"), (3, "ok")]


def test_a_failure_is_a_warning_where_it_arose_and_at_the_root(
    traced: Traced, caplog: pytest.LogCaptureFixture
) -> None:
    """What lies in between passes it on; each tells the exception's class alone."""
    failing = Talker(fails_with=ValueError(PLANTED))
    with pytest.raises(ValueError, match=PLANTED):
        asking(failing).invoke({"messages": [("user", "hi")]}, traced.thread("t"))
    warnings = [line for line in lines(caplog) if line.levelno == logging.WARNING]
    assert [vars(line)["run"] for line in warnings] == ["chat talker", "invoke_workflow LangGraph"]
    assert {vars(line)["outcome"] for line in warnings} == {"error"}
    assert {vars(line)["error_type"] for line in warnings} == {"ValueError"}
    assert all(line.exc_info is None for line in warnings)


def test_an_interrupt_and_an_abandoned_stream_are_no_failures(
    traced: Traced, caplog: pytest.LogCaptureFixture
) -> None:
    """A person who is waited for, and a consumer that walked away, are told at level INFO."""
    graph = StateGraph(State)
    graph.add_node("wait", lambda _state: interrupt(PLANTED))
    graph.add_edge(START, "wait")
    graph.compile(InMemorySaver()).invoke({"messages": []}, traced.thread("t"))
    stream = Talker().stream("hello", traced.config())
    next(stream)
    stream.close()
    ends = [(line.levelname, vars(line)["outcome"]) for line in lines(caplog, "run ended")]
    assert ends == [("INFO", "interrupted"), ("INFO", "abandoned")]


@pytest.mark.parametrize("call", [INVOKE, STREAM], ids=str)
def test_no_line_has_content(traced: Traced, caplog: pytest.LogCaptureFixture, call: Call) -> None:
    """Prompts, answers, tool arguments and results, interrupts and exceptions are not told."""
    caplog.set_level(logging.DEBUG, logger=LOGGER)

    @tool
    def look(place: str) -> str:
        """Look at a place."""
        return f"{place} {PLANTED}"

    def node(_state: State) -> State:
        look.invoke({"place": PLANTED})
        answer = Talker(answer=PLANTED).invoke(PLANTED)
        try:
            Talker(fails_with=RuntimeError(PLANTED)).invoke(PLANTED)
        except RuntimeError:
            interrupt({"text": PLANTED})
        return {"messages": [answer]}

    graph = StateGraph(State)
    graph.add_node("node", node)
    graph.add_edge(START, "node")
    call.run(
        graph.compile(InMemorySaver()),
        {"messages": [("user", PLANTED)]},
        traced.thread("t", metadata={"note": PLANTED}, tags=[PLANTED]),
    )
    assert len(lines(caplog)) > 8
    for record in lines(caplog):
        assert PLANTED not in record.getMessage()
        assert PLANTED not in repr(vars(record))


def test_what_an_application_logs_with_does_not_reach_it(
    traced: Traced, caplog: pytest.LogCaptureFixture
) -> None:
    """A filter that raises costs its lines; the call goes on, and the trouble is counted."""
    del caplog

    class Broken(logging.Filter):
        def filter(self, _record: logging.LogRecord) -> bool:
            raise RuntimeError

    broken = Broken()
    logging.getLogger(LOGGER).addFilter(broken)
    chunks = list(Talker().stream("hello", traced.config()))
    logging.getLogger(LOGGER).removeFilter(broken)
    assert "".join(str(chunk.content) for chunk in chunks) == "so it is "
    counts = traced.handler.diagnostics.counts
    assert counts == {
        "RunLog missed a start": 1,
        "first chunk could not be logged": 1,
        "RunLog missed an end": 1,
    }
    traced.handler.diagnostics._counts.clear()


def test_a_stall_is_a_warning_while_it_lasts(
    traced: Traced, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged once, before the chunk has come, with its run; the run's end counts it."""
    seen: list[logging.LogRecord] = []

    def wait(_: Any, given: int) -> None:
        deadline = time.monotonic() + 10
        while given == 1 and not seen and time.monotonic() < deadline:
            seen.extend(lines(caplog, "stream stalled"))

    handler = OpenTelemetryCallbackHandler(
        tracer_provider=traced.tracer_provider, stall_threshold=0.05
    )
    list(Talker(answer="one two three", looks=wait).stream("hello", {"callbacks": [handler]}))
    (stalled,) = lines(caplog, "stream stalled")
    assert seen == [stalled]
    assert stalled.levelno == logging.WARNING
    fields = vars(stalled)
    assert (fields["run"], fields["chunk"]) == ("chat talker", 1)
    assert fields["waited"] > 0.05
    (ended,) = lines(caplog, "run ended")
    assert vars(ended)["stalls"] == 1


def test_where_nobody_listens_nothing_watches(traced: Traced, monkeypatch: Any) -> None:
    """Without a handler for warnings no thread looks at streams."""
    monkeypatch.setattr(logging.getLogger(LOGGER), "propagate", False)
    before = set(threading.enumerate())
    handler = OpenTelemetryCallbackHandler(tracer_provider=traced.tracer_provider)
    stream = Talker().stream("hello", {"callbacks": [handler]})
    next(stream)
    assert set(threading.enumerate()) <= before
    list(stream)
