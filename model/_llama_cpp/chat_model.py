"""`LlamaCppChatModel`: a GGUF file, run by llama.cpp in this process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self
from weakref import WeakSet

from pydantic import Field, PrivateAttr, field_validator, model_validator

from .._answer.usage import count_message_tokens
from .._custom.base import CustomChatModel
from .._errors import BadRequestError, ModelClosedError, ServerError, UnsupportedError
from .._generators.owned import owned
from .._process import Locked
from .._tools.constrained import ConstrainedTurn
from .._tools.definitions import definitions_to_count, tool_name
from .._tools.held import require_held
from .chat import ReplyReader, to_request_messages
from .generation import Generation, areplies, replies
from .header import trained_context
from .server import ServerSettings, require_gguf, require_xllamacpp, shared_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from langchain_core.messages import AIMessageChunk, BaseMessage

    from .server import LlamaServer


# What llama.cpp can count, and how many it can have at once: with more threads it may end the
# whole process.
_MOST_TOKENS: Final = 2**31 - 1
_MOST_PARALLEL: Final = 256
_MOST_THREADS: Final = 512


class LlamaCppChatModel(CustomChatModel):
    """A chat model in a GGUF file, run by llama.cpp in this process.

    It needs the extra `local`: `pip install 'nodespan[local]'`. The file is checked when the
    model is made, and loaded when it is first called; models with the same file and settings
    share what is loaded, until the last of them is gone or closed. The API behind it is
    xllamacpp's server: https://github.com/xorbitsai/xllamacpp

    A forked child loads the file again. It has to end without C's exit handlers, as the
    children of `multiprocessing` do: llama.cpp's own would wait for threads that no fork copies.

    Example::

        model = LlamaCppChatModel(model_path="SmolLM2-135M-Instruct.Q4_1.gguf", max_tokens=64)
        for chunk in model.stream("Who are you?"):
            print(chunk.content, end="", flush=True)

    Args:
        model_path: The GGUF file.
        n_ctx: Tokens that each conversation can hold, its answer included; no more than the
            model was made for.
        n_parallel: Conversations that are answered at once; more of them wait. Memory for
            `n_ctx` tokens is set aside for each. Up to 256.
        n_threads: Threads that compute, up to 512. More than one is slower on a busy machine.
        max_tokens: Tokens of an answer at most; by default what the context can hold.
        temperature: Randomness, from 0 (none) upwards; llama.cpp's default is 0.8.
        top_p: Share of the probability to choose from, above 0 and up to 1; the default is 0.95.
        seed: Makes answers repeatable, for calls that come one at a time. Each call then reads
            the whole conversation anew, since what is remembered of it may round otherwise.
        model_name: The model's name in traces and results; by default the file's.
        stop: Strings that end an answer; the one that did is part of it.
        include_stop: `False` leaves that string out.
        streaming: `False` makes `stream` give the whole answer as one message.
        **kwargs: LangChain's own, such as `cache`, `rate_limiter`, `tags` and `metadata`.

    Raises:
        MissingExtraError: On construction, if xllamacpp is not installed.
        ModelFileError: On construction or the first call, if the file cannot be used.
        pydantic.ValidationError: On construction, for a value out of range.
        BadRequestError: On construction or a call, for an unknown argument, and on a call for a
            value out of range.
        ServerError: On a call, if llama.cpp fails while it answers.
        ContextTooLongError: On a call, if the conversation does not fit into `n_ctx`.
        UnsupportedError: On a call, if a message holds more than text.
        ModelClosedError: On a call, after `close`.
    """

    model_path: str
    n_ctx: int = Field(default=4096, ge=1, le=_MOST_TOKENS)
    n_parallel: int = Field(default=2, ge=1, le=_MOST_PARALLEL)
    n_threads: int = Field(default=1, ge=1, le=_MOST_THREADS)
    max_tokens: int | None = Field(default=None, ge=1, le=_MOST_TOKENS)
    temperature: float | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    seed: int | None = Field(default=None, ge=0, lt=2**32 - 1)

    in_process: ClassVar[bool] = True
    provider: ClassVar[str] = "llama_cpp"

    _overrides: ClassVar[Mapping[str, str]] = {"model": "model_path"}
    _backend: _Backend = PrivateAttr()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        require_xllamacpp()
        super().__init__(*args, **kwargs)
        require_gguf(self.model_path)
        self._backend = _Backend(self._settings)

    @field_validator("model_path", mode="before")
    @classmethod
    def _spell_path_out(cls, path: Any) -> Any:
        return os.fspath(path) if isinstance(path, os.PathLike) else path

    @model_validator(mode="after")
    def _has_room_for_its_contexts(self) -> Self:
        is_set = "n_ctx" in self.model_fields_set
        trained = trained_context(Path(self.model_path)) if is_set else None
        if trained is not None and self.n_ctx > trained:
            raise ValueError(
                f"n_ctx is {self.n_ctx:,}, and the model in {self.model_path!r} was made for "
                f"{trained:,} tokens, beyond which llama.cpp sets memory aside in vain; use up to "
                "that"
            )
        tokens = self.n_ctx * self.n_parallel
        if tokens > _MOST_TOKENS:
            raise ValueError(
                f"n_ctx and n_parallel come to {tokens:,} tokens, and llama.cpp counts up to "
                f"{_MOST_TOKENS:,}; make one of them less"
            )
        return self

    def _default_model_name(self) -> str:
        return Path(self.model_path).stem

    def respond(
        self, messages: list[BaseMessage], *, response_format: dict[str, Any] | None = None
    ) -> Iterator[AIMessageChunk]:
        """Generate in a thread, and yield the answer as it comes."""
        reader = ReplyReader()
        for reply in replies(self._start(messages, response_format)):
            yield from reader.read(reply)

    async def arespond(
        self, messages: list[BaseMessage], *, response_format: dict[str, Any] | None = None
    ) -> AsyncIterator[AIMessageChunk]:
        """Answer as above, asynchronously."""
        reader = ReplyReader()
        async with owned(areplies(self._start(messages, response_format))) as stream:
            async for reply in stream:
                for piece in reader.read(reply):
                    yield piece

    def _refuse_unfit(self, definition: dict[str, Any]) -> None:
        super()._refuse_unfit(definition)
        parameters = definition["function"].get("parameters")
        require_held(type(self).__name__, tool_name(definition), parameters)

    def _checked(self, response_format: Any) -> Any:
        schema = (response_format or {}).get("json_schema") or {}
        require_held(type(self).__name__, str(schema.get("name")), schema.get("schema"))
        return response_format

    def get_token_ids(self, text: str) -> list[int]:
        """Tell the ids of a text's tokens; loads the model if it is not loaded."""
        return self._backend.server(self._settings).tokenize(text)

    def get_num_tokens_from_messages(
        self, messages: list[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """Count a conversation's tokens as the model would read it, template and all.

        Args:
            messages: The conversation.
            tools: Tools of any kind that LangChain knows.
        """
        if not messages and not tools:
            return 0
        sent = definitions_to_count(tools or ())
        try:
            read, _ = ConstrainedTurn(messages, {"tools": sent}).next_request() or (messages, {})
            server = self._backend.server(self._settings)
            prompt = server.apply_template({"messages": to_request_messages(read)})
        except (BadRequestError, ServerError, UnsupportedError):
            # No template has a place for it; it still is of some length.
            return count_message_tokens(self.get_num_tokens, messages, sent)
        return len(server.tokenize(prompt))

    def close(self) -> None:
        """End the calls that are under way, and let go of what is loaded.

        What is loaded is freed when no other model uses it. Closing twice is closing once.
        """
        self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def _settings(self) -> ServerSettings:
        path = str(Path(self.model_path).absolute())
        return ServerSettings(path, self.n_ctx, self.n_parallel, self.n_threads)

    def _start(
        self, messages: list[BaseMessage], response_format: dict[str, Any] | None
    ) -> Callable[[Callable[[Any], None]], Generation]:
        body = self._body(messages, response_format)
        return lambda deliver: self._backend.start(self._settings, body, deliver)

    def _body(
        self, messages: list[BaseMessage], response_format: dict[str, Any] | None
    ) -> dict[str, Any]:
        options = {
            "response_format": response_format,
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "seed": self.seed,
        }
        return {
            "messages": to_request_messages(messages),
            "stream": True,
            # Usage and a chance to stop, however far the answer has come.
            "timings_per_token": True,
            "return_progress": True,
            "cache_prompt": self.seed is None,
            **{name: value for name, value in options.items() if value is not None},
        }


class _Backend(Locked):
    """What a model, and its copies with changed parameters, hold of llama.cpp."""

    def __init__(self, settings: ServerSettings) -> None:
        super().__init__()
        self._settings = settings
        self._server: LlamaServer | None = shared_server(settings)
        self._generations: WeakSet[Generation] = WeakSet()

    def __reduce__(self) -> tuple[type[_Backend], tuple[ServerSettings]]:
        return _Backend, (self._settings,)

    def server(self, settings: ServerSettings) -> LlamaServer:
        """Find the loaded model for the settings of a call."""
        own = self._server
        if own is None:
            raise ModelClosedError("the model is closed; make a new one")
        return own if settings == self._settings else shared_server(settings)

    def start(
        self,
        settings: ServerSettings,
        body: dict[str, Any],
        deliver: Callable[[Any], None],
    ) -> Generation:
        """Start an answer, unless the model is closed."""
        with self._lock:
            generation = Generation(self.server(settings), body, deliver)
            self._generations.add(generation)
            generation.start()
        return generation

    def close(self) -> None:
        """Cancel the calls under way, and let the server go."""
        with self._lock:
            self._server = None
            generations = list(self._generations)
        for generation in generations:
            generation.cancel(ModelClosedError("the model was closed during the call"))
        for generation in generations:
            generation.join()
