"""`configure_logging`: an application's own lines, each with the run in which it is written."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import given
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from pydantic import SecretStr

from nodespan.telemetry import (
    ConfigurationError,
    OpenTelemetryLogProcessor,
    add_run_context,
    configure_logging,
)
from nodespan.telemetry._logs.lines import diagnostics
from support.process_state import LoggerState, undo_configure_logging
from support.strangers import ASTREAM, STREAM, Call, State, Talker
from support.values import VALUES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from subprocess import CompletedProcess

    from support.traced import Traced

    RunPython = Callable[..., CompletedProcess[str]]

# The ways in do not differ in what is logged.
by_handler = pytest.mark.parametrize("traced", ["handler"], indirect=True)

PLANTED = "the-planted-content"
FIVE = {"trace_id", "span_id", "run_id", "thread_id", "node"}


class Terminal(io.StringIO):
    """A stream that somebody looks at."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


@pytest.fixture(autouse=True)
def _logging_is_what_it_was() -> Iterator[None]:
    """Put structlog and the root logger back, which these tests set up as applications do."""
    root = logging.getLogger()
    before = LoggerState.of(root)
    yield
    undo_configure_logging()
    before.put_back(root)


@pytest.fixture
def out() -> io.StringIO:
    """What lines are written to."""
    return io.StringIO()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    """Return the lines that were written as JSON."""
    return [json.loads(line, parse_constant=pytest.fail) for line in out.getvalue().splitlines()]


def graph_of(body: Any) -> Any:
    """Return a graph of one node."""
    graph = StateGraph(State)
    graph.add_node("ask", body)
    graph.add_edge(START, "ask")
    return graph.compile(InMemorySaver())


@by_handler
@pytest.mark.parametrize("library", ["structlog", "logging"])
@pytest.mark.parametrize("call", [STREAM, ASTREAM], ids=str)
def test_each_line_in_a_run_has_the_run(
    traced: Traced, out: io.StringIO, library: str, call: Call
) -> None:
    """Trace, span, run, thread and node are on lines of structlog and, if asked for, others'."""
    configure_logging(format="json", stream=out, standard_library=True)
    get = structlog.get_logger if library == "structlog" else logging.getLogger

    def ask(_state: State) -> State:
        get("app").info("looking")
        return {}

    call.run(graph_of(ask), {"messages": []}, traced.thread("t-1"))
    (line,) = [line for line in lines(out) if line["logger"] == "app"]
    assert line.keys() >= FIVE
    assert (line["event"], line["level"], line["thread_id"]) == ("looking", "info", "t-1")
    assert line["span_id"] == traced.span("node ask").span_id


@by_handler
def test_an_awaited_line_and_one_of_a_worker_thread_have_the_run(
    traced: Traced, out: io.StringIO
) -> None:
    """`ainfo` writes in a thread of its own, and a parallel node runs in one."""
    configure_logging(format="json", stream=out)
    log = structlog.get_logger()
    together = threading.Barrier(2, timeout=10)

    async def ask(_state: State) -> State:
        await log.ainfo("awaited")
        return {}

    def parallel(name: str) -> Any:
        def body(_state: State) -> State:
            together.wait()
            log.info(name, thread=threading.current_thread() is threading.main_thread())
            return {}

        return body

    asyncio.run(graph_of(ask).ainvoke({"messages": []}, traced.thread("t")))
    graph = StateGraph(State)
    for name in ("a", "b"):
        graph.add_node(name, parallel(name))
        graph.add_edge(START, name)
    graph.compile().invoke({"messages": []}, traced.config())
    told = {line["event"]: line for line in lines(out) if "logger" not in line}
    assert {event: line["node"] for event, line in told.items()} == {
        "awaited": "ask",
        "a": "a",
        "b": "b",
    }
    assert told["awaited"].keys() >= FIVE
    assert not told["a"]["thread"]


