"""What llama.cpp fails with is told in words that help, and no frame of it shows its key."""

from __future__ import annotations

import json
import traceback
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from nodespan.model import LlamaCppChatModel, ModelFileError, ServerError
from nodespan.model._llama_cpp.server import LlamaServer, ServerSettings
from support.refusing import Refusing

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = ServerSettings("cat.gguf", n_ctx=64, n_parallel=3, n_threads=1)


@dataclass
class Loaded:
    """What xllamacpp's server tells of itself."""

    listening_address: str


def shows(error: BaseException, server: LlamaServer) -> bool:
    """Say whether the variables of a failure's frames show a server's key, but for the test's."""
    error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    return server._key.get_secret_value() in "".join(told.format())


def server_at(address: str) -> LlamaServer:
    """Return a server that is loaded, and listens there."""
    server = LlamaServer(SETTINGS)
    server._native = Loaded(address)
    return server


@pytest.mark.parametrize("content", [b"GGUF" + b"\xff" * 100, b"GGUF", b"GGUF\x03\0\0\0" * 50])
def test_a_bad_file_is_told_with_what_it_may_want(tmp_path: Path, content: bytes) -> None:
    """The memory that is named is that of all conversations; the key is in no frame."""
    pytest.importorskip("xllamacpp")
    path = tmp_path / "cat.gguf"
    path.write_bytes(content)
    model = LlamaCppChatModel(model_path=path, n_ctx=64, n_parallel=3)
    with pytest.raises(ModelFileError, match=r"cannot load .*3 contexts of 64 tokens") as caught:
        model.invoke("Hello")
    assert not shows(caught.value, model._backend.server(model._settings))


def test_a_server_that_is_gone_is_told() -> None:
    """Counting tokens fails as the model does, and not with a bare refusal of a connection."""
    with Refusing(503) as refusing:
        server = server_at(refusing.url)
    with pytest.raises(ServerError, match=r"does not answer in /tokenize: .*refused") as caught:
        server.tokenize("Hello")
    assert not shows(caught.value, server)
    assert caught.value.__cause__ is None


def test_a_server_that_refuses_is_told_with_its_status() -> None:
    """The status is in the message, and on the error."""
    with Refusing(503) as refusing:
        Thread(target=refusing.handle_request, daemon=True).start()
        server = server_at(refusing.url)
        with pytest.raises(ServerError, match="failed in /tokenize with status 503") as caught:
            server.tokenize("Hello")
    assert caught.value.status == 503
    assert not shows(caught.value, server)


def test_its_key_is_in_no_text_of_a_server() -> None:
    """Nor in what it is made of."""
    server: Any = LlamaServer(SETTINGS)
    told = json.dumps({name: repr(value) for name, value in vars(server).items()})
    assert server._key.get_secret_value() not in told + repr(server)
