"""`nodespan traces`, `nodespan trace ID` and `nodespan doctor`: what the journal holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Nodespan = Callable[..., Any]

TREE = ["invoke_agent assistant", "node model", "chat echo"]


@pytest.fixture(scope="module")
def journal(nodespan: Nodespan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal with two answers of one model, the second three characters long."""
    path = tmp_path_factory.mktemp("state") / "journal.db"
    assert nodespan("chat", "Meow!", NODESPAN_JOURNAL=str(path)).code == 0
    assert nodespan("chat", "Meow!", "--n", "3", NODESPAN_JOURNAL=str(path)).code == 0
    return path


def listed(nodespan: Nodespan, journal: Path, *options: str) -> list[dict[str, Any]]:
    """Return the traces that `--json` lists."""
    result = nodespan("traces", "--json", "--journal", str(journal), *options)
    assert (result.code, result.err) == (0, "")
    return [json.loads(line) for line in result.out.splitlines()]


def test_traces_are_listed_the_newest_first(nodespan: Nodespan, journal: Path) -> None:
    """Each trace of the command is a line, and says what it took."""
    newest, oldest = listed(nodespan, journal)
    assert (newest["output_tokens"], oldest["output_tokens"]) == (3, 5)
    assert newest["started_at"] > oldest["started_at"]
    for one in (newest, oldest):
        assert (one["name"], one["outcome"], one["spans"]) == (TREE[0], "ok", 3)
        assert one["duration"] > one["time_to_first_chunk"] > 0
    assert listed(nodespan, journal, "--limit", "1") == [newest]


def test_the_table_has_a_line_for_each_trace(nodespan: Nodespan, journal: Path) -> None:
    """In a pipe the table is plain, and the variable names the journal."""
    result = nodespan("traces", NODESPAN_JOURNAL=str(journal))
    header, *lines = result.out.splitlines()
    assert (result.code, result.err, len(lines)) == (0, "", 2)
    assert header.split()[:4] == ["trace", "started", "name", "outcome"]
    assert all("invoke_agent assistant  ok" in line for line in lines)