def test_a_terminal_gets_text_and_all_else_json(
    out: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The format is for whoever reads; colours are for terminals that have not declined them."""
    terminal, plain = Terminal(), Terminal()
    configure_logging(stream=out)
    structlog.get_logger().info("hello", count=3)
    configure_logging(stream=terminal)
    structlog.get_logger().info("hello", count=3)
    monkeypatch.setenv("NO_COLOR", "1")
    configure_logging(stream=plain)
    structlog.get_logger().info("hello", count=3)
    assert lines(out)[0]["count"] == 3
    assert "hello" in terminal.getvalue()
    assert "\x1b[" in terminal.getvalue()
    assert "[info     ] hello" in plain.getvalue()
    assert "count=3" in plain.getvalue()


def test_nobodys_logging_changes_unasked(run_python: RunPython) -> None:
    """To import, to configure telemetry and to trace a failing run changes and prints nothing."""
    code = """
import logging
before = (logging.root.handlers[:], logging.root.level)
import structlog
from langchain_core.runnables import RunnableLambda
from nodespan.telemetry import configure
with configure() as telemetry:
    config = {"callbacks": [telemetry.handler()]}
    RunnableLambda(str).invoke(1, config)
    try: RunnableLambda(lambda _: 1 / 0).invoke(1, config)
    except ZeroDivisionError: pass
assert (logging.root.handlers, logging.root.level) == before
assert not structlog.is_configured()
assert logging.getLogger("nodespan").level == logging.NOTSET
"""
    result = run_python(code)
    assert (result.stdout, result.stderr) == ("", "")


def test_lines_of_the_standard_library_are_taken_when_asked_for(out: io.StringIO) -> None:
    """Without it they go where they went; with it they are written beside that."""
    own = io.StringIO()
    logging.getLogger().addHandler(logging.StreamHandler(own))
    configure_logging(format="json", stream=out)
    logging.getLogger("lib").warning("one")
    assert (out.getvalue(), own.getvalue()) == ("", "one\n")
    configure_logging(format="json", stream=out, standard_library=True)
    logging.getLogger("lib").warning(
        "two %s", 2, extra={"size": 3, "event": "mine"}, stack_info=True
    )
    (line,) = lines(out)
    assert (line["event"], line["level"], line["logger"]) == ("two 2", "warning", "lib")
    assert line["size"] == 3
    assert line["stack"].startswith("Stack (most recent call last)")
    assert own.getvalue().startswith("one\ntwo 2\n")
    configure_logging(format="json", stream=out)
    logging.getLogger("lib").warning("three")
    assert len(lines(out)) == 1


@by_handler
@pytest.mark.parametrize("standard_library", [False, True])
def test_nodespans_own_lines_are_written_once_and_have_no_content(
    traced: Traced, out: io.StringIO, *, standard_library: bool
) -> None:
    """Start, first chunk and end of a run, whoever else listens to its loggers."""
    logging.getLogger().addHandler(logging.StreamHandler(io.StringIO()))
    configure_logging(format="json", stream=out, standard_library=standard_library)
    list(Talker(answer=PLANTED).stream(PLANTED, traced.config()))
    with pytest.raises(ValueError, match=PLANTED):
        Talker(fails_with=ValueError(PLANTED)).invoke(PLANTED, traced.config())
    told = lines(out)
    assert [(line["level"], line["event"], line["run"]) for line in told] == [
        ("info", "run started", "chat talker"),
        ("info", "first chunk", "chat talker"),
        ("info", "run ended", "chat talker"),
        ("info", "run started", "chat talker"),
        ("warning", "run ended", "chat talker"),
    ]
    assert told[2]["outcome"] == "ok"
    assert told[4]["error_type"] == "ValueError"
    assert PLANTED not in out.getvalue()


@by_handler
def test_lines_are_as_many_for_a_long_stream_as_for_a_short_one(
    traced: Traced, out: io.StringIO
) -> None:
    """Nothing is logged on the token path, at whatever level."""
    configure_logging(format="json", level="debug", stream=out, standard_library=True)
    list(Talker(answer="word " * 500).stream("hello", traced.config()))
    assert [line["event"] for line in lines(out) if line["logger"].startswith("nodespan")] == [
        "run started",
        "first chunk",
        "run ended",
    ]


def test_an_exception_is_told_by_class_and_frames(out: io.StringIO) -> None:
    """Its message may be content, and so may the lines of source."""
    configure_logging(format="json", stream=out, standard_library=True)
    try:
        raise ValueError(PLANTED)  # noqa: TRY301 - the planted line of source
    except ValueError as error:
        structlog.get_logger().exception("failed", error=error)
        structlog.get_logger().error("failed", exc_info=error)
        logging.getLogger("lib").exception("failed")
    for line in lines(out):
        assert line["exception_type"] == "ValueError"
        assert "in test_an_exception_is_told_by_class_and_frames" in line["exception"]
    assert lines(out)[0]["error"] == "<ValueError>"
    assert PLANTED not in out.getvalue()
    assert "planted line" not in out.getvalue()


@pytest.mark.parametrize("format", ["json", "console"])
def test_an_exceptions_message_is_told_when_asked_for(out: io.StringIO, format: Any) -> None:  # noqa: A002
    """Where it is wanted, it is Python's own text, its causes too, and without locals."""
    configure_logging(format=format, stream=out, exception_messages=True)
    hidden = PLANTED.upper()
    try:
        try:
            raise KeyError("cause")  # noqa: TRY301
        except KeyError as error:
            raise ValueError(PLANTED) from error
    except ValueError:
        structlog.get_logger().exception("failed")
    assert f"ValueError: {PLANTED}" in out.getvalue()
    assert "KeyError: 'cause'" in out.getvalue()
    assert hidden not in out.getvalue()


@pytest.mark.parametrize("format", ["json", "console"])
def test_no_line_has_credentials(out: io.StringIO, format: Any) -> None:  # noqa: A002
    """Neither by name, nor by shape, nor as pydantic's secrets, nor deep inside."""
    configure_logging(format=format, stream=out)
    structlog.get_logger().info(
        "connecting to https://me:s3cret@host/",
        api_key="s3cret",
        wrapped=SecretStr("s3cret"),
        config={"headers": {"authorization": "s3cret"}},
        url="postgres://me:s3cret@host/db",
    )
    assert "connecting to" in out.getvalue()
    assert "s3cret" not in out.getvalue()


@given(value=VALUES)
def test_a_line_of_json_is_one_line_of_json(value: Any) -> None:
    """Whatever the application puts into it."""
    out = io.StringIO()
    configure_logging(format="json", stream=out)
    structlog.get_logger().info("event", value=value, text="a\nb\u2028c\ud800")
    assert out.getvalue().count("\n") == 1
    (line,) = [json.loads(text, parse_constant=pytest.fail) for text in [out.getvalue()]]
    assert line["text"] == "a\nb\u2028c\ufffd"


def test_a_huge_value_is_cut(out: io.StringIO) -> None:
    """A line has a bound."""
    configure_logging(format="json", stream=out)
    structlog.get_logger().info("event", value=["x" * 1_000] * 10_000)
    assert len(out.getvalue()) < 150_000
    assert lines(out)[0]["event"] == "event"


@pytest.mark.parametrize("standard_library", [False, True])
def test_a_stream_that_takes_no_lines_does_not_reach_the_application(
    *, standard_library: bool
) -> None:
    """A line that cannot be written is counted; one with characters that cannot be, is."""
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    configure_logging(format="console", stream=narrow, standard_library=standard_library)
    structlog.get_logger().info("Miaü 😺")
    assert b"Mia\\xfc \\U0001f63a" in narrow.buffer.getvalue()  # type: ignore[attr-defined]
    narrow.close()
    before = diagnostics.counts.get("line could not be written", 0)
    structlog.get_logger().info("Meow")
    logging.getLogger("nodespan.telemetry.runs").warning("Meow")
    assert diagnostics.counts["line could not be written"] >= before + 2


def test_standard_error_is_looked_up_when_a_line_is_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A stream that was put in its place since then gets the lines."""
    log = structlog.get_logger()
    configure_logging(format="json")
    log.info("hello")
    assert json.loads(capsys.readouterr().err)["event"] == "hello"


def test_the_level_holds_for_all_lines(out: io.StringIO) -> None:
    """Below it nothing is written, of structlog, of others, and of nodespan."""
    configure_logging(format="json", level="WARNING", stream=out, standard_library=True)
    for log in (structlog.get_logger(), logging.getLogger("lib")):
        log.info("no")
        log.warning("yes")
    assert [line["event"] for line in lines(out)] == ["yes", "yes"]
    assert not logging.getLogger("nodespan.telemetry.runs").isEnabledFor(logging.INFO)


def test_other_handlers_lose_no_line(out: io.StringIO) -> None:
    """An application that logs more than is asked for here goes on getting all of it."""
    root, own = logging.getLogger(), io.StringIO()
    root.setLevel(logging.DEBUG)
    root.addHandler(logging.StreamHandler(own))
    configure_logging(format="json", level="warning", stream=out, standard_library=True)
    logging.getLogger("lib").debug("hello")
    assert (own.getvalue(), out.getvalue()) == ("hello\n", "")


def test_what_is_bound_to_the_context_is_on_each_line(out: io.StringIO) -> None:
    """The context variables of structlog go on working, for other loggers' lines too."""
    configure_logging(format="json", stream=out, standard_library=True)
    structlog.contextvars.bind_contextvars(request="r-1")
    structlog.get_logger().info("one")
    logging.getLogger("lib").info("two")
    assert [line["request"] for line in lines(out)] == ["r-1", "r-1"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"format": "xml"}, "format is 'xml'; use one of console, json"),
        ({"level": "loud"}, "level is 'loud'; use one of debug, info"),
        ({"level": 17}, "level is 17"),
        ({"level": True}, "level is True"),
        ({"level": None}, "level is None"),
    ],
    ids=str,
)
def test_a_bad_setting_is_named_with_the_way_out(settings: dict[str, Any], told: str) -> None:
    """An unusable value raises at once, and nothing was set up."""
    with pytest.raises(ConfigurationError, match=told):
        configure_logging(**settings)
    assert not structlog.is_configured()


