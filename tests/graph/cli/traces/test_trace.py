"""`nodespan trace ID`: which trace an ID names, and what stands beneath its spans."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage

from nodespan.graph import build_agent
from nodespan.model import Pause, ScriptedChatModel
from nodespan.telemetry._context.starting import STARTING_RUN
from nodespan.telemetry.journal import AmbiguousTraceError, Journal, TraceNotFoundError
from support.serving import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.command import Result
    from support.recording import Recording

    Command = Callable[..., Result]
    Recorded = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _no_run_is_starting() -> Iterator[None]:
    yield
    STARTING_RUN.set(None)


def shown(command: Command, recording: Recording, *arguments: str) -> list[str]:
    """Return the lines that `nodespan trace` prints."""
    recording.flush()
    result = command("trace", *arguments, "--journal", str(recording.path))
    assert (result.code, result.err) == (0, "")
    return result.out.splitlines()


def test_a_stall_is_marked_where_it_was(
    command: Command, recording: Recording, recorded: Recorded
) -> None:
    """The tree says when a stream has stalled, for how long, and before which chunk."""
    model = ScriptedChatModel([["one ", Pause(0.05), "two"]])
    list(model.stream("?", recorded(stall_threshold=0.02, first_chunk_threshold=60)))
    _, head, line, mark = shown(command, recording, "last")
    assert head.split("  ")[0] == "span"
    assert "longest wait" in head
    assert line.startswith("chat scripted")
    assert mark.strip().startswith("! stalled at ")
    assert mark.endswith(", before chunk 2")


def test_an_error_stands_beneath_its_span(
    command: Command, recording: Recording, recorded: Recorded
) -> None:
    """The exception is told in a line, without its traceback; with `--all`, with it."""
    with pytest.raises(ConnectionError):
        ScriptedChatModel([ConnectionError("gone\naway")]).invoke("?", recorded())
    *_, mark = shown(command, recording, "last")
    assert mark.strip().startswith("exception at ")
    assert "exception.message=gone␊away" in mark
    assert "Traceback" not in mark
    whole = shown(command, recording, "last", "--all")
    stripped = [line.strip() for line in whole]
    begun = stripped.index("exception.stacktrace")
    # Each of its lines is one.
    assert stripped[begun + 1].startswith("Traceback")
    assert "ConnectionError" in "".join(stripped[begun + 2 :])


def test_all_attributes_and_events_on_demand(
    command: Command, recording: Recording, recorded: Recorded
) -> None:
    """`--all` shows each attribute and each event, behind the strokes of the tree."""
    call = {"name": "weather", "args": {"city": "Bern"}, "id": "1"}

    def weather(city: str) -> str:
        """Tell the weather."""
        return f"Sunny in {city}."

    agent = build_agent(ScriptedChatModel([AIMessage("", tool_calls=[call]), "Sun."]), [weather])
    agent.invoke({"messages": [("user", "Weather?")]}, recorded())
    few, whole = (shown(command, recording, "last", *more) for more in ((), ("--all",)))
    assert not [line for line in few if "gen_ai." in line]
    assert [line for line in few if line.startswith("│  └─ execute_tool weather {")]
    told = [line for line in whole if "gen_ai.tool.call.result  Sunny in Bern." in line]
    assert len(told) == 1
    assert [line for line in whole if "on_chat_model_start at " in line]
    assert [line for line in whole if line.startswith("│  │    langgraph.node  model")]


def test_an_open_span_has_its_age(command: Command, recording: Recording) -> None:
    """A span that has not ended shows how long it takes already."""
    span = recording.tracer.start_span("root")
    line = shown(command, recording, "last")[-1]
    span.end()
    assert line.split()[-1] == "running"
    assert "…" in line


@pytest.mark.slow
def test_an_open_stream_has_its_stalls(
    command: Command, recording: Recording, recorded: Recorded
) -> None:
    """One that has stalled and goes on says so before it has ended."""
    model = ScriptedChatModel([["one ", Pause(0.05), "two ", "three"]])
    stream = model.stream("?", recorded(stall_threshold=0.02, first_chunk_threshold=60))
    list(islice(stream, 2))

    def row() -> dict[str, str]:
        head, line = shown(command, recording, "last")[-2:]
        return dict(zip(re.split("  +", head), re.split("  +", line), strict=False))

    until(lambda: int(row().get("stalls", 0)) >= 1, "the stall is shown")
    assert row()["outcome"] == "running"
    list(stream)


class TestId:
    """What names a trace."""

    def test_the_first_digits_of_a_trace_in_any_case(
        self, command: Command, recording: Recording
    ) -> None:
        """By its whole id, by the first digits of it, in capitals, and as the last one."""
        recording.tracer.start_span("root").end()
        recording.flush()
        (record,) = recording.read().traces()
        for name in (record.trace_id, record.trace_id[:8], record.trace_id.upper(), "LAST"):
            assert shown(command, recording, name)[0] == f"trace {record.trace_id}"

    def test_a_run_as_a_log_line_has_it(
        self, command: Command, recording: Recording, recorded: Recorded
    ) -> None:
        """A run's id names the trace that it is in, with its dashes, whole or in part."""
        ScriptedChatModel(["a"]).invoke("?", recorded())
        recording.tracer.start_span("another").end()
        with recording.read() as journal:
            trace_id = next(one.trace_id for one in journal.traces() if one.name != "another")
            (span,) = journal.trace(trace_id).spans
        assert span.run_id is not None
        for name in (span.run_id, span.run_id[:30], span.run_id.replace("-", "")):
            assert shown(command, recording, name)[0] == f"trace {trace_id}"

    def test_runs_of_one_trace_do_not_hide_those_of_another(
        self, recording: Recording, recorded: Recorded
    ) -> None:
        """Run ids begin with their time: many of one trace share their first digits with others."""
        model = ScriptedChatModel(["a"] * 9)
        agent = build_agent(model)
        config = recorded()
        for _ in range(2):
            agent.batch([{"messages": [("user", "?")]}] * 4, config)
        with recording.read() as journal:
            run_id = journal.trace("last").spans[0].run_id
            assert run_id is not None
            with pytest.raises(AmbiguousTraceError):
                journal.trace(run_id[:4])

    def test_an_ambiguous_beginning_lists_the_candidates(self, recording: Recording) -> None:
        """The message has each candidate's id, time and name, the newest first, and the way out."""
        names = [f"root {number}" for number in range(7)]
        ids = []
        for name in names:
            with recording.tracer.start_as_current_span(name) as span:
                ids.append(f"{span.get_span_context().trace_id:032x}")
        recording.flush()
        shared = [digit for digit in "0123456789abcdef" if sum(i[0] == digit for i in ids) > 1]
        with recording.read() as journal:
            for digit in shared:
                with pytest.raises(AmbiguousTraceError) as failure:
                    journal.trace(digit)
                for trace_id, name in zip(ids, names, strict=True):
                    assert (trace_id[0] == digit) == (trace_id in str(failure.value))
                    assert (trace_id[0] == digit) == (name in str(failure.value))

    @pytest.mark.parametrize("name", ["", "-", "nosuch", "0" * 33, "é", "%", "last1"])
    def test_no_trace_of_that_name(self, recording: Recording, name: str) -> None:
        """What names none says where the names are."""
        recording.tracer.start_span("root").end()
        with (
            recording.read() as journal,
            pytest.raises(TraceNotFoundError, match="`nodespan traces` lists"),
        ):
            journal.trace(name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--json", "--as-script"), "not together with --json"),
        (("--follow", "--as-script"), "not together with --follow"),
        (("--follow", "--otlp", "x.json"), "not together with --follow"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_options_that_say_different_things(
    command: Command, recording: Recording, options: tuple[str, ...], message: str
) -> None:
    """What is to be printed is said once."""
    recording.tracer.start_span("root").end()
    recording.flush()
    result = command("trace", "last", *options, "--journal", str(recording.path))
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_numbers_that_json_has_none_for(command: Command, recording: Recording) -> None:
    """What is no number is a text: the document stays JSON for every reader."""
    span = recording.tracer.start_span("root", attributes={"a": float("nan"), "b": [float("inf")]})
    span.end()
    (line,) = shown(command, recording, "last", "--json")
    document = json.loads(line, parse_constant=pytest.fail)
    assert document["span_list"][0]["attributes"] == {"a": "nan", "b": ["inf"]}


def test_the_library_reads_what_the_command_shows(recording: Recording) -> None:
    """An open trace is read as often as one likes, and has ended at last."""
    span = recording.tracer.start_span("root")
    recording.flush()
    with Journal(recording.path) as journal:
        assert journal.trace("last").summary.outcome == "running"
        span.end()
        recording.flush()
        assert journal.trace("last").summary.outcome == "ok"


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("none/x.json", "there is no folder {folder}/none"),
        (".", "it is a folder; name a file in it"),
        ("file/x.json", "Not a directory"),
        ("x" * 300, "File name too long"),
    ],
)
def test_an_otlp_file_that_cannot_be_written(
    command: Command, recording: Recording, tmp_path: Path, place: str, why: str
) -> None:
    """Which file it is, and why, are said in plain words."""
    recording.tracer.start_span("x").end()
    recording.flush()
    (tmp_path / "file").write_text("x")
    path = tmp_path / place
    result = command("trace", "last", "--otlp", str(path), "--journal", str(recording.path))
    expected = f"error: the file {path} cannot be written: {why.format(folder=tmp_path)}\n"
    assert (result.code, result.out, result.err) == (1, "", expected)
