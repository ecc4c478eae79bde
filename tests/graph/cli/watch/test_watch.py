"""`nodespan watch`: what goes on, in place on a terminal, in lines and documents elsewhere."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from opentelemetry.trace import StatusCode

from nodespan.graph.cli._watch import command as watching

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.command import Piped, Result, Terminal
    from support.recording import Recording

    Command = Callable[..., Result]

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "cat-1"}
OOPS = {"nodespan.outcome": "error", "error.type": "Oops"}


def fail(recording: Recording, name: str) -> None:
    """Record a span that failed."""
    span = recording.tracer.start_span(name, attributes=OOPS)
    span.set_status(StatusCode.ERROR)
    span.end()
    recording.flush()


def watched(command: Command, recording: Recording, *options: str) -> list[str]:
    """Return the lines of looks at a journal."""
    recording.flush()
    options = ("--interval", "0.1", *options)
    result = command("watch", *options, "--journal", str(recording.path))
    assert (result.code, result.err) == (0, "")
    return result.out.splitlines()


def test_a_look_is_a_line(command: Command, recording: Recording) -> None:
    """What is open, how fast models are, and what stalled and failed, in a line each look."""
    root = recording.tracer.start_span("root")
    call = recording.tracer.start_span("chat", attributes=CHAT)
    call.set_attributes({"nodespan.stream.stalls": 1, "gen_ai.usage.output_tokens": 50})
    call.set_attribute("gen_ai.response.time_to_first_chunk", 0.25)
    call.end()
    lines = watched(command, recording, "--count", "2")
    root.end()
    assert len(lines) == 2
    for line in lines:
        assert re.fullmatch(
            r"\d\d:\d\d:\d\d  1 open  5\.0 tokens/s  in the last 5 min 00 s:  0 failed  1 stall"
            r"  first chunk 250 ms",
            line,
        )


def test_a_failure_is_a_line_once(
    command: Command, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails while it is watched has a line of its own; what had failed before does not."""
    fail(recording, "old")

    def fail_meanwhile(_seconds: float) -> None:
        fail(recording, "new\n")
        monkeypatch.setattr(watching, "sleep", lambda _: None)

    monkeypatch.setattr(watching, "sleep", fail_meanwhile)
    lines = watched(command, recording, "--count", "3")
    assert [line.split("  ")[4] for line in lines if "failed" in line] == [
        "1 failed",
        "2 failed",
        "2 failed",
    ]
    (failure,) = (line for line in lines if "failed" not in line)
    assert "  error Oops  new␊  trace " in failure


def test_a_look_for_programs(command: Command, recording: Recording) -> None:
    """With `--json` each look is one document on a line."""
    root = recording.tracer.start_span("root")
    (line,) = watched(command, recording, "--count", "1", "--json")
    root.end()
    document = json.loads(line)
    assert document["journal"] == str(recording.path)
    assert document["trouble"] is None
    assert document["activity"]["running"] == 1
    assert [one["name"] for one in document["activity"]["open_traces"]] == ["root"]


def test_a_journal_that_is_missing_is_waited_for(command: Command, tmp_path: Path) -> None:
    """That there is none yet is said once, and in each document, and is no failure."""
    path = tmp_path / "journal.db"
    arguments = ("watch", "--interval", "0.1", "--count", "2", "--journal", str(path))
    result = command(*arguments)
    assert (result.code, result.err) == (0, "")
    assert result.out.count(f"there is no journal at {path}") == len(result.out.splitlines()) == 1
    documents = [json.loads(line) for line in command(*arguments, "--json").out.splitlines()]
    assert [each["activity"] for each in documents] == [None, None]
    assert f"there is no journal at {path}" in documents[0]["trouble"]
    assert not path.exists()


def test_what_is_no_journal_ends_it(command: Command, tmp_path: Path) -> None:
    """A file of somebody else's does not become one by waiting."""
    path = tmp_path / "letter.txt"
    path.write_text("Dear cat")
    result = command("watch", "--count", "1", "--journal", str(path))
    assert (result.code, result.out) == (1, "")
    assert "is no journal of nodespan's" in result.err


@pytest.mark.parametrize("columns", [80, 200])
def test_in_place_on_a_terminal(
    recording: Recording, terminal: Callable[..., Terminal], columns: int
) -> None:
    """Open runs have an age, what they are in, and how long a model is waited for; Ctrl-C is clean.

    No line is longer than the terminal, and what is too much for it is counted.
    """
    tracer = recording.tracer
    spans = [tracer.start_span(f"root {number} {'x' * 100}") for number in range(60)]
    fail(recording, "broken")
    running = terminal("watch", "--journal", str(recording.path), columns=columns)
    running.until("and ")
    running.until("error Oops")
    running.interrupt()
    assert running.end() == 130
    for span in spans:
        span.end()
    lines = running.text.partition("error Oops")[0].splitlines()  # of the first look
    assert "60 open" in lines[0]
    assert all(len(line.rstrip()) <= columns for line in lines)
    assert "Traceback" not in running.text
    assert "\x1b[?25h" in running.raw, "the cursor is there again"


def test_ctrl_c_in_a_pipe(recording: Recording, piped: Callable[..., Piped]) -> None:
    """It ends at once, without a traceback; a reader that goes away ends it, too."""
    recording.flush()
    arguments = ("watch", "--interval", "0.1", "--journal", str(recording.path))
    running = piped(*arguments)
    running.until("0 open")
    running.interrupt()
    assert running.end() == 130
    assert running.err == ""
    left = piped(*arguments)
    left.until("0 open")
    assert left.hang_up() == 0
    assert left.err == ""