@pytest.fixture
def sent() -> Iterator[InMemoryLogRecordExporter]:
    """Keeps what was sent to OpenTelemetry logs."""
    exporter = InMemoryLogRecordExporter()
    yield exporter
    exporter.shutdown()


@pytest.fixture
def logger_provider(sent: InMemoryLogRecordExporter) -> LoggerProvider:
    """Makes loggers of OpenTelemetry."""
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(sent))
    return provider


@by_handler
def test_lines_are_log_records_in_their_span(
    traced: Traced,
    out: io.StringIO,
    sent: InMemoryLogRecordExporter,
    logger_provider: LoggerProvider,
) -> None:
    """Body, severity, scope, ids and attributes are where OpenTelemetry has them."""
    configure_logging(format="json", stream=out, logger_provider=logger_provider)

    def ask(_state: State) -> State:
        structlog.get_logger("app").warning("looking", count=3, api_key="s3cret", gone=None)
        return {}

    graph_of(ask).invoke({"messages": []}, traced.thread("t-1"))
    (told,) = [
        record
        for record in sent.get_finished_logs()
        if record.instrumentation_scope and record.instrumentation_scope.name == "app"
    ]
    record = told.log_record
    assert (record.body, record.severity_text) == ("looking", "WARN")
    assert record.severity_number is not None
    assert record.severity_number.name == "WARN"
    span = traced.span("node ask")
    assert f"{record.trace_id:032x}/{record.span_id:016x}" == f"{span.trace_id}/{span.span_id}"
    (line,) = [line for line in lines(out) if line["logger"] == "app"]
    assert dict(record.attributes or {}) == {
        "count": 3,
        "langchain.run_id": line["run_id"],
        "gen_ai.conversation.id": "t-1",
        "langgraph.node": "ask",
    }


