"""`nodespan chat PROMPT`, in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Nodespan = Callable[..., Any]


@pytest.fixture(
    scope="module", params=["nodespan", pytest.param("nodespan_process", marks=pytest.mark.slow)]
)
def meow(request: pytest.FixtureRequest) -> Any:
    """The guide's example in a pipe, in this process and in one of its own."""
    nodespan = request.getfixturevalue(request.param)
    return nodespan("chat", "Meow!", "--n", "3")


def rows(output: str) -> list[str]:
    """The lines of the trace's table, header first."""
    lines = output.splitlines()
    return lines[next(i for i, line in enumerate(lines) if line.startswith("span ")) :]


def outcomes(output: str) -> list[str]:
    """The last cells of the table."""
    return [line.split("  ")[-1].strip() for line in rows(output)[1:]]


class TestInAPipe:
    """Answer and trace on standard output, plain."""

    def test_answer_and_trace(self, meow: Any) -> None:
        """The answer comes first; beneath it, the trace: agent, node, chat."""
        answer, blank, trace, *table = meow.out.splitlines()
        assert (answer, blank) == ("Meo", "")
        assert trace.startswith("trace ")
        assert len(trace) == len("trace ") + 32
        assert [line[:23].rstrip() for line in table] == [
            "span",
            "invoke_agent assistant",
            "└─ node model",
            "   └─ chat echo",
        ]

    def test_numbers(self, meow: Any) -> None:
        """The model's line has time to first chunk, chunks, and tokens in and out."""
        header, *_, chat = rows(meow.out)

        def cell(name: str) -> str:
            end = header.index(name) + len(name)
            return chat[:end].split("  ")[-1].strip()

        assert cell("first chunk").endswith(("µs", "ms"))
        assert int(cell("chunks")) >= 3
        assert cell("tokens in") == "5"
        assert cell("out") == "3"

    def test_aligned(self, meow: Any) -> None:
        """Columns are aligned: every outcome stands beneath its header."""
        header, *spans = rows(meow.out)
        assert {line.rindex("ok") for line in spans} == {header.index("outcome")}

    def test_plain(self, meow: Any) -> None:
        """There are no escape codes, and no spaces at the ends of lines."""
        assert "\x1b" not in meow.out
        assert all(line == line.rstrip() for line in meow.out.splitlines())

    def test_success(self, meow: Any) -> None:
        """The exit code is 0, and standard error is empty: not a warning."""
        assert (meow.code, meow.err) == (0, "")


class TestPrompts:
    """Where a prompt comes from."""

    def test_standard_input(self, nodespan: Nodespan) -> None:
        """A prompt on standard input that starts with control characters arrives as it is."""
        result = nodespan("chat", "--no-trace", stdin="\x1b[31m\x07Meow!\nÄ\n")

        assert result.out == "\x1b[31m\x07Meow!\nÄ\n"
        assert (result.code, result.err) == (0, "")


class TestDocument:
    """`--json`."""

    def test_document(self, nodespan: Nodespan) -> None:
        """One document has the answer, the outcome and the spans, each with its parent."""
        result = nodespan("chat", "Meow!", "--json", "--model", "own_models:shy_echo")

        document = json.loads(result.out)
        assert list(document) == ["answer", "outcome", "trace_id", "spans"]
        assert (document["answer"], document["outcome"]) == ("M", "ok")
        agent, node, chat = document["spans"]
        assert [agent["name"], node["name"], chat["name"]] == [
            "invoke_agent assistant",
            "node model",
            "chat shy",
        ]
        assert {each["trace_id"] for each in document["spans"]} == {document["trace_id"]}
        assert agent["parent_id"] is None
        assert node["parent_id"] == agent["span_id"]
        assert chat["parent_id"] == node["span_id"]
        assert chat["attributes"]["gen_ai.usage.output_tokens"] == 1
        assert "gen_ai.conversation.id" not in agent["attributes"]

    def test_failed_run(self, nodespan: Nodespan) -> None:
        """A failed run is a document as well, with the error; `--traceback` shows where."""
        result = nodespan(
            "chat", "hi", "--json", "--model", "own_models:FailingChatModel", "--traceback"
        )

        document = json.loads(result.out)
        assert document["outcome"] == "error"
        assert document["answer"] == "so far "
        assert document["error"] == {"type": "ConnectionError", "message": "the cable is out"}
        assert len(document["spans"]) == 3
        assert result.code == 1
        assert result.err.startswith("Traceback (most recent call last):")
        assert 'raise ConnectionError("the cable is out")' in result.err
        assert result.err.endswith("error: ConnectionError: the cable is out\n")