def test_estimated_tokens_are_marked_as_in_the_tree(nodespan: Nodespan, tmp_path: Path) -> None:
    """A count that is none has its `~` in the list too, and says so to programs."""
    journal = str(tmp_path / "journal.db")
    told = {"NODESPAN_JOURNAL": journal}
    assert nodespan("chat", "Meow!", **told).code == 0
    estimated = nodespan("chat", "Meow!", "--model", "own_models:RecallingChatModel", **told)
    marked = {word for word in estimated.out.split() if word.startswith("~")}
    assert len(marked) == 2
    for options in ((), ("--text", "chat")):
        _, first, second = nodespan("traces", *options, **told).out.splitlines()
        assert {word for word in first.split() if word.startswith("~")} == marked
        assert "~" not in second
        newest, oldest = listed(nodespan, Path(journal), *options)
        assert (newest["is_estimated"], oldest["is_estimated"]) == (True, False)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (("--agent", "assistant"), 2),
        (("--agent", "another"), 0),
        (("--model", "echo"), 2),
        (("--model", "another"), 0),
        (("--outcome", "ok"), 2),
        (("--outcome", "error"), 0),
        (("--slow", "3600"), 0),
        (("--slow", "1e300"), 0),
        (("--stalled",), 0),
        (("--since", "1h"), 2),
        (("--since", "2999-01-01"), 0),
        (("--text", "CHAT echo"), 2),
        (("--text", "nowhere"), 0),
        (("--conversation", "nobody's"), 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_options_leave_traces_out(
    nodespan: Nodespan, journal: Path, options: tuple[str, ...], count: int
) -> None:
    """Each option says which traces are listed; where none is, that is said."""
    assert len(listed(nodespan, journal, *options)) == count
    if not count:
        told = nodespan("traces", "--journal", str(journal), *options).out
        assert told.splitlines()[0].startswith(f"no traces with {options[0]}")


def test_where_none_is_found_there_is_what_could_be(nodespan: Nodespan, journal: Path) -> None:
    """The filters that were given, and the agents, models and outcomes that there are."""
    options = ("--agent", "nobody\x1b", "--model", "another", "--outcome", "lost", "--stalled")
    lines = nodespan("traces", "--journal", str(journal), *options).out.splitlines()
    assert lines == [
        "no traces with --agent nobody\u241b --model another --outcome lost --stalled",
        "the agents there are: assistant",
        "the models there are: echo",
        "the outcomes there are: ok",
    ]
    # What is there, and has no trace of the other, is no slip.
    options = ("--model", "echo", "--outcome", "running")
    told = nodespan("traces", "--journal", str(journal), *options).out
    assert told == "no traces with --model echo --outcome running\n"


def test_a_trace_is_shown_as_the_command_showed_it(nodespan: Nodespan, journal: Path) -> None:
    """By `last`, by its id and by the first digits of it: the same tree."""
    trace_id = listed(nodespan, journal)[0]["trace_id"]
    shown = [
        nodespan("trace", name, "--journal", str(journal)).out
        for name in ("last", trace_id, trace_id[:12])
    ]
    head, _, *lines = shown[0].splitlines()
    assert head == f"trace {trace_id}"
    assert [name in line for name, line in zip(TREE, lines, strict=True)] == [True] * 3
    assert shown == [shown[0]] * 3


def test_all_of_a_trace_names_the_service_of_each_span(nodespan: Nodespan, journal: Path) -> None:
    """With `--all` it is seen who made which span; without it the tree is as the command's."""
    told = {"NODESPAN_JOURNAL": str(journal)}
    assert nodespan("trace", "last", "--all", **told).out.count("service.name") == len(TREE)
    assert "service.name" not in nodespan("trace", "last", **told).out


def test_a_trace_as_a_document(nodespan: Nodespan, journal: Path, tmp_path: Path) -> None:
    """`--json` has the summary and the spans; `--otlp` writes what other backends read."""
    document = json.loads(nodespan("trace", "last", "--json", "--journal", str(journal)).out)
    assert [span["name"] for span in document["span_list"]] == TREE
    assert document["span_list"][2]["attributes"]["gen_ai.request.model"] == "echo"
    file = tmp_path / "trace.json"
    assert nodespan("trace", "last", "--otlp", str(file), "--journal", str(journal)).code == 0
    scopes = json.loads(file.read_text())["resourceSpans"][0]["scopeSpans"]
    assert sorted(span["name"] for scope in scopes for span in scope["spans"]) == sorted(TREE)


def test_the_doctor_says_what_the_journal_holds(nodespan: Nodespan, journal: Path) -> None:
    """Where it is, whether it is sound, what it holds and owes; for programs too."""
    result = nodespan("doctor", "--journal", str(journal))
    lines = dict(line.split(maxsplit=1) for line in result.out.splitlines())
    assert (result.code, result.err) == (0, "")
    assert (lines["journal"], lines["state"]) == (str(journal), "sound")
    assert lines["holds"] == "2 traces, 6 spans, 0 open"
    document = json.loads(nodespan("doctor", "--json", "--journal", str(journal)).out)
    assert (document["traces"], document["dropped"], document["is_sound"]) == (2, 0, True)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("traces", "--since", "soon"), 2, "'soon' is not a time; use 90s, 15m, 2h, 7d"),
        (("traces", "--limit", "0"), 2, "Invalid value for '--limit'"),
        (("trace", "nosuch"), 1, "has no trace or run 'nosuch'"),
        (("trace",), 2, "Missing argument 'ID'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_is_refused(
    nodespan: Nodespan, journal: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    """The message names the value and the way out."""
    result = nodespan(*arguments, NODESPAN_JOURNAL=str(journal))
    assert (result.code, result.out) == (code, "")
    assert message in result.err


@pytest.mark.parametrize("command", [("traces",), ("trace", "last"), ("doctor",)], ids=str)
def test_without_a_journal(nodespan: Nodespan, tmp_path: Path, command: tuple[str, ...]) -> None:
    """Where nothing was recorded yet, the command says so, and makes no file."""
    path = tmp_path / "journal.db"
    result = nodespan(*command, "--journal", str(path))
    assert (result.code, result.out) == (1, "")
    assert f"there is no journal at {path}" in result.err
    assert not path.exists()
