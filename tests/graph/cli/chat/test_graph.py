"""`nodespan chat --graph MODULE:NAME`: a graph of the user's own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Nodespan = Callable[..., Any]


@pytest.mark.parametrize("name", ["agent", "builder", "make", "make_later"])
def test_a_graph_answers(name: str, nodespan: Nodespan) -> None:
    """A compiled graph, a builder, and functions that make one, answer as models do."""
    result = nodespan("chat", "hello", "--graph", f"own_graphs:{name}")

    assert (result.code, result.err) == (0, "")
    answer, blank, trace, header, root, *_, chat = result.out.splitlines()
    assert (answer, blank) == ("[human: hello]", "")
    assert trace.startswith("trace ")
    assert header.startswith("span ")
    graph = "LangGraph" if name in ("builder", "make_later") else "recaller"
    assert root.startswith(f"invoke_workflow {graph} ")
    assert "chat" in chat


def test_an_answer_without_a_model(nodespan: Nodespan) -> None:
    """What a node has written into the state itself is the answer."""
    result = nodespan("chat", "hello", "--graph", "own_graphs:by_hand", "--no-trace")

    assert (result.code, result.out, result.err) == (0, "written by hand\n", "")


def test_an_empty_answer_says_so(nodespan: Nodespan) -> None:
    """Where nothing was said, the user is told, beside the answer."""
    result = nodespan("chat", "hello", "--graph", "own_graphs:silent", "--no-trace")

    assert (result.code, result.out, result.err) == (0, "", "the answer is empty\n")


def test_a_conversation_remembers(terminal: Any) -> None:
    """A graph without a checkpointer knows what was said; turns that went wrong are forgotten."""
    screen = terminal("chat", "--graph", "own_graphs:agent", "--no-trace")

    def say(text: str, until: str) -> str:
        screen.until("> ")
        screen.type(f"{text}\n")
        return str(screen.until(until))

    say("fail", "error: ConnectionError: the cable is out")
    say("one", "[human: one]\n")
    say("count", "0 1 2")
    screen.type("\x03")
    say("fail", "error: ConnectionError: the cable is out")
    recalled = say("two", "[human: two]\n")
    assert recalled.endswith("\n[human: one] [ai: [human: one]] [human: two]\n")
    screen.until("> ")
    screen.type("exit\n")
    assert screen.end() == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--graph", "own_graphs"], "'own_graphs' is not MODULE:NAME"),
        (["--graph", "nowhere:agent"], "there is no module 'nowhere'"),
        (["--graph", "own_graphs:missing"], "the module 'own_graphs' has no 'missing'"),
        (["--graph", "own_graphs:number"], "'own_graphs:number' is no graph but int"),
        (["--graph", "own_graphs:make_for"], "cannot be called without arguments"),
        (["--graph", "own_graphs:State"], "is no graph but"),
        (
            ["--graph", "own_graphs:other"],
            "the state of 'own_graphs:other' has no 'messages' to talk by; it has question",
        ),
        (["--graph", "own_graphs:agent", "--n", "3"], "'--n': a graph of your own has its own"),
        (["--graph", "own_graphs:agent", "--n", "0"], "'--n': a graph of your own has its own"),
        (["--graph", "own_graphs:agent", "--tool", "a:b"], "'--tool': a graph of your own has its"),
        (["--max-tokens", "3"], "echo has no tokens to save"),
        (["--model", "own_models:SlowChatModel", "--max-tokens", "0"], "0 is less than 1"),
        (["--stall-threshold", "soon"], "'soon' is no number of seconds above 0"),
        (["--stall-threshold", "nan"], "'nan' is no number of seconds above 0"),
        (["--prices", "missing.toml"], "prices file 'missing.toml' cannot be read"),
        (["two", "words"], "several words need quotes: nodespan chat 'hi two words'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_refused(arguments: list[str], message: str, nodespan: Nodespan) -> None:
    """What is wrong is named with the way out, and nothing runs."""
    result = nodespan("chat", "hi", *arguments)

    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_prices_and_stalls_are_on_the_trace(nodespan: Nodespan, tmp_path: Any) -> None:
    """What the options say of prices and stalls is what the spans tell."""
    prices = tmp_path / "prices.toml"
    prices.write_text("echo = { input = 1_000_000, output = 2_000_000 }")
    result = nodespan(
        *("chat", "Meow!", "--json", "--prices", str(prices), "--stall-threshold", "1e-9")
    )

    *_, chat = json.loads(result.out)["spans"]
    assert chat["attributes"]["nodespan.cost"] == 15
    assert chat["attributes"]["nodespan.stream.stalls"] >= 5


def test_a_limit_of_tokens_reaches_a_model_of_ones_own(nodespan: Nodespan) -> None:
    """The model is asked for no more than so many."""
    result = nodespan(
        *("chat", "hello", "--json", "--model", "own_models:RecallingChatModel"),
        *("--max-tokens", "7"),
    )

    *_, chat = json.loads(result.out)["spans"]
    assert chat["attributes"]["gen_ai.request.max_tokens"] == 7


def test_bytes_of_the_c_locale_are_text(nodespan_process: Nodespan) -> None:
    """A prompt that Python could not decode in the user's locale is read as UTF-8."""
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    result = nodespan_process("chat", b"Gr\xc3\xbcezi".decode("ascii", "surrogateescape"), **locale)

    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("Grüezi\n")
