"""llama.cpp in this process: one loaded model for each file and settings, however many use it.

https://github.com/xorbitsai/xllamacpp
"""

from __future__ import annotations

import ctypes
import errno
import http.client
import importlib.util
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from pydantic import SecretStr

from .._errors import MissingExtraError, ModelFileError, ServerError
from .._process import Locked, in_forked_child, process_wide

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO
    from urllib.parse import SplitResult

_MAGIC: Final = b"GGUF"
# Between batches of the prompt, llama.cpp reports progress and can be told to stop.
_BATCH_TOKENS: Final = 512


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What makes one loaded model differ from another.

    Args:
        path: The GGUF file, absolute.
        n_ctx: Tokens that each conversation can hold.
        n_parallel: Conversations at once.
        n_threads: Threads that compute.
    """

    path: str
    n_ctx: int
    n_parallel: int
    n_threads: int


def require_xllamacpp() -> None:
    """Make sure that llama.cpp is installed, without loading it.

    Raises:
        MissingExtraError: If it is not.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise MissingExtraError(
            "LlamaCppChatModel needs xllamacpp; "
            "install it with: pip install 'nodespan[local]', or '.[local]' in a clone"
        )


def require_gguf(path: str) -> None:
    """Make sure that a file can be a model, by its first bytes.

    Raises:
        ModelFileError: If it is missing, unreadable, or something else.
    """
    try:
        with _opened(Path(path)) as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise ModelFileError(
            f"cannot read the model file {path!r}: {error.strerror or error}"
        ) from error
    if magic != _MAGIC:
        raise ModelFileError(
            f"{path!r} is not a GGUF file; give a model in llama.cpp's format (*.gguf)"
        )


def _opened(path: Path) -> BinaryIO:
    """Open a file to read; what is none, as a pipe that nobody may ever write into, is refused."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "it is no file")
    return path.open("rb")


class LlamaServer(Locked):
    """One loaded model. It loads itself when it is first needed."""

    def __init__(self, settings: ServerSettings) -> None:
        super().__init__()
        self.settings = settings
        in_forked_child(self._abandon)
        self._native: Any = None
        # llama.cpp always listens on 127.0.0.1 too; nobody else is to talk to it.
        self._key = SecretStr(secrets.token_urlsafe(32))

    def chat(self, body: dict[str, Any], on_reply: Callable[[dict[str, Any]], bool]) -> None:
        """Answer one conversation; blocks until the answer is complete.

        Args:
            body: A chat completion request in OpenAI's format, for a stream.
            on_reply: Gets each reply; returns whether to stop.
        """
        self._loaded().handle_chat_completions(body, on_reply)

    def tokenize(self, text: str) -> list[int]:
        """Find the ids of a text's tokens, special ones included."""
        reply = self._post("/tokenize", {"content": text, "parse_special": True})
        return list(reply["tokens"])

    def apply_template(self, body: dict[str, Any]) -> str:
        """Write a conversation down as the model is to read it."""
        return str(self._post("/apply-template", body)["prompt"])

    def _loaded(self) -> Any:
        with self._lock:
            if self._native is None:
                self._native = _load(self.settings, self._key)
            return self._native

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        """Ask what xllamacpp offers over HTTP only.

        Raises:
            ServerError: If it does not answer, or refuses.
        """
        address = urlsplit(self._loaded().listening_address)
        try:
            status, text = _answer(address, path, json.dumps(body), self._key)
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
        else:
            if status == http.client.OK:
                return json.loads(text)
            raise ServerError(f"llama.cpp failed in {path} with status {status}", status=status)
        # Outside of the block: frames of the attempt hold the key.
        raise ServerError(f"llama.cpp does not answer in {path}: {reason}")

    def _abandon(self) -> None:
        """Forget llama.cpp in a forked child, where its threads do not exist."""
        # Its destructor would wait for those threads: one reference that nobody gives back
        # keeps it from running, also when the interpreter ends.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._native))
        self._native = None


def _answer(address: SplitResult, path: str, body: str, key: SecretStr) -> tuple[int, bytes]:
    """Return the status and the body that llama.cpp answers with."""
    connection = http.client.HTTPConnection(str(address.hostname), address.port)
    headers = {
        "Authorization": f"Bearer {key.get_secret_value()}",
        "Content-Type": "application/json",
    }
    try:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _load(settings: ServerSettings, key: SecretStr) -> Any:
    import xllamacpp  # type: ignore[import-untyped]  # noqa: PLC0415  # the extra `local`

    require_gguf(settings.path)
    params = xllamacpp.CommonParams()
    params.model.path = settings.path
    params.n_ctx = settings.n_ctx * settings.n_parallel
    params.n_parallel = settings.n_parallel
    params.n_batch = params.n_ubatch = _BATCH_TOKENS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings.n_threads
    params.use_jinja = True
    params.warmup = params.ui = params.endpoint_slots = False
    params.verbosity = 0
    params.api_keys = [key.get_secret_value()]
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise ModelFileError(
            f"llama.cpp cannot load {settings.path!r}; is the file complete, its architecture "
            f"known to this version, and is there memory for {settings.n_parallel} contexts of "
            f"{settings.n_ctx} tokens each (n_parallel, n_ctx)?"
        ) from error


class _Servers(Locked):
    """The loaded models of this process, each for as long as somebody holds it."""

    def __init__(self) -> None:
        super().__init__()
        self._known: WeakValueDictionary[ServerSettings, LlamaServer] = WeakValueDictionary()

    def shared(self, settings: ServerSettings) -> LlamaServer:
        """Return the server of these settings, one for all who ask."""
        with self._lock:
            server = self._known.get(settings)
            if server is None:
                server = self._known[settings] = LlamaServer(settings)
            return server


_servers: Final = process_wide(_Servers)


def shared_server(settings: ServerSettings) -> LlamaServer:
    """Find the server for these settings, or make it; it lives as long as somebody holds it."""
    return _servers.shared(settings)
