"""What a model's answer says of itself, as span attributes (pure).

Source: the span `gen_ai.client.inference` of the GenAI conventions,
https://github.com/open-telemetry/semantic-conventions-genai.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_core.outputs import LLMResult

from .._content.repeated import once, one_reason
from .._semconv import names as semconv
from .._values.attributes import attribute_text
from .request import model_name
from .resends import RETRIES_KEY, resend_attributes
from .usage import usage_attributes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.outputs import Generation

    from .._values.attributes import Attributes
    from .start import Start

_MODEL_KEYS: Final = ("model_name", "model")
_FINISH_KEYS: Final = ("finish_reason", "stop_reason", "stopReason", "finishReason", "done_reason")
_ID_KEYS: Final = ("id", "response_id")
# How `nodespan.model` marks usage that nobody has counted.
_ESTIMATED_KEY: Final = "usage_is_estimated"
_SAID_IN: Final = ("content", "text", "tool_calls", "invalid_tool_calls", "additional_kwargs")
_MOST_NESTED: Final = 6
_A_NUMBER: Final = 8
# What LangChain tells of a failed HTTP request.
_OF_REQUEST: Final = frozenset(("body", "headers", "status_code", "request_id"))
# LangChain makes up an id of its own for a message without one.
_MADE_UP_IDS: Final = ("run-", "lc_")


def response_attributes(result: LLMResult, edition: semconv.Edition, start: Start) -> Attributes:
    """Return what an answer says of itself: model, id, finish reasons, tokens.

    No usage reported gives no usage, and an answer from LangChain's cache has used none.

    Args:
        result: of any shape: models are written by anybody.
        edition: of the conventions.
        start: of the run; the model that was asked has answered, where the answer names none.
    """
    choices = _choices(result)
    details = list(map(_details, choices))
    output = _mapping(getattr(result, "llm_output", None))
    sources = [told for told in (*details, output) if told]
    asked = model_name(start)
    answering = once(_first_text(_MODEL_KEYS, sources), asked)
    is_cached = any(map(_is_from_cache, choices))
    told: Attributes = {}
    for name, value in (
        (semconv.RESPONSE_MODEL, answering or (asked if choices else None)),
        (semconv.RESPONSE_ID, _response_id(choices, sources)),
        (semconv.RESPONSE_FINISH_REASONS, tuple(filter(None, map(reason_in, details)))),
    ):
        if value:
            told[name] = value
    if is_cached:
        return {**told, semconv.CACHED: True}
    return {**told, **_used(choices, sources, edition), **_resent(details)}


def answer_before_error(result: object) -> LLMResult | None:
    """Return what a model had answered when an exception left it; None where that is nothing.

    LangChain tells beside it of the failed HTTP request, as if that were an answer too.

    Args:
        result: as LangChain hands it over with the exception.
    """
    choices = [
        choice
        for choice in _choices(result)
        if _says_anything(choice) and not _tells_of_request(choice)
    ]
    return LLMResult(generations=[choices]) if choices else None


def says_what_was_answered(result: object) -> bool:
    """Say whether an answer has content, or usage, and not details of the response alone."""
    messages = map(_message, _choices(result))
    return any(
        getattr(each, "content", None) or getattr(each, "usage_metadata", None) for each in messages
    )


def said_bytes(result: object) -> int:
    """Return how many bytes of text an answer has: what is said, thought and called for."""
    return sum(_bytes_of(_message(choice) or choice) for choice in _choices(result))


def _bytes_of(value: Any, depth: int = _MOST_NESTED) -> int:
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode(errors="replace"))
    if depth == 0:
        return 0
    if isinstance(value, list | tuple):
        return sum(_bytes_of(each, depth - 1) for each in value)
    if isinstance(value, dict):
        return sum(len(str(key)) + _bytes_of(each, depth - 1) for key, each in value.items())
    if isinstance(value, int | float | None.__class__):
        return _A_NUMBER
    parts = (getattr(value, name, None) for name in _SAID_IN)
    return sum(_bytes_of(part, depth - 1) for part in parts if part is not None)


def finish_reason(choice: Generation) -> str | None:
    """Return why the model stopped, as the provider says it."""
    return reason_in(_details(choice))


def reason_in(metadata: Mapping[str, Any]) -> str | None:
    """Return why a model stopped, by what is told of its response.

    OpenAI's API of responses tells it only where an answer is not complete.
    """
    reason = _first_text(_FINISH_KEYS, [metadata])
    if reason is None and metadata.get("status") == "incomplete":
        incomplete = _mapping(metadata.get("incomplete_details"))
        reason = _first_text(("reason",), [incomplete])
    return one_reason(reason) if reason is not None else None


def _choices(result: object) -> list[Any]:
    given = getattr(result, "generations", None)
    found: list[Any] = []
    for choices in given if isinstance(given, list) else ():
        if isinstance(choices, list):
            found += choices
    return found


def _says_anything(choice: object) -> bool:
    message = _message(choice)
    if message is None:
        return bool(getattr(choice, "text", None))
    return bool(
        getattr(message, "content", None)
        or getattr(message, "tool_calls", None)
        or _mapping(getattr(message, "additional_kwargs", None))
        or _usage(choice)
        or _details(choice)
    )


def _tells_of_request(choice: object) -> bool:
    details = _mapping(getattr(_message(choice), "response_metadata", None))
    is_silent = not getattr(_message(choice), "content", None) and not _usage(choice)
    return is_silent and bool(details) and details.keys() <= _OF_REQUEST


def _is_from_cache(choice: object) -> bool:
    """Say whether LangChain's cache gave the answer: it marks it as free of charge."""
    cost = _usage(choice).get("total_cost")
    return isinstance(cost, int) and cost == 0


def _used(
    choices: list[Any], sources: list[Mapping[str, Any]], edition: semconv.Edition
) -> Attributes:
    used = usage_attributes(_usages(choices), sources, edition)
    for source in sources:
        if used and source.get(_ESTIMATED_KEY) is True:
            return {**used, semconv.USAGE_IS_ESTIMATED: True}
    return used


def _resent(details: list[Mapping[str, Any]]) -> Attributes:
    for each in details:
        if RETRIES_KEY in each and (resent := resend_attributes(each)):
            return resent
    return {}


def _usages(choices: list[Any]) -> list[Mapping[str, Any]]:
    return list(filter(None, map(_usage, choices)))


def _usage(choice: object) -> Mapping[str, Any]:
    usage = getattr(getattr(choice, "message", None), "usage_metadata", None)
    return usage if isinstance(usage, dict) else {}


def _message(choice: object) -> object:
    return getattr(choice, "message", None)


def _details(choice: object) -> Mapping[str, Any]:
    """Return what a choice reports beside its content; its message's own word counts first."""
    metadata = getattr(getattr(choice, "message", None), "response_metadata", None)
    info = getattr(choice, "generation_info", None)
    return {
        **(info if isinstance(info, dict) else {}),
        **(metadata if isinstance(metadata, dict) else {}),
    }


def _response_id(choices: list[Any], sources: list[Mapping[str, Any]]) -> str | None:
    own = getattr(getattr(choices[0], "message", None), "id", None) if choices else None
    if isinstance(own, str) and own and not own.startswith(_MADE_UP_IDS):
        return once(attribute_text(own))
    told = _first_text(_ID_KEYS, sources)
    return once(told) if told is not None else None


def _first_text(keys: tuple[str, ...], sources: list[Mapping[str, Any]]) -> str | None:
    for source in sources:
        for key in filter(source.__contains__, keys):
            value = source[key]
            if isinstance(value, str) and value:
                return attribute_text(value)
    return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
