"""`nodespan chat --tool MODULE:NAME`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Nodespan = Callable[..., Any]

CALLER = ("--model", "own_models:tool_caller")
LOOP = [
    "invoke_agent assistant",
    "├─ node model",
    "│  └─ chat caller",
    "├─ node tools",
    "│  └─ execute_tool {}",
    "└─ node model",
    "   └─ chat caller",
]


def tree(output: str) -> list[tuple[str, str]]:
    """The spans' names and outcomes, as the trace's table has them."""
    _, *lines = output[output.index("\nspan ") + 1 :].splitlines()
    cells = [[cell for cell in line.split("  ") if cell.strip()] for line in lines]
    return [(_name(line), row[-1].strip()) for line, row in zip(lines, cells, strict=True)]


def _name(line: str) -> str:
    guide = line[: len(line) - len(line.lstrip("│├└─ "))]
    return guide + line[len(guide) :].partition("  ")[0]


class TestLoop:
    """The model calls tools, and sees their results."""

    @pytest.mark.parametrize(
        ("tool", "result"),
        [
            ("count_letters", "It is 3."),
            ("spell", "It is c-a-t."),
            ("ask_another", "It is another model knows cat."),
        ],
        ids=["function", "LangChain's", "with a model"],
    )
    def test_called(self, tool: str, result: str, nodespan: Nodespan) -> None:
        """What the model says before and after are paragraphs; the trace shows the loop."""
        called = nodespan("chat", f"{tool} cat", *CALLER, "--tool", f"own_tools:{tool}")

        assert (called.code, called.err) == (0, "")
        assert called.out.startswith(f"Let me see.\n\n{result}\n\ntrace ")
        expected = [name.format(tool) for name in LOOP]
        if tool == "ask_another":
            expected.insert(5, "│     └─ chat FakeListChatModel")
        assert tree(called.out) == [(name, "ok") for name in expected]

    def test_several(self, nodespan: Nodespan) -> None:
        """Repeated, the option gives the model several tools."""
        called = nodespan(
            *("chat", "spell cat", *CALLER, "--json"),
            *("--tool", "own_tools:count_letters", "--tool", "own_tools:spell"),
        )

        document = json.loads(called.out)
        assert document["answer"] == "Let me see.\n\nIt is c-a-t."
        assert [span["name"] for span in document["spans"]][3:5] == [
            "node tools",
            "execute_tool spell",
        ]

    def test_direct_result(self, nodespan: Nodespan) -> None:
        """The result of a tool that is to be the answer is the answer."""
        called = nodespan("chat", "shout cat", *CALLER, "--tool", "own_tools:shout", "--no-trace")

        assert (called.code, called.out, called.err) == (0, "Let me see.\n\nCAT\n", "")

    def test_real_model(self, nodespan: Nodespan, smollm2: Any) -> None:
        """A real model takes tools; what so small a one says, or calls, is its own matter."""
        called = nodespan(
            *("chat", "How many letters has the word elephant?", "--model", str(smollm2)),
            *("--tool", "own_tools:count_letters", "--json"),
        )

        assert (called.code, called.err) == (0, "")
        spans = json.loads(called.out)["spans"]
        asks = ["node model", f"chat {smollm2.stem}"]
        calls = ["node tools", "execute_tool count_letters"]
        names = [span["name"] for span in spans]
        turns = (len(names) - 3) // 4
        assert names == ["invoke_agent assistant", *asks, *(calls + asks) * turns]

    def test_conversation(self, terminal: Any) -> None:
        """Calls are part of the history, but for those of runs that failed or were stopped."""
        tools = [f"--tool=own_tools:{name}" for name in ("count_letters", "fail", "sleep")]
        screen = terminal("chat", *CALLER, *tools, "--no-trace")
        screen.until("> ")
        screen.type("fail cat\n")
        screen.until("error: ConnectionError: no dictionary has cat")
        screen.until("> ")
        screen.type("sleep cat\n")
        screen.until("Asleep.")
        screen.type("\x03")
        screen.until("> ")
        screen.type("count_letters mouse\n")
        screen.until("Let me see.\n\nIt is 5.\n")
        screen.until("> ")
        screen.type("recall\n")
        recalled = screen.until("[human: recall]").partition("\n\n")[2]
        screen.until("> ")
        screen.type("\x04")

        assert screen.end() == 0
        assert recalled == (
            "[human: sleep cat] [ai: Let me see.] "
            "[human: count_letters mouse] [ai: Let me see., count_letters] [tool: 5] "
            "[ai: It is 5.] [human: recall]"
        )


class TestFailure:
    """Tools that do not simply return."""

    def test_failed(self, nodespan: Nodespan) -> None:
        """A tool that fails ends the run; the trace shows where."""
        called = nodespan("chat", "fail cat", *CALLER, "--tool", "own_tools:fail")

        assert called.out.startswith("Let me see.\n\ntrace ")
        outcomes = [outcome for _, outcome in tree(called.out)]
        assert outcomes == ["error ConnectionError", "ok", "ok", *["error ConnectionError"] * 2]
        assert called.err == "error: ConnectionError: no dictionary has cat\n"
        assert called.code == 1

    def test_interrupted(self, nodespan: Nodespan) -> None:
        """A tool that asks a human is told apart from one that fails."""
        called = nodespan("chat", "ask_human cat", *CALLER, "--tool", "own_tools:ask_human")

        assert [outcome for _, outcome in tree(called.out)][-1] == "interrupted"
        assert called.err.startswith("error: a tool interrupted the run to ask a human, ")
        assert called.code == 1

    def test_ctrl_c(self, piped: Any) -> None:
        """Ctrl-C does not wait for a tool."""
        process = piped("chat", "sleep cat", *CALLER, "--tool", "own_tools:sleep")

        process.until("Asleep.")
        process.interrupt()

        assert process.end() == 130
        assert [outcome for _, outcome in tree(process.text)] == [
            "cancelled",
            "ok",
            "ok",
            "cancelled",
            "cancelled",
        ]
        assert process.err == ""


class TestBadUsage:
    """Exit code 2, and one message."""

    @pytest.mark.parametrize(
        ("tool", "message"),
        [
            ("count_letters", "'count_letters' is not MODULE:NAME"),
            ("./own_tools.py", "'./own_tools.py' is not MODULE:NAME"),
            ("nowhere:search", "there is no module 'nowhere'"),
            ("own_tools:search", "the module 'own_tools' has no 'search'"),
            ("own_tools:number", "'own_tools:number' is an object of type int; a tool is a func"),
            ("own_models:SlowChatModel", "is the class SlowChatModel; a tool is a function"),
            ("own_tools:undescribed", "'own_tools:undescribed' has no docstring"),
            ("own_tools:untyped", "'own_tools:untyped' has no annotation for 'word'"),
            ("own_tools:unknown", "'own_tools:unknown' cannot be described to a model: Pydantic"),
        ],
    )
    def test_no_tool(self, tool: str, message: str, nodespan: Nodespan) -> None:
        """What is wrong is said before the model is asked anything."""
        result = nodespan("chat", "cat", *CALLER, "--tool", tool)

        assert (result.code, result.out) == (2, "")
        assert result.err.startswith("error: Invalid value for '--tool': ")
        assert message in result.err
        assert result.err.count("\n") == 2

    def test_no_caller(self, nodespan: Nodespan) -> None:
        """A model that cannot call tools is named."""
        result = nodespan("chat", "cat", "--tool", "own_tools:spell")

        assert (result.code, result.out) == (2, "")
        assert "Invalid value for '--tool': EchoChatModel cannot call tools" in result.err

    def test_twice(self, nodespan: Nodespan) -> None:
        """Two tools of one name are refused."""
        result = nodespan("chat", "cat", *CALLER, *["--tool", "own_tools:spell"] * 2)

        assert (result.code, result.out) == (2, "")
        assert "two tools have the name 'spell'" in result.err
