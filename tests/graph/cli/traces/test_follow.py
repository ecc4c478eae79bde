"""`nodespan trace ID --follow`: a trace while it is running, until it has ended."""

from __future__ import annotations

import json
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from nodespan.graph.cli._traces import follow

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.command import Piped, Result, Terminal
    from support.recording import Recording

    Command = Callable[..., Result]


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look more often than people need: tests do not wait."""
    monkeypatch.setattr(follow, "_EVERY", 0.01)
    monkeypatch.setattr(follow, "_QUIET", 0.05)


def test_starts_and_ends_are_lines_in_a_pipe(command: Command, recording: Recording) -> None:
    """Each start and end is told once, in order, a child further to the right; it ends by itself.

    A root that has ended before its child is no end of the trace.
    """
    tracer = recording.tracer
    root = tracer.start_span("root")
    recording.flush()

    def go_on() -> None:
        with recording.tracer.start_as_current_span("child", context=_inside(root)) as child:
            root.end()
            recording.flush()
            tracer.start_span("grandchild", context=_inside(child)).end()
            recording.flush()
        recording.flush()

    program = Thread(target=go_on)
    program.start()
    result = command("trace", "last", "--follow", "--journal", str(recording.path))
    program.join()
    *lines, last = result.out.splitlines()
    assert (result.code, result.err) == (0, "")
    told = [line.split()[2] for line in lines]
    assert sorted(told) == sorted(["root", "child", "grandchild"] * 2)
    assert lines[0].endswith("started  root")
    assert [line for line in lines if line.endswith("started    child")]
    assert [line for line in lines if line.endswith("started      grandchild")]
    assert "ended      child" in lines[-1]
    assert last.startswith("trace ")
    assert last.endswith("  ok")


def _inside(span: object) -> object:
    from opentelemetry.trace import set_span_in_context  # noqa: PLC0415 - for this alone

    return set_span_in_context(span)  # type: ignore[arg-type]  # a span


def test_events_for_programs(command: Command, recording: Recording) -> None:
    """With `--json` each start and end is a document on a line, and the trace is the last."""
    recording.tracer.start_span("root").end()
    recording.flush()
    result = command("trace", "last", "--follow", "--json", "--journal", str(recording.path))
    documents = [json.loads(line) for line in result.out.splitlines()]
    assert [each["event"] for each in documents] == ["started", "ended", "trace"]
    assert [each["span"]["name"] for each in documents[:2]] == ["root", "root"]
    assert documents[2]["trace"]["outcome"] == "ok"


def test_a_trace_whose_root_is_elsewhere_ends_when_it_is_quiet(
    command: Command, recording: Recording
) -> None:
    """Where another process has the root, nothing that is open for a while is the end."""
    from opentelemetry.trace import (  # noqa: PLC0415 - for this alone
        NonRecordingSpan,
        SpanContext,
        TraceFlags,
    )

    remote = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))
    recording.tracer.start_span("served", context=_inside(NonRecordingSpan(remote))).end()
    recording.flush()
    result = command("trace", "last", "--follow", "--journal", str(recording.path))
    assert (result.code, len(result.out.splitlines())) == (0, 3)


def test_a_journal_that_goes_away_ends_it(
    command: Command, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be read any longer is said, after some patience."""
    monkeypatch.setattr(follow, "_PATIENCE", 0.02)
    monkeypatch.setattr(follow, "sleep", lambda _seconds: recording.path.unlink(missing_ok=True))
    root = recording.tracer.start_span("root")
    recording.flush()
    result = command("trace", "last", "--follow", "--journal", str(recording.path))
    root.end()
    assert result.code == 1
    assert "there is no journal" in result.err


def test_in_place_on_a_terminal(recording: Recording, terminal: Callable[..., Terminal]) -> None:
    """The tree grows in its place, and stands there whole when the trace has ended."""
    with recording.tracer.start_as_current_span("root"):
        recording.flush()
        running = terminal("trace", "last", "--follow", "--journal", str(recording.path))
        running.until("running")
        recording.tracer.start_span("child").end()
        recording.flush()
        running.until("child")
    recording.flush()
    assert running.end() == 0
    assert [line.split()[:2] for line in running.text.splitlines()[-2:]] == [
        ["root", "0"],
        ["└─", "child"],
    ]
    assert "\x1b[?25h" in running.raw, "the cursor is there again"


def test_ctrl_c_is_clean(
    recording: Recording,
    terminal: Callable[..., Terminal],
    piped: Callable[..., Piped],
) -> None:
    """It ends at once, with the code of Ctrl-C and without a traceback, here and there."""
    root = recording.tracer.start_span("root")
    recording.flush()
    arguments = ("trace", "last", "--follow", "--journal", str(recording.path))
    for start, sign in ((terminal, "running"), (piped, "started")):
        running = start(*arguments)
        running.until(sign)
        running.interrupt()
        assert running.end() == 130
        assert "Traceback" not in running.text
    root.end()
