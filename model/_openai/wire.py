"""The wire format of OpenAI-compatible answers, and its parser, as tolerant as servers need (pure).

https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Final, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

MAX_COUNT: Final = 2**53
"""More tokens than that nobody counts."""


_DIGITS: Final = re.compile(r"\s{0,8}[0-9]{1,16}\s{0,8}")


def _count_or_none(value: Any) -> int | None:
    """Read a number of tokens; an odd one is none, and no reason to lose the answer."""
    if isinstance(value, str):
        value = int(value) if _DIGITS.fullmatch(value) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # Nothing that is not a number is within these bounds.
    return int(value) if is_number and 0 <= value <= MAX_COUNT and value == int(value) else None


def _record_or_none(value: Any) -> Any:
    return value if isinstance(value, dict | BaseModel) else None


# Nobody sends more in one event; each costs many times its bytes.
_MOST_CHOICES: Final = 256
_MOST_CALLS: Final = 256
_MOST_PARTS: Final = 2048

# JSON escapes a character beyond the first 65,536 as two halves, surrogates of UTF-16.
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")

_MOST_DIGITS: Final = 4_300
_ENDLESS_NUMBER: Final = re.compile(rf"[0-9]{{{_MOST_DIGITS}}}")
_DEEPEST: Final = 200
_TOO_DEEP: Final = "JSON that is nested too deeply"

_Record = TypeVar("_Record")
_Odd: TypeAlias = Annotated[_Record | None, BeforeValidator(_record_or_none)]
_Count: TypeAlias = Annotated[int | None, BeforeValidator(_count_or_none)]

_Parts: TypeAlias = Annotated[list[Any], Field(max_length=_MOST_PARTS)]
_Id: TypeAlias = Annotated[str, Field(coerce_numbers_to_str=True)]


class Function(BaseModel):
    """The function of a call."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class ToolCall(BaseModel):
    """A part of a call."""

    model_config = ConfigDict(extra="allow")

    index: int | None = None
    id: _Id | None = None
    function: Function | None = None


class Delta(BaseModel):
    """What a chunk adds to a message."""

    model_config = ConfigDict(extra="allow")

    content: str | _Parts | None = None  # parts: Mistral
    reasoning_content: str | None = None  # DeepSeek's name: llama.cpp, SGLang, vLLM
    reasoning: str | None = None  # OpenRouter's name: Ollama, newer vLLM
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = Field(default=None, max_length=_MOST_CALLS)
    function_call: Function | None = None  # before there were several calls
    annotations: list[Any] | None = None


class Choice(BaseModel):
    """One of the answers; only the first is asked for."""

    index: int | None = None  # that of the first choice may be left out
    delta: Delta | None = None
    message: Delta | None = None  # of a server that does not stream, or takes it for `delta`
    finish_reason: str | None = None
    logprobs: dict[str, Any] | None = None
    stop_reason: Any = None  # the stop string that ended the answer: vLLM
    matched_stop: Any = None  # SGLang
    stopping_word: Any = None  # llama.cpp

    @property
    def ended_by(self) -> str | None:
        """The stop string that ended the answer, where the server says so."""
        reasons = (self.stop_reason, self.matched_stop, self.stopping_word)
        return next((each for each in reasons if isinstance(each, str) and each), None)


class PromptDetails(BaseModel):
    """Of the tokens sent, those that were."""

    cached_tokens: _Count = None
    audio_tokens: _Count = None


class CompletionDetails(BaseModel):
    """Of the tokens received, those that were."""

    reasoning_tokens: _Count = None
    audio_tokens: _Count = None


class Usage(BaseModel):
    """A report of usage."""

    prompt_tokens: _Count = None
    completion_tokens: _Count = None
    total_tokens: _Count = None
    prompt_tokens_details: _Odd[PromptDetails] = None
    completion_tokens_details: _Odd[CompletionDetails] = None

    @property
    def has_counts(self) -> bool:
        """Whether it is a report; a total alone does not say of what."""
        return self.prompt_tokens is not None or self.completion_tokens is not None

    def updated(self, report: Usage) -> Usage:
        """Take over what a later report tells, and keep what it leaves out."""
        reported = {name: value for name, value in report if value is not None}
        return self.model_copy(update=reported)


