"""The tokens that a model's answer has used, as span attributes (pure).

LangChain's packages for providers have words of their own for a part of them: those of OpenAI put
the service tier before a detail's name, those of Anthropic and Bedrock part what was written to a
cache by how long it stays there, and tell 0 as the whole of it. Google's count what was thought
beside the output, and Mistral's tell what a cache has read in the provider's own words alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._semconv import names as semconv
from .._values.numbers import as_int

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .._values.attributes import Attributes

_MODALITIES: Final = ("text", "image", "audio")
_OF_DETAILS: Final = (
    semconv.USAGE_CACHE_READ,
    semconv.USAGE_CACHE_WRITE_1H,
    semconv.USAGE_REASONING,
)
_TIERS: Final = ("", "priority_", "flex_")
_SHORT_LIVED: Final = "ephemeral_5m_input_tokens"
_LONG_LIVED: Final = "ephemeral_1h_input_tokens"
# More than all that was ever written: a number that is no count.
_MOST: Final = 10**12

# How integrations without LangChain's usage metadata report tokens.
_USAGE_KEYS: Final = (
    *("token_usage", "usage", "usage_metadata", "usageMetadata", "tokenUsage", "token_count"),
    "amazon-bedrock-invocationMetrics",
)
_INPUT_KEYS: Final = (
    *("input_tokens", "prompt_tokens", "prompt_token_count", "inputTokens", "inputTokenCount"),
    *("prompt_eval_count", "input_token_count", "promptTokenCount"),
)
_OUTPUT_KEYS: Final = (
    *("output_tokens", "completion_tokens", "candidates_token_count", "outputTokens"),
    *("outputTokenCount", "eval_count", "generated_token_count", "candidatesTokenCount"),
)
_COUNT_KEYS: Final = (*_INPUT_KEYS, *_OUTPUT_KEYS)
_TOTAL_KEYS: Final = ("total_tokens", "total_token_count", "totalTokens", "totalTokenCount")
_READ_KEYS: Final = (
    *("cache_read_input_tokens", "prompt_cache_hit_tokens", "cached_content_token_count"),
    *("cacheReadInputTokens", "cacheReadInputTokenCount", "cached_tokens", "cache_read"),
    *("num_cached_tokens", "cachedContentTokenCount"),
)
_WRITTEN_KEYS: Final = (
    *("cache_creation_input_tokens", "cache_write_input_tokens", "cacheWriteInputTokens"),
    *("cacheWriteInputTokenCount", "cache_write_tokens", "cache_creation"),
)
# Google's, beside what is called the prompt and the answer.
_THOUGHT_KEYS: Final = ("thoughts_token_count", "thoughtsTokenCount")
_OF_TOOLS_KEYS: Final = ("tool_use_prompt_token_count", "toolUsePromptTokenCount")
_REASONING_KEYS: Final = ("reasoning_tokens", *_THOUGHT_KEYS, "thinking_tokens", "reasoning")
# These tell input tokens without those that went through a cache, or came of tools.
_BESIDE_INPUT: Final = (
    *_OF_TOOLS_KEYS,
    *("cache_read_input_tokens", "cache_creation_input_tokens", "cache_write_input_tokens"),
    *("cacheReadInputTokens", "cacheWriteInputTokens"),
    *("cacheReadInputTokenCount", "cacheWriteInputTokenCount"),
)
_INPUT_DETAILS: Final = ("prompt_tokens_details", "input_tokens_details", "input_token_details")
_OUTPUT_DETAILS: Final = (
    *("completion_tokens_details", "output_tokens_details", "output_token_details"),
)


def usage_attributes(
    usages: Sequence[Mapping[str, Any]],
    sources: Sequence[Mapping[str, Any]],
    edition: semconv.Edition,
) -> Attributes:
    """Return the tokens of a request; none where none are reported.

    Counts that can be none are left out, and how many these are is counted.

    Args:
        usages: LangChain's usage metadata of each choice; all choices of a request repeat it.
        sources: what else the answer reports, where there is no usage metadata.
        edition: of the conventions.
    """
    reported = _of_provider(sources, edition)
    if usages:
        reported = _of_metadata(usages[0], edition, reported)
    kept: Attributes = {}
    dropped = 0
    for name, told in reported.items():
        if told is None:
            continue
        count = as_int(told)
        if count is not None and 0 <= count <= _MOST:
            kept[name] = count
        else:
            dropped += 1
    return kept | ({semconv.USAGE_DROPPED: dropped} if dropped else {})


def _of_metadata(
    usage: Mapping[str, Any], edition: semconv.Edition, beside: Mapping[str, object]
) -> dict[str, object]:
    """Return LangChain's counts, and the details that a provider's own words alone tell."""
    inputs = _mapping(usage.get("input_token_details"))
    outputs = _mapping(usage.get("output_token_details"))
    given, output = usage.get("input_tokens"), usage.get("output_tokens")
    thought = _of_tiers(outputs, "reasoning") if outputs else None
    counts: dict[str, object] = {
        semconv.USAGE_INPUT_TOKENS: given,
        semconv.USAGE_OUTPUT_TOKENS: output,
        semconv.USAGE_CACHE_READ: _of_tiers(inputs, "cache_read") if inputs else None,
        edition.usage_cache_write: _written(inputs) if inputs else None,
        semconv.USAGE_CACHE_WRITE_1H: inputs.get(_LONG_LIVED) or None,
        semconv.USAGE_REASONING: thought,
    }
    if thought is not None:
        counts[semconv.USAGE_OUTPUT_TOKENS] = _with_thought(given, output, thought, usage)
    for name in _OF_DETAILS if beside else ():
        if counts.get(name) is None:
            counts[name] = beside.get(name)
    if beside and counts[edition.usage_cache_write] is None:
        counts[edition.usage_cache_write] = beside.get(edition.usage_cache_write)
    if edition.is_newest:
        for kind in _MODALITIES:
            counts[f"gen_ai.usage.{kind}.input_tokens"] = inputs.get(kind)
            counts[f"gen_ai.usage.{kind}.output_tokens"] = outputs.get(kind)
    return counts


def _of_tiers(details: Mapping[str, Any], name: str) -> object:
    """Return a detail, by whichever service tier it was reported."""
    return _sum([details.get(f"{tier}{name}") for tier in _TIERS])


def _written(details: Mapping[str, Any]) -> object:
    """Return the tokens that were written to a cache: the whole, or the sum of its parts."""
    parts = _sum([details.get(name) for name in (_SHORT_LIVED, _LONG_LIVED)])
    whole = _of_tiers(details, "cache_creation")
    if not isinstance(parts, int):
        return whole if parts is None else parts
    return max(parts, whole) if isinstance(whole, int) else parts


def _sum(values: Iterable[object]) -> object:
    """Return the sum of those that are counts; of others the first, to be left out; or None."""
    present = [value for value in values if value is not None]
    counts = [as_int(value) for value in present]
    if any(count is None or count < 0 for count in counts):
        return next(each for each, n in zip(present, counts, strict=True) if n is None or n < 0)
    return sum(count for count in counts if count is not None) if present else None


def _of_provider(
    sources: Sequence[Mapping[str, Any]], edition: semconv.Edition
) -> dict[str, object]:
    usage = _usage_among(sources)
    if not usage:
        return {}
    inputs = {**_first_mapping(usage, _INPUT_DETAILS), **usage}
    outputs = {**_first_mapping(usage, _OUTPUT_DETAILS), **usage}
    given = _plus(_first(usage, _INPUT_KEYS), [usage.get(key) for key in _BESIDE_INPUT])
    output = _plus(_first(usage, _OUTPUT_KEYS), [usage.get(key) for key in _THOUGHT_KEYS])
    thought = _first(outputs, _REASONING_KEYS)
    by_life = _mapping(usage.get("cache_creation"))
    return {
        semconv.USAGE_INPUT_TOKENS: given,
        semconv.USAGE_OUTPUT_TOKENS: _with_thought(given, output, thought, usage),
        semconv.USAGE_CACHE_READ: _first(inputs, _READ_KEYS),
        edition.usage_cache_write: _first(inputs, _WRITTEN_KEYS),
        semconv.USAGE_CACHE_WRITE_1H: by_life.get(_LONG_LIVED) or None,
        semconv.USAGE_REASONING: thought,
    }


def _usage_among(sources: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return what a provider says of tokens in its own words; nothing where it says nothing."""
    for source in sources:
        for key in filter(source.__contains__, _USAGE_KEYS):
            found = source[key]
            if found and isinstance(found, dict) and _is_usage(found):
                return found
    # Ollama's counts stand beside all else that is told of an answer.
    for source in sources:
        if source and _is_usage(source):
            return source
    return {}


