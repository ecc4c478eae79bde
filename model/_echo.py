"""`EchoChatModel`: the first characters of the last message."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from ._custom.base import CustomChatModel
from ._errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from langchain_core.messages import BaseMessage


class EchoChatModel(CustomChatModel):
    """A chat model that answers with the first `n` characters of the last message.

    It streams one character a chunk, counts a character as a token, and needs nothing but
    Python: for trying things out, and as an example of a model of one's own. The API behind
    it is Python's slicing: https://docs.python.org/3/reference/expressions.html#slicings

    Example::

        >>> EchoChatModel(n=3).invoke("Meow!").content
        'Meo'

    Args:
        model_name: The model's name in traces and results.
        n: How many characters of the last message to answer with, at least 0; `None` for all.
        stop: Strings that end an answer; the one that did is part of it.
        include_stop: `False` leaves that string out.
        streaming: `False` makes `stream` give the whole answer as one message.
        **kwargs: LangChain's own, such as `cache`, `rate_limiter`, `tags` and `metadata`.

    Raises:
        pydantic.ValidationError: On construction, for a negative `n`.
        BadRequestError: On construction, for an unknown argument; on a call, for that too, or a
            negative `n`, or if there is no message, or no text in the last one.
    """

    n: int | None = Field(default=None, ge=0)
    """How many characters of the last message to answer with; `None` for all."""

    in_process: ClassVar[bool] = True

    def respond(self, messages: list[BaseMessage]) -> Iterator[str]:
        """Answer with the last message, character by character."""
        yield from _text_of_last(messages)[: self.n]

    async def arespond(self, messages: list[BaseMessage]) -> AsyncIterator[str]:
        """Answer as above, asynchronously."""
        for character in self.respond(messages):
            yield character

    def get_num_tokens(self, text: str) -> int:
        """Count a text's tokens: its characters, since that is how this model streams."""
        return len(text)


def _text_of_last(messages: list[BaseMessage]) -> str:
    if not messages:
        raise BadRequestError("there is no message to echo; give at least one")
    last = messages[-1]
    if last.content and not last.text:
        kinds = sorted({str(block["type"]) for block in last.content_blocks})
        raise BadRequestError(f"the last message has no text to echo, only {', '.join(kinds)}")
    return str(last.text)
