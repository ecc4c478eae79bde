"""What is recorded stands in the journal, while it goes on and afterwards."""

from __future__ import annotations

import sqlite3
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from opentelemetry.trace import Status, StatusCode, set_span_in_context

from nodespan.telemetry._context.starting import STARTING_RUN, Progress
from nodespan.telemetry.journal import (
    AmbiguousTraceError,
    Journal,
    JournalMissingError,
    TraceFilter,
    TraceNotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.recording import Recording


@pytest.fixture(autouse=True)
def _no_run_is_starting() -> Iterator[None]:
    yield
    STARTING_RUN.set(None)


CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "cat-1",
    "gen_ai.usage.input_tokens": 3,
    "gen_ai.usage.output_tokens": 5,
    "nodespan.cost": 0.25,
    "nodespan.currency": "USD",
    "gen_ai.response.time_to_first_chunk": 0.5,
    "nodespan.stream.stalls": 2,
    "nodespan.stream.chunks": 7,
}
AGENT = {
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.agent.name": "librarian",
    "gen_ai.conversation.id": "thread-1",
    # An agent tells the tokens of its models once more.
    "gen_ai.usage.input_tokens": 3,
    "gen_ai.usage.output_tokens": 5,
}


def record_agent(recording: Recording, start: int = 10**18, **more: Any) -> str:
    """Record a trace of an agent that calls a model, and return its id."""
    root = recording.tracer.start_span(
        "invoke_agent librarian", attributes=AGENT | more, start_time=start
    )
    chat = recording.tracer.start_span(
        "chat cat-1", set_span_in_context(root), attributes=CHAT, start_time=start + 10**9
    )
    chat.add_event("on_chat_model_start", {"nodespan.x": "Meow!"}, start + 10**9)
    chat.end(start + 3 * 10**9)
    root.end(start + 4 * 10**9)
    return f"{root.get_span_context().trace_id:032x}"


def test_a_trace_is_summed_up_in_a_line(recording: Recording) -> None:
    """Its name and outcome are the root's; tokens, cost, stalls and chunks are its models'."""
    trace_id = record_agent(recording)
    with recording.read() as journal:
        (found,) = journal.traces()
    assert (found.trace_id, found.name, found.agent) == (
        trace_id,
        "invoke_agent librarian",
        "librarian",
    )
    assert (found.conversation, found.models, found.outcome) == ("thread-1", ("cat-1",), "ok")
    assert (found.input_tokens, found.output_tokens, found.cost) == (3, 5, 0.25)
    assert (found.currency, found.stalls, found.time_to_first_chunk) == ("USD", 2, 1.5)
    assert (found.spans, found.open_spans, found.errors, found.duration) == (2, 0, 0, 4.0)


def test_a_span_has_all_that_it_says(recording: Recording) -> None:
    """Attributes, events, kind, status, resource and scope come back as they were."""
    STARTING_RUN.set(
        type(
            "Run",
            (),
            {"enter_journal": lambda _: None, "run_id": 7, "progress": lambda *_: None},
        )()
    )
    trace_id = record_agent(recording)
    with recording.read() as journal:
        root, chat = journal.trace(trace_id).spans
    assert chat.parent_id == root.span_id
    assert chat.attributes == CHAT
    assert [(event.name, dict(event.attributes)) for event in chat.events] == [
        ("on_chat_model_start", {"nodespan.x": "Meow!"})
    ]
    assert (chat.kind, chat.status, chat.outcome, chat.delivery) == (
        "internal",
        "unset",
        "ok",
        "none",
    )
    assert (chat.resource, chat.scope) == ({"service.name": "cats"}, "application")
    assert (chat.run_id, chat.model, chat.chunks) == (str(UUID(int=7)), "cat-1", 7)
    assert (root.input_tokens, chat.input_tokens) == (None, 3)