def _is_usage(usage: Mapping[str, Any]) -> bool:
    for key in filter(usage.__contains__, _COUNT_KEYS):
        count = usage[key]
        if count is not None and as_int(count) is not None:
            return True
    return False


def _with_thought(
    given: object, output: object, thought: object, usage: Mapping[str, Any]
) -> object:
    """Return the output tokens with those of reasoning, where the total shows them beside it."""
    if thought is None:
        return output
    counts = [as_int(count) for count in (_first(usage, _TOTAL_KEYS), given, output, thought)]
    total, given_count, output_count, thought_count = counts
    if total is None or given_count is None or output_count is None or thought_count is None:
        return output
    is_beside = 0 < thought_count <= total - given_count - output_count
    return output_count + thought_count if is_beside and output_count >= 0 else output


def _plus(given: object, beside: Iterable[object]) -> object:
    """Return a count with what is told beside it; what is no count as it is."""
    if as_int(given) is None:
        return given
    more = (as_int(count) for count in beside)
    return _sum([given, *(count for count in more if count is not None and count > 0)])


def _first(usage: Mapping[str, Any], keys: tuple[str, ...]) -> object:
    for key in keys:
        count = usage.get(key)
        # A provider's details stand under some of these names, too.
        if count is not None and not isinstance(count, dict):
            return count
    return None


def _first_mapping(usage: Mapping[str, Any], keys: tuple[str, ...]) -> Mapping[str, Any]:
    for key in keys:
        found = usage.get(key)
        if found and isinstance(found, dict):
            return found
    return {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
