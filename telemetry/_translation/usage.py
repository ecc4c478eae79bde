"""The tokens that a model's answer has used, as span attributes (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._semconv import names as semconv
from .._values.attributes import drop_none
from .._values.numbers import as_int

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._values.attributes import Attributes

_MODALITIES: Final = ("text", "image", "audio")

# How integrations without LangChain's usage metadata report tokens.
_USAGE_KEYS: Final = ("token_usage", "usage", "usage_metadata")
_INPUT_KEYS: Final = ("input_tokens", "prompt_tokens", "prompt_token_count")
_OUTPUT_KEYS: Final = ("output_tokens", "completion_tokens", "candidates_token_count")


def usage_attributes(
    usages: Sequence[Mapping[str, Any]],
    sources: Sequence[Mapping[str, Any]],
    edition: semconv.Edition,
) -> Attributes:
    """Return the tokens of a request; none where none are reported.

    Args:
        usages: LangChain's usage metadata of each choice; all choices of a request repeat it.
        sources: what else the answer reports, where there is no usage metadata.
        edition: of the conventions.
    """
    return _of_metadata(usages[0], edition) if usages else _of_provider(sources)


def _of_metadata(usage: Mapping[str, Any], edition: semconv.Edition) -> Attributes:
    inputs = _mapping(usage.get("input_token_details"))
    outputs = _mapping(usage.get("output_token_details"))
    counts: dict[str, object] = {
        semconv.USAGE_INPUT_TOKENS: usage.get("input_tokens"),
        semconv.USAGE_OUTPUT_TOKENS: usage.get("output_tokens"),
        semconv.USAGE_CACHE_READ: inputs.get("cache_read"),
        edition.usage_cache_write: inputs.get("cache_creation"),
        semconv.USAGE_REASONING: outputs.get("reasoning"),
    }
    if edition.is_newest:
        for kind in _MODALITIES:
            counts[f"gen_ai.usage.{kind}.input_tokens"] = inputs.get(kind)
            counts[f"gen_ai.usage.{kind}.output_tokens"] = outputs.get(kind)
    return drop_none({name: as_int(count) for name, count in counts.items()})


def _of_provider(sources: Sequence[Mapping[str, Any]]) -> Attributes:
    found = (_mapping(source.get(key)) for source in sources for key in _USAGE_KEYS)
    usage = next((usage for usage in found if usage), {})
    return drop_none(
        {
            semconv.USAGE_INPUT_TOKENS: _first(usage, _INPUT_KEYS),
            semconv.USAGE_OUTPUT_TOKENS: _first(usage, _OUTPUT_KEYS),
        }
    )


def _first(usage: Mapping[str, Any], keys: tuple[str, ...]) -> int | None:
    counts = (as_int(usage.get(key)) for key in keys)
    return next((count for count in counts if count is not None), None)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