def test_a_started_run_is_shown_until_it_ends(recording: Recording) -> None:
    """A trace is running while any of its spans is open, whether its root has ended or not."""
    root = recording.tracer.start_span("root", attributes=AGENT)
    child = recording.tracer.start_span("child", set_span_in_context(root))
    with recording.read() as journal:
        (trace,) = journal.traces()
        assert (trace.outcome, trace.open_spans, trace.ended_at) == ("running", 2, None)
        assert {run.name for run in journal.open_runs()} == {"root", "child"}
        root.end()
        recording.flush()
        (trace,) = journal.traces(TraceFilter(outcome="running"))
        assert (trace.outcome, trace.open_spans) == ("running", 1)
        child.end()
        recording.flush()
        (trace,) = journal.traces()
        assert (trace.outcome, trace.spans, trace.open_spans) == ("ok", 2, 0)
        assert journal.open_runs() == []


@pytest.mark.slow
def test_a_stream_tells_how_far_it_has_come(
    recording: Recording, eventually: Callable[..., None]
) -> None:
    """The chunks of an open stream, and the times of the first and the last, are in the journal."""
    told = [Progress(1, 10, 10)]
    STARTING_RUN.set(
        type(
            "Run",
            (),
            {"enter_journal": lambda _: None, "run_id": 7, "progress": lambda *_: told[0]},
        )()
    )
    span = recording.tracer.start_span("chat")
    with recording.read() as journal:
        eventually(lambda: journal.open_runs()[0].chunks == 1)
        told[0] = Progress(5, 10, 99)
        eventually(lambda: journal.open_runs()[0].chunks == 5)
        (run,) = journal.open_runs()
        assert (run.first_chunk_at, run.last_chunk_at) == (10, 99)
        # It stalls: no chunk comes, and that is told while it is so.
        told[0] = Progress(5, 10, 99, stalls=1)
        span_of = journal.open_runs()[0].trace_id
        eventually(lambda: journal.trace(span_of).spans[0].stalls == 1)
        span.end()
        recording.flush()
        assert journal.open_runs() == []


@pytest.mark.slow
def test_a_stream_tells_how_far_it_has_come_while_others_are_written(
    recording: Recording, eventually: Callable[..., None]
) -> None:
    """In a process that records all the time, too."""
    STARTING_RUN.set(
        type(
            "Run",
            (),
            {
                "enter_journal": lambda _: None,
                "run_id": 7,
                "progress": lambda *_: Progress(1, 10, 10),
            },
        )()
    )
    span = recording.tracer.start_span("chat")
    STARTING_RUN.set(None)

    def is_told() -> bool:
        recording.tracer.start_span("other").end()
        recording.flush()
        return journal.open_runs()[0].chunks == 1

    with recording.read() as journal:
        eventually(is_told)
    span.end()


def test_errors_have_a_type_and_never_a_message(recording: Recording) -> None:
    """What a status says may be content: a list shows `error.type`, or that there was one."""
    first = recording.tracer.start_span("first", attributes={"error.type": "ValueError"})
    first.set_status(Status(StatusCode.ERROR, "the secret"))
    first.end()
    second = recording.tracer.start_span("second")
    second.set_status(Status(StatusCode.ERROR, "the secret"))
    second.end()
    third = recording.tracer.start_span("third", attributes={"nodespan.outcome": "interrupted"})
    third.end()
    with recording.read() as journal:
        told = {trace.name: (trace.outcome, trace.error) for trace in journal.traces()}
    assert told == {
        "first": ("error", "ValueError"),
        "second": ("error", "_OTHER"),
        "third": ("interrupted", None),
    }


def test_a_span_whose_parent_is_elsewhere_is_a_root_here(recording: Recording) -> None:
    """The part of a trace that came in from another process is called by its own root."""
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags  # noqa: PLC0415

    remote = SpanContext(5, 6, is_remote=True, trace_flags=TraceFlags(1))
    context = set_span_in_context(NonRecordingSpan(remote))
    recording.tracer.start_span("served", context, attributes=AGENT).end()
    with recording.read() as journal:
        (trace,) = journal.traces()
    assert (trace.trace_id, trace.name, trace.outcome) == (f"{5:032x}", "served", "ok")