class TestFailure:
    """Runs that do not simply end."""

    @pytest.mark.parametrize("option", ["--model", "--tool", "--graph"])
    def test_module_fails(self, nodespan: Nodespan, option: str) -> None:
        """A module of the user's that cannot be imported is named, and its traceback on demand."""
        failed = nodespan("chat", "hi", option, "own_broken:cat")
        said = (
            f"error: {option} own_broken:cat: the module 'own_broken' fails when it is imported: "
            "RuntimeError: the cat is out; --traceback shows where\n"
        )
        assert (failed.code, failed.out, failed.err) == (1, "", said)
        failed = nodespan("chat", "hi", option, "own_broken:cat", "--traceback")
        assert 'raise RuntimeError("the cat is out")' in failed.err
        assert failed.err.endswith(said)

    def test_failed_run(self, nodespan: Nodespan) -> None:
        """What came of the answer and the trace are shown; the error is on standard error."""
        result = nodespan("chat", "hi", "--model", "own_models:FailingChatModel")

        assert result.out.startswith("so far \n\ntrace ")
        assert outcomes(result.out) == ["error ConnectionError"] * 3
        assert result.err == "error: ConnectionError: the cable is out\n"
        assert result.code == 1

    def test_ctrl_c(self, piped: Any) -> None:
        """Ctrl-C stops the answer at once, shows the cancelled run's trace, and exits with 130."""
        process = piped("chat", "hi", "--model", "own_models:SlowChatModel")

        process.until("0 1 2")
        process.interrupt()

        assert process.end() == 130
        assert outcomes(process.text) == ["cancelled"] * 3
        assert process.err == ""

    def test_ctrl_c_without_trace(self, piped: Any) -> None:
        """With `--no-trace` nothing follows what came of the answer."""
        process = piped("chat", "hi", "--no-trace", "--model", "own_models:SlowChatModel")

        process.until("0 ")
        process.interrupt()

        assert process.end() == 130
        assert all(each.isdigit() for each in process.text.split())
        assert process.err == ""

    def test_reader_leaves(self, piped: Any) -> None:
        """When the reader has enough, as `head` may, the command ends quietly and soon."""
        process = piped("chat", "hi", "--model", "own_models:SlowChatModel")

        process.until("0 1 2")

        assert process.hang_up() == 0
        assert process.err == ""

    @pytest.mark.slow
    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk to write to")
    def test_full_disk(self) -> None:
        """Output that cannot be written is an error, said once."""
        with Path("/dev/full").open("wb") as full:
            result = subprocess.run(
                [sys.executable, "-m", "nodespan.graph.cli", "chat", "hi"],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                timeout=60,
            )

        assert result.returncode == 1
        assert result.stderr == (
            "error: cannot write to standard output: No space left on device\n"
        )

    def test_no_spans(self, nodespan: Nodespan) -> None:
        """Where OpenTelemetry is switched off, the answer comes all the same, with a hint."""
        result = nodespan("chat", "hi", OTEL_SDK_DISABLED="true")

        assert result.out == "hi\n"
        assert "OTEL_SDK_DISABLED" in result.err
        assert result.code == 0


class TestRealModel:
    """`--model PATH.gguf`."""

    def test_ctrl_c(self, piped: Any, smollm2: Path) -> None:
        """A real model answers as it thinks, and stops when it is told to."""
        process = piped("chat", "Tell a long story.", "--model", str(smollm2))

        process.until(" ")
        process.interrupt()

        assert process.end() == 130
        *_, chat = rows(process.text)
        assert chat.startswith(f"   └─ chat {smollm2.stem} ")
        assert chat.endswith("cancelled")
        assert process.err == ""

    def test_prompt_too_long(self, nodespan: Nodespan, smollm2: Path) -> None:
        """A prompt that does not fit is a failed run with a clear message."""
        result = nodespan("chat", "--model", str(smollm2), stdin="word " * 8_000)

        assert result.out.startswith("trace ")
        assert rows(result.out)[-1].endswith("error ContextTooLongError")
        assert result.err.startswith("error: the conversation has ")
        assert result.code == 1
