"""Scripts of a chat model: the answers to give, and the steps that each is given in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ToolCall,
    ToolCallChunk,
)
from langchain_core.messages.tool import tool_call_chunk

from .._errors import ScriptEndedError
from .._process import Locked

_WORDS: Final = re.compile(r"\s*\S+|\s+$")


@dataclass(frozen=True, slots=True)
class Pause:
    """A wait in the middle of an answer.

    Args:
        seconds: How long.

    Raises:
        ValueError: It is less than 0, or no number.
    """

    seconds: float

    def __post_init__(self) -> None:
        if not isinstance(self.seconds, int | float) or not self.seconds >= 0:
            raise ValueError(f"a pause of {self.seconds!r} seconds; give a number from 0 up")


@dataclass(frozen=True, slots=True)
class ScriptedCall:
    """What a scripted model was asked.

    Args:
        messages: The conversation.
        tools: Tool definitions in OpenAI's format.
        tool_choice: The choice of tool, in OpenAI's format.
        response_format: The format asked for, in OpenAI's format.
    """

    messages: Sequence[BaseMessage]
    tools: Sequence[dict[str, Any]] = field(default=())
    tool_choice: str | dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None


Step: TypeAlias = str | AIMessageChunk | Pause | BaseException
ScriptedAnswer: TypeAlias = str | AIMessage | BaseException | Sequence[Step]
Answers: TypeAlias = Sequence[ScriptedAnswer] | Callable[[ScriptedCall], ScriptedAnswer]


class Script(Locked):
    """Knows which answer comes next, for calls from any thread.

    Args:
        answers: One answer for each call, or a function that makes one.
        repeat: Whether to begin again after the last one.

    Raises:
        TypeError: *answers* is one text instead of several, or neither several nor a function, or
            one of them is no answer.
    """

    def __init__(self, answers: Answers, *, repeat: bool) -> None:
        if isinstance(answers, str):
            raise TypeError(f"answers is the text {answers!r}; give a list of answers")
        if not callable(answers):
            _require_answers(answers)
        super().__init__()
        self._answers = answers
        self._repeat = repeat
        self._asked = 0

    def __reduce__(self) -> tuple[Callable[[Answers, bool], Script], tuple[Answers, bool]]:
        return _fresh, (self._answers, self._repeat)

    def answer(self, call: ScriptedCall) -> ScriptedAnswer:
        """Give the answer to the next call.

        Raises:
            ScriptEndedError: If there was one call more than there are answers.
        """
        if callable(self._answers):
            return self._answers(call)
        with self._lock:
            number, self._asked = self._asked, self._asked + 1
        if self._repeat and self._answers:
            number %= len(self._answers)
        if number >= len(self._answers):
            raise ScriptEndedError(
                f"the script has {len(self._answers)} answers and this is call {number + 1}; "
                "add one, or make the model with repeat=True"
            )
        return self._answers[number]


def _fresh(answers: Answers, repeat: bool) -> Script:
    return Script(answers, repeat=repeat)


def steps(answer: ScriptedAnswer, chunk_size: int | None) -> Iterator[str | AIMessageChunk | Pause]:
    """Break an answer into the steps that it is given in; raises what it is to fail with.

    Args:
        answer: The answer; one that is a list is already broken up.
        chunk_size: Characters in a chunk; `None` for a word in each.
    """
    if isinstance(answer, str):
        yield from _cut(answer, chunk_size)
    elif isinstance(answer, AIMessage):
        yield from _cut_message(answer, chunk_size)
    elif isinstance(answer, BaseException):
        raise answer
    else:
        _require_answer(answer)
        for step in answer:
            if isinstance(step, BaseException):
                raise step
            yield step


def _require_answers(answers: Any) -> None:
    """Refuse what is no list of answers.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(answers, Sequence):
        kind = type(answers).__name__
        raise TypeError(f"answers is of type {kind}; give a list of answers, or a function")
    for answer in answers:
        _require_answer(answer)


def _require_answer(answer: Any) -> None:
    """Refuse what is no answer.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(answer, AIMessage | BaseException | Iterable):
        raise TypeError(
            f"an answer is of type {type(answer).__name__}; give a text, an AIMessage, an "
            "exception, or a list of such steps"
        )


def _cut(text: str, chunk_size: int | None) -> list[str]:
    if chunk_size is None:
        return _WORDS.findall(text)
    return [text[start : start + chunk_size] for start in range(0, len(text), chunk_size)]


def _cut_message(message: AIMessage, chunk_size: int | None) -> Iterator[AIMessageChunk]:
    """Break a message up into its text or content blocks, its tool calls, and the rest."""
    chunk = partial(AIMessageChunk, id=message.id, name=message.name)
    for part in _cut_content(message.content, chunk_size):
        yield chunk(content=part)
    for call in _cut_calls(message.tool_calls, chunk_size):
        yield chunk(content="", tool_call_chunks=[call])
    if message.invalid_tool_calls:
        yield chunk(content="", invalid_tool_calls=message.invalid_tool_calls)
    yield chunk(
        content="",
        additional_kwargs=message.additional_kwargs,
        response_metadata=message.response_metadata,
        usage_metadata=message.usage_metadata,
    )


def _cut_content(content: str | list[Any], chunk_size: int | None) -> Iterable[str | list[Any]]:
    return _cut(content, chunk_size) if isinstance(content, str) else ([block] for block in content)


def _cut_calls(calls: Sequence[ToolCall], chunk_size: int | None) -> Iterator[ToolCallChunk]:
    for index, call in enumerate(calls):
        yield tool_call_chunk(name=call["name"], args="", id=call["id"], index=index)
        for part in _cut(json.dumps(call["args"], ensure_ascii=False), chunk_size):
            yield tool_call_chunk(args=part, index=index)