def test_filters_find_what_they_ask_for(recording: Recording) -> None:
    """Each filter finds its trace, and no other; together they all hold."""
    day = 86_400 * 10**9
    mine = record_agent(recording, 10**18 + day)
    other = recording.tracer.start_span("other", attributes={"note": "PURRING"}, start_time=10**18)
    other.set_status(Status(StatusCode.ERROR))
    other.end(10**18 + 10**9)
    theirs = f"{other.get_span_context().trace_id:032x}"
    since = datetime.fromtimestamp(10**9, UTC) + timedelta(hours=1)
    with recording.read() as journal:

        def found(asked: TraceFilter) -> list[str]:
            return [trace.trace_id for trace in journal.traces(asked)]

        assert found(TraceFilter()) == [mine, theirs]
        assert journal.traces(limit=1)[0].trace_id == mine
        for asked in (
            TraceFilter(conversation="thread-1"),
            TraceFilter(agent="librarian"),
            TraceFilter(model="cat-1"),
            TraceFilter(outcome="ok"),
            TraceFilter(slower_than=2),
            TraceFilter(stalled=True),
            TraceFilter(since=since),
            TraceFilter(text="meow"),
        ):
            assert found(asked) == [mine], asked
            assert found(replace(asked, outcome="interrupted")) == [], asked
        for asked in (
            TraceFilter(outcome="error"),
            TraceFilter(text="purring"),
            TraceFilter(before=10**18 + 1),
        ):
            assert found(asked) == [theirs], asked
        assert found(TraceFilter(text="nothing that was said")) == []


def test_a_trace_has_several_names(recording: Recording) -> None:
    """Its id, an unambiguous beginning, a run's id, or `last`: each finds it."""
    STARTING_RUN.set(
        type(
            "Run",
            (),
            {
                "enter_journal": lambda _: None,
                "run_id": 0xAB << 120,
                "progress": lambda *_: None,
            },
        )()
    )
    first = record_agent(recording)
    STARTING_RUN.set(None)
    second = record_agent(recording, 2 * 10**18)
    with recording.read() as journal:
        for name, trace_id in (
            (first, first),
            (first.upper(), first),
            (first[:12], first),
            (str(UUID(int=0xAB << 120)), first),
            ("last", second),
        ):
            assert journal.trace(name).summary.trace_id == trace_id
        with pytest.raises(TraceNotFoundError, match="no trace or run 'cat'"):
            journal.trace("cat")
        with pytest.raises(TraceNotFoundError):
            journal.trace("0" * 32)


def test_an_ambiguous_beginning_names_the_candidates(recording: Recording) -> None:
    """Where several traces begin so, none is taken."""
    recording.provider.id_generator.generate_trace_id = iter((0xAB1, 0xAB2)).__next__  # type: ignore[method-assign]
    ids = [record_agent(recording), record_agent(recording)]
    with recording.read() as journal, pytest.raises(AmbiguousTraceError) as caught:
        journal.trace("00000")
    assert all(each in str(caught.value) for each in ids)


def test_a_large_trace_is_cut(recording: Recording) -> None:
    """An answer is bounded, and says how much it leaves out."""
    root = recording.tracer.start_span("root")
    for number in range(30):
        recording.tracer.start_span(str(number), set_span_in_context(root)).end()
    root.end()
    with recording.read() as journal:
        trace = journal.trace("last", most_spans=10)
    assert (len(trace.spans), trace.dropped, trace.spans[0].name) == (10, 21, "root")


