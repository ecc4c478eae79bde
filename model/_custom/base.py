"""`CustomChatModel`: write one generator, get a whole LangChain chat model."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from langchain_core.language_models.base import BaseLanguageModel, LangSmithParams
from langchain_core.messages.utils import count_tokens_approximately
from pydantic import ConfigDict, ValidationError, field_validator, model_validator

from .. import _upstream as upstream
from .._answer.stop import as_list
from .._answer.usage import count_message_tokens, estimate_tokens
from .._answer.whole import whole
from .._errors import BadRequestError, ModelError
from .._generators.owned import owned
from .._generators.turns import Turn
from .._names import spelled
from .._tools.definitions import definitions_to_count
from .cache_key import digest, keyed_digest
from .call import Call
from .parameters import check_names, check_once, override
from .secrets import (
    hidden_arguments,
    public_values,
    require_found,
    with_hidden_texts,
    without_secrets,
)
from .spec import spec_of
from .tool_calling import ToolCalling

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping, Sequence

    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult

    from .._answer.answer import Piece

# How LangChain's own models call the field, or the property, that names the model.
_MODEL_NAMES: Final = (
    *("model_name", "model", "model_id", "deployment_name", "azure_deployment", "repo_id"),
    "endpoint_name",
)
# Chunks that are added up within some milliseconds; no event loop waits for the sum of more.
_MOST_AT_ONCE: Final = 500


class CustomChatModel(ToolCalling):
    """A chat model made of one generator.

    Subclass it, declare the model's parameters as pydantic fields, and write `respond`, an
    ordinary generator, or `arespond`, an async one; either yields text (or `AIMessageChunk`)
    for a list of messages::

        class ShoutingChatModel(CustomChatModel):
            mark: str = "!"

            async def arespond(self, messages):
                for word in messages[-1].text.split():
                    yield word.upper() + self.mark

    Everything else of a LangChain chat model comes from it: invoking, streaming and batching,
    sync and async, both streaming protocols, stop strings, usage and response metadata,
    identifying parameters, caching, rate limiting, serialization.
    https://docs.langchain.com/oss/python/langchain/models

    With `arespond` alone, sync calls run it on an event loop in another thread; with `respond`
    alone, async calls run it in a thread of its own. Write both where both are natural.

    Any parameter can be changed for one call, `model.invoke(messages, mark="?")`; the
    generator then sees the new value on `self`. A keyword argument that the generator itself
    takes after the messages (`tools`, `tool_choice`, `response_format`, or any name) is passed
    to it. Anything else is an error that names it. A secret that is `None` for one call is not
    given: the model's own holds.

    Args:
        model_name: The model's name in traces and results; by default made from the class's.
        stop: Strings that end an answer; the one that did is part of it.
        include_stop: `False` leaves that string out, for those who parse what stands before it.
        streaming: `False` makes `stream` give the whole answer as one message; it can be changed
            for one call, as any parameter.
        **kwargs: LangChain's own, such as `cache`, `rate_limiter`, `tags` and `metadata`.

    Raises:
        TypeError: On construction, if the class has neither generator.
        pydantic.ValidationError: On construction, for a value that is not valid for its parameter.
        BadRequestError: On construction or a call, for an unknown argument, or one that is given
            by two of its names; on a call, for a value that is not valid for its parameter, too.
        UnsupportedError: On a call, if it is given tools or a format, and the generator takes none.
        MalformedAnswerError: On a call, if the generator yields neither text nor a chunk.
    """

    # A parameter with an alias can be given by its name, too.
    model_config = ConfigDict(populate_by_name=True)

    model_name: str = ""
    """The model's name in traces and results; by default made from the class's."""

    stop: list[str] | None = None
    """Strings that end an answer."""

    include_stop: bool | None = None
    """`False` leaves the stop string that ended an answer out of it."""

    streaming: bool | None = None
    """`False` makes `stream` give the whole answer as one message."""

    in_process: ClassVar[bool] = False
    """Whether the model runs in this process, so that a call is no call to a server."""

    provider: ClassVar[str] = ""
    """Who serves the model, for traces; by default made from the class's name."""

    _overrides: ClassVar[Mapping[str, str]] = {"model": "model_name"}

    def respond(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Iterable[Piece]:
        """Yield the answer to the messages, piece by piece.

        The generator is closed early when nobody wants the rest: free the backend in a
        `finally` block, or with a context manager.

        Args:
            messages: The conversation, oldest message first.
            *args: None; it stands here so that a subclass may declare what it likes.
            **kwargs: Declare those that the model understands, by name, or all of them.
        """
        raise NotImplementedError

    def arespond(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[Piece]:
        """Yield the answer to the messages, piece by piece, in an async generator.

        Args:
            messages: As for `respond`.
            *args: As for `respond`.
            **kwargs: As for `respond`.
        """
        raise NotImplementedError

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002  # core reports tokens
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        call = self._call(messages, stop, kwargs)
        answer = call.answer
        with contextlib.closing(call.pieces()) as pieces:
            for piece in pieces:
                chunk = answer.take(piece)
                if answer.stopped:
                    break
                if chunk is not None:
                    yield chunk
        yield from answer.end()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002  # as above
        **kwargs: Any,
    ) -> AsyncGenerator[ChatGenerationChunk]:
        call = self._call(messages, stop, kwargs)
        answer = call.answer
        turn = Turn()
        async with owned(call.apieces()) as pieces:
            async for piece in pieces:
                chunk = answer.take(piece)
                if answer.stopped:
                    break
                if chunk is not None:
                    yield chunk
                # A generator that never waits would let nobody else run, nor be cancelled.
                await turn.share()
        for chunk in answer.end():
            yield chunk

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return whole(list(self._stream(messages, stop, run_manager, **kwargs)))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        async with owned(self._astream(messages, stop, run_manager, **kwargs)) as stream:
            chunks = [chunk async for chunk in stream]
        if len(chunks) < _MOST_AT_ONCE:
            return whole(chunks)
        return await asyncio.to_thread(whole, chunks)

    def _streaming_disabled(self, *, streaming: bool | None = None, **kwargs: Any) -> bool:
        if streaming is None:
            return upstream.streaming_disabled(super(), kwargs)
        # Core knows of the model's own `streaming`, but not of a call's.
        changed: CustomChatModel = override(self, {"streaming": streaming})
        return changed._streaming_disabled(**kwargs)

    @property
    def _llm_type(self) -> str:
        return spelled(type(self).__name__, "-")

    @property
    def _identifying_params(self) -> dict[str, Any]:
        secret = spec_of(type(self)).secrets
        names = (name for name in spec_of(type(self)).parameters if name not in secret)
        return public_values((name, getattr(self, name)) for name in names)

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = upstream.ls_params(super(), stop or self.stop, kwargs)
        params["ls_provider"] = self.provider or spelled(type(self).__name__, "_")
        if self.in_process:
            params["nodespan_in_process"] = True  # type: ignore[typeddict-unknown-key]  # ours
        public: LangSmithParams = without_secrets(params)
        return public

    def _get_invocation_params(
        self, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        # Callbacks and caches are told what a call is made with, but for its secrets.
        secret = spec_of(type(self)).secrets
        reported = {name: value for name, value in kwargs.items() if name not in secret}
        if "model_name" in reported and "model" in type(self).model_fields:
            reported.setdefault("model", reported["model_name"])
        public_stop = without_secrets(stop)
        return upstream.invocation_params(super(), self, public_stop, without_secrets(reported))

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        # Core's own is taken from the model as it was when it was first serialized.
        params = self._get_invocation_params(stop=stop, **kwargs)
        own = spec_of(type(self))
        # What is excluded decides about the answer too, but may be what people wrote.
        excluded = without_secrets({name: getattr(self, name) for name in own.excluded})
        kind = f"{type(self).__module__}.{type(self).__qualname__}"
        hidden = self._hidden_digest(stop, kwargs)
        return f"{kind}{sorted(params.items())}{digest(excluded)}{hidden}"

    def _hidden_digest(self, stop: list[str] | None, kwargs: Mapping[str, Any]) -> str:
        """Tell models and calls apart whose difference is hidden, as a part of a text may be."""
        own = spec_of(type(self))
        fields = {name: getattr(self, name) for name in (own.parameters | own.excluded)}
        # Keys decide about no answer: it is shared over those that are given as such.
        said = [
            {name: value for name, value in given.items() if not own.is_key(name)}
            for given in (fields, kwargs, {"stop": stop})
        ]
        return "" if without_secrets(said) is said else keyed_digest(said)

    def get_num_tokens(self, text: str) -> int:
        """Count a text's tokens: by `get_token_ids` where there is one, else an estimate.

        Override it, or `get_token_ids`, for a model that can count: usage is then exact.
        """
        if self._has_token_ids:
            return len(self.get_token_ids(text))
        return estimate_tokens(text)

    def get_num_tokens_from_messages(
        self, messages: list[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """Count the tokens of a conversation, with its tool calls and tool definitions.

        Args:
            messages: The conversation.
            tools: Tools of any kind that LangChain knows.
        """
        sent = definitions_to_count(tools or ())
        if self.counts_exactly:
            return count_message_tokens(self.get_num_tokens, messages, sent)
        return count_tokens_approximately(messages, tools=list(sent))

    @property
    def counts_exactly(self) -> bool:
        """Whether the model counts tokens itself, so that usage is no estimate."""
        mine = type(self).get_num_tokens is not CustomChatModel.get_num_tokens
        return mine or self._has_token_ids

    @property
    def _has_token_ids(self) -> bool:
        mine = type(self).get_token_ids is not BaseLanguageModel.get_token_ids
        return mine or self.custom_get_token_ids is not None

    def _call(
        self, messages: list[BaseMessage], stop: Sequence[str] | None, kwargs: dict[str, Any]
    ) -> Call:
        """Sort a call's arguments into changed parameters and what the generator takes."""
        own = spec_of(type(self))
        kwargs = own.given(kwargs)
        self.require_secrets(kwargs)
        changed: dict[str, Any] = {}
        arguments: dict[str, Any] = {}
        for given, value in kwargs.items():
            name = own.aliases.get(given, self._overrides.get(given, given))
            if name in own.parameters:
                if name in changed:
                    raise BadRequestError(f"{name!r} is given twice, as {given!r} too; give one")
                changed[name] = value
            if given in own.arguments:
                arguments[given] = value
            elif name not in own.parameters and value is not None and given != "stream":
                arguments[name] = value
        arguments = own.sort_out(type(self).__name__, arguments)
        model = override(self, changed) if changed else self
        # No frame that follows shows a credential among them.
        stops = with_hidden_texts(as_list(model.stop if stop is None else stop))
        if "stop" in own.arguments or (own.takes_any_argument and stops):
            arguments["stop"] = stops or None
        return Call(model, messages, arguments, stops)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        cls = type(self)
        kwargs = hidden_arguments(cls, kwargs)
        if not spec_of(cls).is_complete:
            raise TypeError(f"{cls.__name__} must define respond or arespond, a generator")
        try:
            super().__init__(*args, **self._fields_given(kwargs))
        except (ValidationError, ModelError) as error:
            # The frames beneath hold what was given, and an address may hold a credential.
            kwargs = without_secrets(kwargs)
            raise error.with_traceback(None) from None
        self._prepare()

    def _fields_given(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return what the fields are given, of arguments that have the right names."""
        cls = type(self)
        require_found(cls, kwargs)
        aliases = spec_of(cls).aliases
        if "model" in kwargs and "model" not in cls.model_fields:
            kwargs = {**kwargs}
            named = kwargs.pop("model")
            if kwargs.setdefault(self._overrides["model"], named) != named:
                check_once(cls.__name__, ("model", self._overrides["model"]), self._overrides)
        check_names(cls.__name__, kwargs, {*cls.model_fields, *aliases})
        check_once(cls.__name__, kwargs, aliases)
        return kwargs

    def _prepare(self) -> None:
        """Make what the model works with; its parameters are known to be right by now."""

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy the model, with some parameters changed, which are validated as at construction.

        Raises:
            BadRequestError: If a value is not valid for its parameter; it names both.
        """
        update = hidden_arguments(type(self), dict(update or {}))  # no frame shows it as it was
        copy = super().model_copy(deep=deep)
        return override(copy, update) if update else copy

    @model_validator(mode="after")
    def _name_itself(self) -> Self:
        if not self.model_name or "model_name" not in self.model_fields_set:
            # Not by assignment, which would make it look as if it had been given.
            self.__dict__["model_name"] = self._default_model_name()
        elif "model" in type(self).model_fields and "model" not in self.model_fields_set:
            # Two names of one parameter: what is asked for, and what answers, are the same.
            self.__dict__["model"] = self.model_name
        return self

    def _declared_model_name(self) -> str:
        """Return what the class's author calls the model, in a field or property; or nothing."""
        found = (getattr(self, name, None) for name in _MODEL_NAMES)
        return next((name for name in found if isinstance(name, str) and name), "")

    def _default_model_name(self) -> str:
        return self._declared_model_name() or spelled(type(self).__name__, "-")

    @field_validator("stop", mode="before")
    @classmethod
    def _list_stop_strings(cls, stop: Any) -> Any:
        stops = as_list(stop)
        if stops and "" in stops:
            raise ValueError("a stop string must not be empty: it would stop every answer")
        return stops

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Look at what the author wrote, once a class."""
        super().__pydantic_init_subclass__(**kwargs)
        spec_of(cls)
