"""Help, version, and command lines that are refused before anything runs."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points, version
from typing import Any

import pytest

Nodespan = Callable[..., Any]

OPTIONS = {
    *("--model", "--model-name", "--tool", "--n", "--max-tokens", "--graph"),
    *("--prices", "--stall-threshold"),
    *("--no-trace", "--json", "--traceback", "--help"),
}
AT = ["--model", "http://127.0.0.1:1/v1"]
NAMED = ["--model-name", "tiny"]


class TestHelp:
    """What the command says about itself."""

    def test_command(self, nodespan: Nodespan) -> None:
        """`-h` says what nodespan is, and lists its commands and options."""
        result = nodespan("-h")

        assert result.code == 0
        assert "Usage: nodespan [OPTIONS] COMMAND [ARGS]..." in result.out
        assert "Chat models of your own in LangGraph, with every run on OpenTelemetry." in (
            result.out
        )
        assert re.search(r"chat +Talk to a chat model", result.out)
        assert re.search(r"--version .*Print the version\.", result.out)

    def test_chat(self, nodespan: Nodespan) -> None:
        """`chat --help` has every option, how a conversation goes, and the exit codes."""
        result = nodespan("chat", "--help")
        text = " ".join(result.out.split())

        assert result.code == 0
        assert set(re.findall(r"--\w[\w-]*", result.out)) == OPTIONS
        # Without brackets by an older typer, which takes the name as it is given.
        assert re.search(r"Usage: nodespan chat \[OPTIONS\] (\[PROMPT\]|PROMPT) ", text)
        assert "Ctrl-C stops an answer, Ctrl-D ends it." in text
        assert "0, or 1 for a failed run, 2 for bad usage, 130 for Ctrl-C" in text
        assert "OTEL_EXPORTER_OTLP_ENDPOINT" in text
        assert "[default: echo]" in text
        assert "The key is read from OPENAI_API_KEY" in re.sub(r"[│\s]+", " ", result.out)
        assert "\x1b" not in result.out

    def test_version(self, nodespan: Nodespan) -> None:
        """`--version` says which version is installed."""
        assert nodespan("--version").out == f"nodespan {version('nodespan')}\n"

    @pytest.mark.slow
    def test_quick(self) -> None:
        """Nothing that takes seconds to import is imported for it."""
        code = (
            "import sys; sys.argv = ['nodespan', 'chat', '-h']; import nodespan.graph.cli as c\n"
            "late = {'langgraph', 'langchain_core', 'webbrowser', 'nodespan.telemetry'}\n"
            "try: c.main()\n"
            "except SystemExit: print(late & sys.modules.keys())"
        )

        result = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )

        assert result.stdout.endswith("set()\n")

    def test_entry_point(self) -> None:
        """Installed, the command is called `nodespan`."""
        (command,) = entry_points(group="console_scripts", name="nodespan")
        assert command.value == "nodespan.graph.cli:main"


class TestBadUsage:
    """Exit code 2, a message on standard error, nothing on standard output."""

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["chat", ""], "it is empty"),
            (["chat", " \n"], "it is empty"),
            (["chat"], "it is empty"),
            (["chat", "hi", "--model", "missing.gguf"], "there is no file 'missing.gguf'"),
            (["chat", "hi", "--model", "../missing"], "there is no file '../missing'"),
            (["chat", "hi", "--model", "."], "'.' is a folder"),
            (["chat", "hi", "--model", "gpt"], "'gpt' is neither 'echo', nor the path of a GGUF"),
            (["chat", "hi", "--model", "own_models.py"], "not a GGUF file"),
            (["chat", "hi", "--model", "nowhere:Model"], "there is no module 'nowhere'"),
            (["chat", "hi", "--model", "own_models:Model"], "has no 'Model'; it has SlowChatModel"),
            (["chat", "hi", "--model", "own_models:nothing"], "'own_models:nothing' is None"),
            (["chat", "hi", "--model", "own_models:number"], "'own_models:number': a chat model"),
            (["chat", "hi", "--n", "-1"], "-1 is less than 0"),
            (["chat", "hi", "--n", "three"], "'--n': 'three' is no whole number"),
            (["chat", "hi", "--model", "own_models:Named"], "arguments (name: Field required)"),
            (["chat", "hi", "--model", "own_models:shy_echo", "--n", "1"], "only --model echo"),
            (["chat", "hi", *AT], "'--model-name': it is missing"),
            (["chat", "hi", *AT, "--model-name", " "], "'--model-name': it is missing"),
            (["chat", "hi", *NAMED], "'--model-name': only an endpoint has it"),
            (["chat", "hi", *AT, *NAMED, "--n", "1"], "only --model echo"),
            (["chat", "hi", "--model", "ftp://x", *NAMED], "'--model': give an address like http"),
            (["chat", "two", "prompts"], "extra argument"),
            (["chat", "hi", "--nope"], "--nope"),
            (["chta"], "No such command 'chta'"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_refused(self, arguments: list[str], message: str, nodespan: Nodespan) -> None:
        """What is wrong is named, with the way to the help."""
        result = nodespan(*arguments)

        assert result.code == 2
        assert result.out == ""
        error, hint = result.err.splitlines()
        assert error.startswith("error: ")
        assert message in error
        assert re.fullmatch(r"`nodespan( chat)? --help` shows what there is\.", hint)

    @pytest.mark.parametrize(
        ("model", "key", "source"),
        [
            ("http://user:planted@127.0.0.1:1/v1", "", "--model"),
            ("http://127.0.0.1:1/v1?key=planted", "", "--model"),
            ("http://127.0.0.1:planted/v1", "", "--model"),
            ("http://127.0.0.1:1/v1", "planted\n", "OPENAI_API_KEY"),
        ],
        ids=["user", "query", "port", "key"],
    )
    def test_credentials(self, model: str, key: str, source: str, nodespan: Nodespan) -> None:
        """An address or a key that will not do is not repeated: it may hold a credential."""
        result = nodespan("chat", "hi", "--model", model, *NAMED, OPENAI_API_KEY=key)

        assert result.code == 2
        assert result.err.startswith(f"error: Invalid value for '{source}': ")
        assert "planted" not in result.out + result.err

    def test_no_command(self, nodespan: Nodespan) -> None:
        """Without a command there is help, but nothing was done."""
        result = nodespan()

        assert result.code == 2
        assert "Usage: nodespan" in result.out

    @pytest.mark.parametrize("way", ["argument", "standard input"])
    def test_not_text(self, way: str, nodespan: Nodespan) -> None:
        """Bytes that are no UTF-8 are refused, by position, wherever they come from."""
        if way == "argument":
            result = nodespan("chat", os.fsdecode(b"Meow\xff!"))
        else:
            result = nodespan("chat", stdin=b"Meow\xff!")

        assert result.code == 2
        assert "not UTF-8 text: byte 0xff at position 4" in result.err

    def test_too_long(self, nodespan: Nodespan) -> None:
        """Standard input that has no end is given up."""
        result = nodespan("chat", stdin="x" * (16 * 1024 * 1024 + 1))

        assert result.code == 2
        assert "longer than 16,777,216 bytes" in result.err

    def test_document_of_a_conversation(self, terminal: Any) -> None:
        """`--json` without a prompt, where a person would be asked for one, is refused."""
        screen = terminal("chat", "--json")

        assert screen.end() == 2
        assert "'--json': one document needs one prompt" in screen.text