def test_a_trace_leaves_as_otlp(recording: Recording) -> None:
    """What other backends read: the request as it was, and its JSON with hexadecimal ids."""
    trace_id = record_agent(recording)
    with recording.read() as journal:
        request, line = journal.otlp(trace_id), journal.otlp_json(trace_id)
    assert "\n" not in line
    assert f'"traceId": "{trace_id}"' in line
    (group,) = request.resource_spans
    assert [span.name for scope in group.scope_spans for span in scope.spans] == [
        "invoke_agent librarian",
        "chat cat-1",
    ]
    assert TracesData.FromString(request.SerializeToString()).resource_spans[0] == group


def test_the_file_is_the_users_alone(recording: Recording) -> None:
    """Nobody else may read the journal, nor what SQLite lays beside it."""
    record_agent(recording)
    recording.flush()
    files = list(recording.path.parent.iterdir())
    assert recording.path in files
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_what_cannot_be_encoded_is_counted_and_holds_up_nothing(recording: Recording) -> None:
    """A span with a name that OTLP does not have is dropped, and said; the next is written."""
    recording.tracer.start_span("bad \ud800").end()
    recording.tracer.start_span("good").end()
    with recording.read() as journal:
        assert [trace.name for trace in journal.traces()] == ["good"]
        assert journal.status().dropped == 1
    assert "span dropped: it could not be encoded" in recording.diagnostics.counts


def test_a_full_queue_counts_what_it_drops(recording: Recording) -> None:
    """The application's threads never wait: what finds no room is counted and said."""
    recording.queue.limit = 0
    recording.tracer.start_span("dropped").end()
    recording.queue.limit = 100
    recording.tracer.start_span("kept").end()
    with recording.read() as journal:
        assert [trace.name for trace in journal.traces()] == ["kept"]
        assert journal.status().dropped == 2
    assert recording.queue.dropped == 2


def test_without_a_journal_a_reader_says_so(tmp_path: Path) -> None:
    """To read what was never written is an error in plain words, and makes no file."""
    with pytest.raises(JournalMissingError, match="nothing was recorded yet"):
        Journal(tmp_path / "journal.db")
    assert list(tmp_path.iterdir()) == []


def test_totals_are_of_the_last_minutes(recording: Recording) -> None:
    """What `watch` shows: traces, tokens and errors since then, and what is running."""
    record_agent(recording)
    recording.tracer.start_span("now", attributes=CHAT).end()
    running = recording.tracer.start_span("running")
    with recording.read() as journal:
        totals = journal.totals(60)
    running.end()
    assert (totals.traces, totals.running, totals.errors) == (2, 1, 0)
    assert (totals.input_tokens, totals.output_tokens, totals.stalls) == (3, 5, 2)


def test_the_journals_state_is_told(recording: Recording) -> None:
    """What `doctor` shows: its size, what it holds, who writes into it."""
    record_agent(recording)
    with recording.read() as journal:
        status = journal.status()
        assert journal.is_sound()
    assert (status.traces, status.spans, status.open_spans, status.oldest) == (1, 2, 0, 10**18)
    assert (status.dropped, status.lost, status.refused, status.backlogs) == (0, 0, 0, ())
    assert status.bytes >= recording.path.stat().st_size
    assert len(status.writers) == 1


def test_lists_read_no_span(recording: Recording) -> None:
    """The query of a list goes through an index of traces, and never to the spans."""
    recording.flush()
    connection = sqlite3.connect(recording.path)
    plan = connection.execute(
        "EXPLAIN QUERY PLAN SELECT * FROM traces "
        "WHERE agent = 'a' AND outcome = 'ok' ORDER BY started_at DESC LIMIT 50"
    ).fetchall()
    connection.close()
    assert all("USING INDEX" in step[3] for step in plan), plan


def test_a_journal_is_read_by_a_path_of_either_kind(recording: Recording) -> None:
    """As a text, or as an object."""
    record_agent(recording)
    recording.flush()
    for path in (recording.path, str(recording.path)):
        with Journal(path) as journal:
            assert journal.path == recording.path
            assert len(journal.traces()) == 1
