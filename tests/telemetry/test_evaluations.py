"""`record_evaluation`: an event and a span beneath the one that is judged, then or later."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from langgraph.graph import START, StateGraph
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from nodespan.telemetry import TelemetryConfig, configure, record_evaluation
from nodespan.telemetry.journal import Journal
from nodespan.telemetry.testing import capture_spans
from support.strangers import State, Talker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nodespan.telemetry.testing import CapturedSpans

PLANTED = "the-planted-explanation"
NAME = "gen_ai.evaluation.name"
SCORE = "gen_ai.evaluation.score.value"
LABEL = "gen_ai.evaluation.score.label"
EXPLANATION = "gen_ai.evaluation.explanation"


@contextmanager
def recorded(**settings: Any) -> Iterator[tuple[CapturedSpans, InMemoryLogRecordExporter]]:
    """Capture spans, and log records beside them."""
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    with capture_spans(logger_provider=provider, **settings) as captured:
        yield captured, exporter


def event(exporter: InMemoryLogRecordExporter) -> Any:
    """Return the only event."""
    (one,) = exporter.get_finished_logs()
    assert one.log_record.event_name == "gen_ai.evaluation.result"
    return one.log_record


def asking(judge: Any) -> Any:
    """Return a graph whose node asks a model and judges its answer."""

    def ask(state: State) -> dict[str, Any]:
        answer = Talker().invoke(state["messages"])
        judge()
        return {"messages": [answer]}

    return StateGraph(State).add_node("ask", ask).add_edge(START, "ask").compile()


def test_in_a_run_it_judges_the_run() -> None:
    """The code of a node judges the node: its event and its span are in the node's span."""
    judged: list[bool] = []

    def judge() -> None:
        judged.append(record_evaluation("relevance", score=1, label="good", response_id="r-1"))

    with recorded() as (captured, exporter):
        asking(judge).invoke({"messages": [("user", "hi")]}, {"callbacks": [captured.handler]})
    assert judged == [True]
    assert captured.tree == [
        "invoke_workflow LangGraph",
        "  node ask",
        "    chat talker",
        "    evaluation relevance",
    ]
    expected = {NAME: "relevance", SCORE: 1.0, LABEL: "good", "gen_ai.response.id": "r-1"}
    assert captured.span("evaluation relevance").attributes == expected
    record, node = event(exporter), captured.span("node ask")
    assert dict(record.attributes) == expected
    assert f"{record.span_id:016x}" == node.span_id
    assert f"{record.trace_id:032x}" == node.trace_id


def test_later_it_judges_by_the_run_id() -> None:
    """A model's run is remembered after it has ended, by its id or the text of it."""
    run_id = uuid4()
    with recorded() as (captured, exporter):
        Talker().invoke("hi", {"callbacks": [captured.handler], "run_id": run_id})
        assert record_evaluation("helpful", label="thumbs_up", run_id=run_id)
        assert record_evaluation("helpful", label="thumbs_up", run_id=str(run_id))
        assert not record_evaluation("helpful", label="thumbs_up", run_id=UUID(int=1))
    chat = captured.span("chat talker")
    assert {span.parent_id for span in captured.spans[1:]} == {chat.span_id}
    assert len(exporter.get_finished_logs()) == 2


def test_elsewhere_it_judges_by_the_ids_of_the_span() -> None:
    """Whoever knows trace and span, as from a log line, judges it in any process."""
    with recorded() as (captured, exporter):
        provider: Any = captured.tracer_provider
        assert record_evaluation(
            "exact", score=0, trace_id="a" * 32, span_id="b" * 16, tracer_provider=provider
        )
    (span,) = captured.spans
    assert (span.trace_id, span.parent_id) == ("a" * 32, "b" * 16)
    assert event(exporter).span_id == int("b" * 16, 16)


@pytest.mark.parametrize(
    ("mode", "on_span", "on_event"),
    [
        ("NO_CONTENT", False, False),
        ("SPAN_ONLY", True, False),
        ("EVENT_ONLY", False, True),
        ("SPAN_AND_EVENT", True, True),
    ],
)
def test_an_explanation_is_content(mode: str, on_span: bool, on_event: bool) -> None:
    """It is where content may be, and redacted as all content is."""
    for redact, shown in ((None, PLANTED), (lambda *_: "hidden", "hidden")):
        run_id = uuid4()
        with recorded(capture_content=mode, redact=redact) as (captured, exporter):
            Talker().invoke("hi", {"callbacks": [captured.handler], "run_id": run_id})
            record_evaluation("tone", score=0.5, explanation=PLANTED, run_id=run_id)
        span = captured.span("evaluation tone")
        evaluated = [
            one.log_record
            for one in exporter.get_finished_logs()
            if one.log_record.event_name == "gen_ai.evaluation.result"
        ]
        assert span.attributes.get(EXPLANATION) == (shown if on_span else None)
        assert evaluated[0].attributes.get(EXPLANATION) == (shown if on_event else None)


def test_a_judge_that_failed_says_why() -> None:
    """An evaluation that came to nothing is an error, and needs no score."""
    with recorded() as (captured, _):
        asking(lambda: record_evaluation("tone", error_type="JudgeTimeout")).invoke(
            {"messages": []}, {"callbacks": [captured.handler]}
        )
    span = captured.span("evaluation tone")
    assert (span.status, span.attributes["error.type"]) == ("error", "JudgeTimeout")


def test_outside_of_any_run_there_is_nothing_to_judge() -> None:
    """Code that no run is around, as in a program without tracing, goes on."""
    assert record_evaluation("relevance", score=1) is False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": ""}, "has no name"),
        ({"name": 3}, "name is 3; use a text"),
        ({}, "neither a score nor a label"),
        ({"score": "good"}, "score is 'good'; use a finite number"),
        ({"score": True}, "score is True"),
        ({"score": float("nan")}, "score is nan"),
        ({"label": 1}, "label is 1; use a text"),
        ({"score": 1, "run_id": "last"}, "run_id is 'last'; use the run's UUID"),
        ({"score": 1, "trace_id": "a" * 32}, "span_id is None; use the id in 16"),
        ({"score": 1, "trace_id": "x" * 32, "span_id": "b" * 16}, "trace_id is 'xxx"),
        ({"score": 1, "trace_id": "0" * 32, "span_id": "b" * 16}, "trace_id is '000"),
        ({"score": 1, "run_id": UUID(int=1), "span_id": "b" * 16}, "both a run_id and ids"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(arguments: dict[str, Any], said: str) -> None:
    """A name, a score or an id that cannot be one is named, with what would do."""
    with pytest.raises(ValueError, match=said):
        record_evaluation(**{"name": "relevance", **arguments})


@pytest.mark.usefixtures("providers_put_back")
def test_the_journal_keeps_it(tmp_path: Path) -> None:
    """A trace that is read from the journal shows who was judged, and how."""
    run_id = uuid4()
    path = tmp_path / "journal.db"
    with configure(TelemetryConfig(journal=path)) as telemetry:
        Talker().invoke("hi", {"callbacks": [telemetry.handler()], "run_id": run_id})
        assert record_evaluation("relevance", score=0.25, run_id=run_id)
    with Journal(path) as journal:
        (trace,) = journal.traces()
        chat, evaluation = journal.trace(trace.trace_id).spans
    assert (evaluation.name, evaluation.parent_id) == ("evaluation relevance", chat.span_id)
    assert evaluation.attributes[SCORE] == 0.25
