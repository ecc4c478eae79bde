"""`ScriptedChatModel`: given answers, with given chunks, delays and failures."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

from langchain_core.caches import BaseCache  # noqa: TC002  # pydantic reads it
from pydantic import Field, PrivateAttr

from .._custom.base import CustomChatModel
from .script import Answers, Pause, Script, ScriptedCall, steps

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from langchain_core.messages import BaseMessage

    from .._answer.answer import Piece

_REMEMBERED_CALLS = 1000


class ScriptedChatModel(CustomChatModel):
    """A chat model that gives the answers of a script: the fake to test one's own program with.

    An answer is a text, a message (with tool calls, usage and metadata, as you like), an
    exception to raise, or a list of the steps in which it is given: texts and
    `AIMessageChunk`, each of which is a chunk, `Pause(seconds)`, and exceptions.

    Example::

        weather = {"name": "get_weather", "args": {"city": "Rome"}, "id": "1"}
        model = ScriptedChatModel(answers=[
            AIMessage("", tool_calls=[weather]),
            "It is sunny in Rome.",
            ["It is", Pause(0.5), " ...", ConnectionError("gone")],
        ])

    There is no API behind it.

    Args:
        answers: One for each call, in order; or a function of a `ScriptedCall` that gives one,
            where calls come in no certain order.
        repeat: Whether to begin again after the last answer.
        chunk_size: Characters in a chunk, for an answer that is not broken up by the script;
            `None` for a word in each.
        delay: Seconds to wait before each chunk.
        cache: LangChain's cache; off by default, so that a script goes on from call to call.
        model_name: The model's name in traces and results.
        stop: Strings that end an answer; the one that did is part of it.
        include_stop: `False` leaves that string out.
        streaming: `False` makes `stream` give the whole answer as one message.
        **kwargs: LangChain's own, such as `rate_limiter`, `tags` and `metadata`.

    Raises:
        TypeError: On construction, if there is no list of answers, or one is nothing of these; on
            a call, if a function's answer is not.
        pydantic.ValidationError: On construction, for a value out of range.
        BadRequestError: On construction, for an unknown argument.
        ScriptEndedError: On a call for which there is no answer any more.
    """

    # What an answer says is nobody's business but the program's.
    answers: Any = Field(exclude=True, repr=False)
    repeat: bool = False
    chunk_size: int | None = Field(default=None, ge=1)
    delay: float = Field(default=0, ge=0)
    cache: BaseCache | bool | None = Field(default=False, exclude=True)

    in_process: ClassVar[bool] = True

    _script: Script = PrivateAttr()
    _calls: deque[ScriptedCall] = PrivateAttr(
        default_factory=lambda: deque(maxlen=_REMEMBERED_CALLS)
    )

    def __init__(self, answers: Answers, **kwargs: Any) -> None:
        super().__init__(answers=answers, **kwargs)
        self._script = Script(answers, repeat=self.repeat)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Whether LangChain may serialize the model: a script holds functions and exceptions."""
        return False

    @property
    def calls(self) -> list[ScriptedCall]:
        """What the model was asked so far, at most the last 1000 calls."""
        return list(self._calls)

    def respond(
        self,
        messages: list[BaseMessage],
        *,
        tools: list[dict[str, Any]] | None = None,
        tool_choice: str | dict[str, Any] | None = None,
        response_format: dict[str, Any] | None = None,
    ) -> Iterator[Piece]:
        """Answer with what the script says next."""
        call = ScriptedCall(messages, tools or (), tool_choice, response_format)
        for step in self._steps(call):
            if isinstance(step, Pause):
                time.sleep(step.seconds)
            else:
                yield step

    async def arespond(
        self,
        messages: list[BaseMessage],
        *,
        tools: list[dict[str, Any]] | None = None,
        tool_choice: str | dict[str, Any] | None = None,
        response_format: dict[str, Any] | None = None,
    ) -> AsyncIterator[Piece]:
        """Answer as above, asynchronously."""
        call = ScriptedCall(messages, tools or (), tool_choice, response_format)
        for step in self._steps(call):
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
            else:
                yield step

    def _steps(self, call: ScriptedCall) -> Iterator[Piece | Pause]:
        self._calls.append(call)
        for step in steps(self._script.answer(call), self.chunk_size):
            if self.delay and not isinstance(step, Pause):
                yield Pause(self.delay)
            yield step