@by_handler
def test_nodespans_own_lines_are_sent_in_the_span_of_their_run(
    traced: Traced, sent: InMemoryLogRecordExporter, logger_provider: LoggerProvider
) -> None:
    """The end of a run too, when its body is left."""
    configure_logging(format="json", stream=io.StringIO(), logger_provider=logger_provider)
    list(Talker().stream("hello", traced.config()))
    span = traced.span("chat talker")
    told = [record.log_record for record in sent.get_finished_logs()]
    assert [record.body for record in told] == ["run started", "first chunk", "run ended"]
    assert {f"{record.span_id:016x}" for record in told} == {span.span_id}
    assert all("trace_id" not in (record.attributes or {}) for record in told)
    assert all("langchain.run_id" in (record.attributes or {}) for record in told)


@by_handler
def test_the_processors_work_in_a_chain_of_the_applications_own(
    traced: Traced,
    out: io.StringIO,
    sent: InMemoryLogRecordExporter,
    logger_provider: LoggerProvider,
) -> None:
    """Who has structlog set up takes the two that there are, and keeps the rest."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            add_run_context,
            OpenTelemetryLogProcessor(logger_provider),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(out),
    )

    def ask(_state: State) -> State:
        try:
            raise ValueError(PLANTED)  # noqa: TRY301 - of the body
        except ValueError:
            structlog.get_logger().exception("failed")
        return {}

    graph_of(ask).invoke({"messages": []}, traced.thread("t-1"))
    (line,) = lines(out)
    assert line.keys() >= FIVE
    assert PLANTED in line["exception"], "the application's chain is the application's"
    (record,) = [told.log_record for told in sent.get_finished_logs()]
    attributes = dict(record.attributes or {})
    assert (record.body, record.severity_text) == ("failed", "ERROR")
    assert attributes["exception.type"] == "ValueError"
    assert "in ask" in str(attributes["exception.stacktrace"])
    assert PLANTED not in repr(attributes)


def test_what_sending_itself_logs_is_not_sent(
    sent: InMemoryLogRecordExporter, logger_provider: LoggerProvider
) -> None:
    """Or each export would be the next one's reason."""
    settings: Any = {"format": "json", "stream": io.StringIO(), "standard_library": True}
    configure_logging(**settings, logger_provider=logger_provider)
    logging.getLogger("opentelemetry.exporter").info("sending")
    token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, value=True))
    logging.getLogger("urllib3").info("connecting")
    detach(token)
    assert not sent.get_finished_logs()


def test_a_provider_that_fails_does_not_reach_the_application(out: io.StringIO) -> None:
    """The line is written; that it was not sent is counted."""

    class Broken(LoggerProvider):
        def get_logger(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError

    configure_logging(format="json", stream=out, logger_provider=Broken(shutdown_on_exit=False))
    before = diagnostics.counts.get("line could not be sent", 0)
    structlog.get_logger().info("hello")
    assert lines(out)[-1]["event"] == "hello"
    assert diagnostics.counts["line could not be sent"] > before
