"""`OpenAICompatibleChatModel`: any server that speaks OpenAI's chat completions."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self

from pydantic import ConfigDict, Field, PrivateAttr, SecretStr, field_validator, model_validator

from .._custom.base import CustomChatModel
from .._custom.secrets import EnvironmentSecret, with_hidden_texts
from .._errors import BadRequestError, MissingExtraError
from .._generators.owned import owned
from .._tools.constrained import ConstrainedTurn
from .._tools.strict import marked_strict
from .messages import to_request_messages
from .request import (
    Completion,
    Limits,
    as_json,
    check_header,
    checked_address,
    is_overheard,
)
from .retry import Backoff

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from langchain_core.messages import BaseMessage

    from .._answer.answer import Piece
    from .http import LoopClients

_KEY_VARIABLE: Final = "OPENAI_API_KEY"
_MOST_STOP_STRINGS: Final = 4  # more are refused by OpenAI; all are looked for in the answer
_PACKAGES: Final = ("httpx", "httpx_sse")


def _key_of_environment() -> SecretStr | None:
    key = os.environ.get(_KEY_VARIABLE)
    return None if key is None else EnvironmentSecret(key)


class OpenAICompatibleChatModel(CustomChatModel):
    """A chat model behind an HTTP server that speaks OpenAI's chat completions.

    vLLM, llama.cpp, Ollama, TGI, SGLang and many others do. It needs the extra `http`:
    `pip install 'nodespan[http]'`. The API behind it:
    https://platform.openai.com/docs/api-reference/chat

    Example::

        model = OpenAICompatibleChatModel(
            base_url="http://127.0.0.1:8000/v1", model_name="SmolLM2-135M-Instruct"
        )
        for chunk in model.stream("Who are you?"):
            print(chunk.text, end="", flush=True)

    Answers always come as a stream, so that limits of time hold between chunks and a server
    is told to stop as soon as nobody wants the rest: its connection is closed. The server
    continues the trace of the current span (W3C Trace Context). Its connections live as long
    as the model, and are bound to the event loop that they were opened on; sync calls run on
    an event loop in another thread, which all models share.

    Args:
        base_url: The server's address, mostly with `/v1` at its end; without credentials.
        model_name: The model to ask for.
        api_key: The key that the server asks for, if it does; by default from the environment
            variable `OPENAI_API_KEY`, which is not sent unencrypted to another machine. `None` for
            one call is the model's own key, and an empty text is none.
        headers: Additional headers, such as a gateway's own key; kept as secret as the key.
        temperature: Randomness, from 0 (none) upwards.
        top_p: Share of the probability to choose from, above 0 and up to 1.
        max_tokens: Tokens of an answer at most.
        seed: Makes answers repeatable, on servers that can.
        frequency_penalty: Discourages words by how often they have come, from -2 to 2.
        presence_penalty: Discourages words that have come, from -2 to 2.
        extra_body: Additional fields of the request, such as `{"top_k": 40}`.
        tool_calling: "native", or "json_schema" for a server or a model that cannot call tools,
            but can be held to a schema: an answer then holds one call at most.
        stream_usage: Whether to ask for usage; for old servers that refuse to be asked.
        connect_timeout: Seconds to reach the server; `None` for no limit, as for the others.
        first_chunk_timeout: Seconds from the request to the first chunk of the answer.
        chunk_timeout: Seconds from one chunk to the next.
        timeout: Seconds for a whole call, retries included.
        max_retries: How often to try again after a connection failed, or a status of 408,
            409, 429 or 5xx; as long as no chunk has come.
        max_answer_bytes: What an answer may take up, counted as the bytes of its events, of
            256 each at least; `None` for no limit.
        max_connections: Connections at once on an event loop; more calls wait for one. It holds
            for the model, and cannot be changed for one call.
        stop: Strings that end an answer, also sent to the server, the first four of them; the one
            that did is part of it where the server says which it was, or sends it.
        include_stop: `False` leaves that string out.
        streaming: `False` makes `stream` give the whole answer as one message.
        **kwargs: LangChain's own, such as `cache`, `rate_limiter`, `tags` and `metadata`.

    Raises:
        MissingExtraError: On construction, if the extra is not installed.
        pydantic.ValidationError: On construction, for a value out of range.
        BadRequestError: On construction, for an unknown argument; on a call, for that or a value
            out of range, and if the server refuses the request for another reason than these.
        AuthenticationError: On a call, if the server refuses the key.
        RateLimitError: On a call, if the server asks for fewer calls, and the retries are used
            up, or it asks to wait for more than a minute.
        ContextTooLongError: On a call, if the conversation is too long for the model.
        ServerError: On a call, if the server fails.
        ModelConnectionError: On a call, if it is not reached, or goes away.
        AnswerTooLongError: On a call, if the answer goes on beyond `max_answer_bytes`.
        ModelTimeoutError: On a call, if a limit of time is exceeded; the message says which.
        MalformedAnswerError: On a call, if the answer is not of this protocol.
        ModelClosedError: On a call, after `close`.
    """

    model_config = ConfigDict(hide_input_in_errors=True)  # it may be a secret in a wrong place

    base_url: str
    model_name: str = Field(min_length=1)
    api_key: SecretStr | None = Field(default_factory=_key_of_environment, validate_default=True)
    headers: dict[str, SecretStr] | None = None
    temperature: float | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)
    seed: int | None = None
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    extra_body: dict[str, Any] | None = None
    tool_calling: Literal["native", "json_schema"] = "native"
    stream_usage: bool = True
    connect_timeout: float | None = Field(default=10, gt=0)
    first_chunk_timeout: float | None = Field(default=300, gt=0)
    chunk_timeout: float | None = Field(default=120, gt=0)
    timeout: float | None = Field(default=None, gt=0)
    max_retries: int = Field(default=2, ge=0)
    max_answer_bytes: int | None = Field(default=64 * 1024 * 1024, ge=1)
    max_connections: int = Field(default=256, ge=1, frozen=True)

    provider: ClassVar[str] = "openai_compatible"

    _clients: LoopClients = PrivateAttr()

    def _prepare(self) -> None:
        # Imported now, not by the first call, which may be on an event loop.
        from . import endpoint as _openai_endpoint  # noqa: F401, PLC0415  # the extra `http`
        from . import http as _http  # noqa: PLC0415  # the extra `http`

        self._clients = _http.LoopClients(self.max_connections)

    def arespond(  # noqa: PLR0913 - what LangChain binds to a call
        self,
        messages: list[BaseMessage],
        *,
        tools: list[dict[str, Any]] | None = None,
        tool_choice: str | dict[str, Any] | None = None,
        parallel_tool_calls: bool | None = None,
        response_format: dict[str, Any] | None = None,
        stop: list[str] | None = None,
    ) -> AsyncGenerator[Piece]:
        """Ask the server, and yield its answer as it comes."""
        wanted = {
            "tools": tools or None,  # an empty list is refused
            "tool_choice": tool_choice,
            "parallel_tool_calls": parallel_tool_calls,
            "response_format": response_format,
            "stop": (stop or [])[:_MOST_STOP_STRINGS] or None,
        }
        if self.tool_calling == "native":
            return self._ask(messages, wanted, [])
        return self._ask_constrained(messages, wanted)

    def _ask(
        self, messages: list[BaseMessage], wanted: dict[str, Any], retries: list[str]
    ) -> AsyncGenerator[Piece]:
        from .endpoint import complete  # noqa: PLC0415  # the extra `http`

        backoff = Backoff(max_retries=self.max_retries)
        return complete(self._clients, self._completion(messages, wanted), backoff, retries)

    async def _ask_constrained(
        self, messages: list[BaseMessage], wanted: dict[str, Any]
    ) -> AsyncGenerator[Piece]:
        # There are no tools in these requests, so nothing may be said about them.
        turn = ConstrainedTurn(messages, {**wanted, "parallel_tool_calls": None})
        retries: list[str] = []
        while (request := turn.next_request()) is not None:
            async with owned(self._ask(*request, retries)) as pieces:
                async for piece in pieces:
                    for read in turn.read(piece):
                        yield read
            for read in turn.end():
                yield read

    @property
    def _llm_type(self) -> str:
        return "openai-compatible"

    def _marked(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Give schemas that are marked strict the form that servers demand."""
        tools, response_format = wanted.get("tools"), wanted.get("response_format")
        if tools:
            tools = [
                {**tool, "function": marked_strict(tool["function"], "parameters")}
                if isinstance(tool.get("function"), dict)
                else tool
                for tool in tools
            ]
        if response_format and isinstance(response_format.get("json_schema"), dict):
            schema = marked_strict(response_format["json_schema"], "schema")
            response_format = {**response_format, "json_schema": schema}
        return {**wanted, "tools": tools, "response_format": response_format}

    def _completion(self, messages: list[BaseMessage], wanted: dict[str, Any]) -> Completion:
        streams = self._streams(wanted)
        said = to_request_messages(messages, self.base_url)
        wanted = self._marked(wanted)
        body = {**self._body(streams=streams), "messages": said}
        return Completion(
            server=self._server,
            model_name=self.model_name,
            body=as_json({**body, **wanted, **with_hidden_texts(self.extra_body or {})}),
            headers=self._secret_headers,
            limits=Limits(
                connect=self.connect_timeout,
                first_chunk=self.first_chunk_timeout,
                next_chunk=self.chunk_timeout,
                total=self.timeout,
            ),
            streams=streams,
            max_bytes=self.max_answer_bytes,
        )

    @property
    def _server(self) -> str:
        """The address, which somebody may have assigned since it was looked at."""
        try:
            return checked_address(self.base_url)
        except ValueError as error:
            reason = str(error)
        raise BadRequestError(f"base_url cannot be called: {reason}")

    def _streams(self, wanted: dict[str, Any]) -> bool:
        """Whether to ask for a stream: not where streaming is switched off."""
        off = self.disable_streaming
        return not (
            self.streaming is False
            or off is True
            or (off == "tool_calling" and wanted.get("tools"))
        )

    def _body(self, *, streams: bool) -> dict[str, Any]:
        asks_usage = streams and self.stream_usage
        return {
            "model": self.model_name,
            "stream": streams,
            "stream_options": {"include_usage": True} if asks_usage else None,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
            "frequency_penalty": self.frequency_penalty,
            "presence_penalty": self.presence_penalty,
        }

    @property
    def _secret_headers(self) -> dict[str, SecretStr]:
        key, headers = self.api_key, self.headers or {}
        # What was found was not given for this address; a copy of the model knows it, too.
        if not key or (isinstance(key, EnvironmentSecret) and is_overheard(self.base_url)):
            return headers
        return {"Authorization": SecretStr(f"Bearer {key.get_secret_value()}"), **headers}

    def close(self) -> None:
        """Refuse further calls, and close the connections, soon; calls under way fail.

        Closing is for those who cannot wait: a model that nobody holds closes its connections
        itself, and an event loop that shuts down closes those that were opened on it.
        """
        self._clients.close()

    async def aclose(self) -> None:
        """Do as `close` does, and wait until the running event loop's connections are closed."""
        await self._clients.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    @model_validator(mode="before")
    @classmethod
    def _require_http(cls, given: Any) -> Any:
        missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
        if missing:
            raise MissingExtraError(
                f"{cls.__name__} needs {' and '.join(missing)}; "
                "install it with: pip install 'nodespan[http]', or '.[http]' in a clone"
            )
        return given

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, url: str) -> str:
        return checked_address(url)

    @field_validator("api_key")
    @classmethod
    def _check_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is None or not key.get_secret_value():
            return None
        if not key.get_secret_value().strip("*"):
            raise ValueError("it is a hidden key, as models show it; give the key itself")
        check_header("Authorization", key)
        return key

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, headers: dict[str, SecretStr] | None) -> dict[str, SecretStr] | None:
        for name, value in (headers or {}).items():
            check_header(name, value)
        return headers
