"""`nodespan chat --model http://HOST:PORT/v1 --model-name NAME`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Nodespan = Callable[..., Any]

KEY = "open-sesame"
OUTCOMES = ("invoke_agent assistant", "└─ node model", "   └─ chat smollm2")


@pytest.fixture(scope="module")
def url(smollm2: Path) -> Iterator[str]:
    """The address of llama.cpp's own server, with a real model, and a key."""
    xllamacpp = pytest.importorskip("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path, params.model_alias = str(smollm2), {"smollm2"}
    params.n_ctx, params.n_parallel = 4096, 2
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.use_jinja, params.warmup, params.verbosity = True, False, 0
    params.n_predict, params.api_keys = 200, [KEY]
    params.sampling.temp = 0  # or an answer is, now and then, an empty one
    server = xllamacpp.Server(params)
    yield f"{server.listening_address}/v1"
    del server


def spans(output: str) -> list[str]:
    """The lines of the trace's table, without its header."""
    lines = output.splitlines()
    return lines[next(i for i, line in enumerate(lines) if line.startswith("span ")) + 1 :]


class TestRealServer:
    """A real model behind a real server."""

    def test_answer(self, url: str, nodespan: Nodespan) -> None:
        """It answers, with the numbers of its tokens in the trace."""
        options = ("--model", url, "--model-name", "smollm2", "--json")
        result = nodespan("chat", "Say hello.", *options, OPENAI_API_KEY=KEY)

        assert (result.code, result.err) == (0, "")
        told = json.loads(result.out)
        assert told["answer"].strip()
        *_, chat = told["spans"]
        assert (chat["name"], chat["status"]) == ("chat smollm2", "unset")
        assert chat["attributes"]["nodespan.stream.chunks"] > 1
        assert chat["attributes"]["gen_ai.usage.input_tokens"] > 10
        assert chat["attributes"]["gen_ai.usage.output_tokens"] > 1

    def test_ctrl_c(self, url: str, terminal: Any) -> None:
        """Ctrl-C stops an answer; in a conversation the next question gets one."""
        screen = terminal(
            "chat", "--model", url, "--model-name", "smollm2", "--no-trace", OPENAI_API_KEY=KEY
        )
        screen.until("> ")
        screen.type("Tell a long story about the sea.\n")
        screen.until("\n\n")
        screen.until(" ")
        screen.type("\x03")

        screen.until("> ")
        screen.type("Say hello.\n")
        screen.until("Say hello.\n\n")
        assert screen.until(" ").strip()
        screen.type("\x03")
        screen.until("> ")
        screen.type("\x04")

        assert screen.end() == 0
        assert "error" not in screen.text

    @pytest.mark.parametrize("key", ["wrong-key", ""])
    def test_key(self, key: str, url: str, nodespan: Nodespan) -> None:
        """A wrong key, or none, is a failed run that says where the key is read from."""
        result = nodespan(
            "chat", "hi", "--model", url, "--model-name", "smollm2", OPENAI_API_KEY=key
        )

        assert result.code == 1
        assert result.err.startswith(f"error: {url} refused the credentials (401: ")
        assert result.err.count("\n") == 1
        for line, name in zip(spans(result.out), OUTCOMES, strict=True):
            assert line.startswith(f"{name} ")
            assert line.endswith(" error AuthenticationError")
        assert "wrong-key" not in result.out + result.err


class TestRefusal:
    """Servers that do not answer."""

    def test_unknown_model(self, refusing: Any, nodespan: Nodespan) -> None:
        """A model that the server does not have is a failed run that names it."""
        body = {"error": {"message": "The model does not exist", "code": "model_not_found"}}
        with refusing(404, body=body) as server:
            result = nodespan("chat", "hi", "--model", server.url, "--model-name", "gpt-99")

        assert result.code == 1
        assert result.err.startswith(f"error: {server.url} has no such model")
        assert "The model does not exist" in result.err
        assert "'gpt-99'" in result.err
        assert spans(result.out)[-1].endswith(" error ModelNotFoundError")

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_not_reached(self, scheme: str, dead_port: int, nodespan_process: Nodespan) -> None:
        """A server that is not there is a failed run that names the address."""
        url = f"{scheme}://127.0.0.1:{dead_port}/v1"

        result = nodespan_process("chat", "hi", "--model", url, "--model-name", "tiny")

        assert result.code == 1
        assert result.err.startswith(f"error: {url} was not reached: ")
        assert " error ModelConnectionError, sent again 2x " in spans(result.out)[-1]
