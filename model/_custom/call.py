"""One call of a model: what its generator is given, and the answer that comes of it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from .._answer.answer import Answer, Piece
from .._answer.usage import usage
from .._errors import MalformedAnswerError
from .._generators.bridge import iterate_in_thread, iterate_on_loop
from .._generators.owned import owned
from .._tools.constrained import ConstrainedTurn
from .spec import spec_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from langchain_core.messages import BaseMessage
    from langchain_core.messages.ai import UsageMetadata


class Author(Protocol):
    """What a call needs of its model: the generator, and how its tokens are counted."""

    model_name: str
    stop: list[str] | None
    include_stop: bool | None

    @property
    def counts_exactly(self) -> bool:
        """Whether the model counts its tokens itself."""

    def respond(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Iterable[Piece]:
        """Answer, for sync callers."""

    def arespond(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[Piece]:
        """Answer, for async callers."""

    def get_num_tokens(self, text: str) -> int:
        """Count the tokens of a text."""

    def get_num_tokens_from_messages(
        self, messages: list[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """Count the tokens of a conversation."""


class Call:
    """One call of a model.

    Args:
        model: The model, with the parameters of this call.
        messages: The conversation.
        arguments: What the generator takes beside the messages.
        stop: The stop strings.

    Attributes:
        answer: The answer in the making; feed it the pieces.
    """

    __slots__ = ("_arguments", "_messages", "_model", "answer")

    def __init__(
        self,
        model: Author,
        messages: list[BaseMessage],
        arguments: dict[str, Any],
        stop: Sequence[str],
    ) -> None:
        self._model = model
        self._messages = messages
        self._arguments = arguments
        self.answer = Answer(
            model_name=model.model_name,
            stop=stop,
            include_stop=model.include_stop is not False,
            count_usage=self._count_usage,
        )

    def pieces(self) -> Generator[Piece]:
        """Run the author's generator for a sync caller."""
        if spec_of(type(self._model)).sync:
            return self._respond()
        return iterate_on_loop(self._arespond())

    def apieces(self) -> AsyncGenerator[Piece]:
        """Run the author's generator for an async caller."""
        if spec_of(type(self._model)).is_async:
            return self._arespond()
        return iterate_in_thread(self._respond())

    def _respond(self) -> Generator[Piece]:
        if not self._constrained:
            yield from self._ask(self._messages, self._arguments)
            return
        turn = ConstrainedTurn(self._messages, self._arguments)
        while (request := turn.next_request()) is not None:
            with contextlib.closing(self._ask(*request)) as pieces:
                for piece in pieces:
                    yield from turn.read(piece)
            yield from turn.end()

    def _arespond(self) -> AsyncGenerator[Piece]:
        if not self._constrained:
            return self._aask(self._messages, self._arguments)
        return self._arespond_constrained()

    async def _arespond_constrained(self) -> AsyncGenerator[Piece]:
        turn = ConstrainedTurn(self._messages, self._arguments)
        while (request := turn.next_request()) is not None:
            async with owned(self._aask(*request)) as pieces:
                async for piece in pieces:
                    for read in turn.read(piece):
                        yield read
            for read in turn.end():
                yield read

    @property
    def _constrained(self) -> bool:
        """Whether the model can be held to a schema, but knows nothing of tools."""
        own = spec_of(type(self._model))
        return own.takes("response_format") and not own.takes("tools")

    def _ask(self, messages: list[BaseMessage], arguments: dict[str, Any]) -> Generator[Piece]:
        pieces = self._model.respond(messages, **arguments)
        if isinstance(pieces, str) or not isinstance(pieces, Iterable):
            raise self._not_a_generator("respond", pieces)
        yield from pieces

    def _aask(
        self, messages: list[BaseMessage], arguments: dict[str, Any]
    ) -> AsyncGenerator[Piece]:
        pieces = self._model.arespond(messages, **arguments)
        if not isinstance(pieces, AsyncGenerator):
            raise self._not_a_generator("arespond", pieces)
        return pieces

    def _not_a_generator(self, method: str, given: object) -> MalformedAnswerError:
        if isinstance(given, Coroutine):
            given.close()  # or Python warns that nobody has awaited it
        name = f"{type(self._model).__name__}.{method}"
        is_sync = method == "arespond" and isinstance(given, Generator)
        way_out = "write it with async, or call it respond" if is_sync else "yield it in pieces"
        return MalformedAnswerError(
            f"{name} returned an object of type {type(given).__name__}; {way_out}"
        )

    def _count_usage(self, text: str) -> tuple[UsageMetadata, bool]:
        model = self._model
        tools = self._arguments.get("tools")
        sent = model.get_num_tokens_from_messages(self._messages, tools)
        return usage(sent, model.get_num_tokens(text)), not model.counts_exactly