class _Verbose(BaseModel):
    stopping_word: str | None = None


class Chunk(BaseModel):
    """One chunk, as far as it is of use here."""

    id: _Id | None = None
    model: str | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    citations: list[Any] | None = None  # Perplexity
    search_results: list[Any] | None = None
    choices: list[Choice] | None = Field(default=None, max_length=_MOST_CHOICES)
    verbose: _Verbose | None = Field(default=None, alias="__verbose")  # llama.cpp, if asked
    usage: _Odd[Usage] = None
    error: Any = None


def text_in(part: Any) -> str:
    """Read the text of a part, if it has one."""
    if isinstance(part, str):
        return part
    text = part.get("text") if isinstance(part, dict) else None
    return text if isinstance(text, str) else ""


def thinking_in(part: Any) -> str:
    """Read the reasoning in a part, which may have parts itself."""
    if not isinstance(part, dict) or part.get("type") not in {"thinking", "reasoning"}:
        return ""
    inner = part.get("thinking") or part.get("reasoning") or part.get("text") or ""
    return "".join(map(text_in, inner)) if isinstance(inner, list) else str(inner)


def usage_metadata(usage: Usage) -> dict[str, Any]:
    """Return the counts by LangChain's names."""
    prompt = usage.prompt_tokens_details or PromptDetails()
    completion = usage.completion_tokens_details or CompletionDetails()
    prompt_tokens, completion_tokens = usage.prompt_tokens or 0, usage.completion_tokens or 0
    return {
        "input_tokens": prompt_tokens,
        "output_tokens": completion_tokens,
        # Some servers count what is neither, such as the tokens of their own tools.
        "total_tokens": max(usage.total_tokens or 0, prompt_tokens + completion_tokens),
        "input_token_details": _known(cache_read=prompt.cached_tokens, audio=prompt.audio_tokens),
        "output_token_details": _known(
            reasoning=completion.reasoning_tokens, audio=completion.audio_tokens
        ),
    }


def _known(**counts: int | None) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count is not None}


def parse_chunk(data: str, *, shares_time: bool = False) -> Chunk:
    """Read the data of one event; one without data, such as a sign of life, is an empty chunk.

    Args:
        data: Of the event.
        shares_time: Whether other threads are to run meanwhile: slower, and for large ones.

    Raises:
        ValueError: If it is no chunk; it says what is wrong, without the data.
    """
    if not data:
        return Chunk()
    try:
        return _validated(data, shares_time=shares_time)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from None


def _validated(data: str, *, shares_time: bool) -> Chunk:
    # Pydantic's own parser refuses half a character, whose other half the next chunk may bring.
    if shares_time or _SURROGATE.search(data):
        return Chunk.model_validate(_parsed(data))
    try:
        return Chunk.model_validate_json(data)
    except ValidationError:
        # And an answer for a number of thousands of digits, which is none.
        if _ENDLESS_NUMBER.search(data) is None:
            raise
    return Chunk.model_validate(_parsed(data))


def _parsed(data: str) -> Any:
    try:
        # Python lets other threads run between steps of its own code alone, such as these two.
        parsed = json.loads(data, object_hook=_as_it_is, parse_int=_whole_number)
        _check_depth(parsed)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except json.JSONDecodeError as error:
        raise ValueError(f"Invalid JSON: {error}") from None
    return parsed


def _as_it_is(record: dict[str, Any]) -> dict[str, Any]:
    return record


def _whole_number(digits: str) -> int | None:
    return int(digits) if len(digits) <= _MOST_DIGITS else None


def _check_depth(parsed: Any) -> None:
    """Refuse what pydantic's own parser would: what handles it later may go down by recursion."""
    level = [parsed] if isinstance(parsed, dict | list) else []
    for _ in range(_DEEPEST):
        within = (each.values() if isinstance(each, dict) else each for each in level)
        level = [each for held in within for each in held if isinstance(each, dict | list)]
        if not level:
            return
    raise ValueError(_TOO_DEEP)
