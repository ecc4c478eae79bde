"""Values that OpenTelemetry takes as attributes (pure).

The SDK accepts more than its types say, dictionaries and None among it: here is where
nodespan makes sure.
"""

from __future__ import annotations

from functools import cache, lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from langchain_core.messages import BaseMessage

from .credential_shapes import compiled
from .credentials import is_credential_key, without_credentials
from .plain import Plain, Reader, Rules, clean_text, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

AttributeValue: TypeAlias = (
    "str | bool | int | float | tuple[str, ...] | tuple[bool, ...] | tuple[int, ...]"
    " | tuple[float, ...]"
)
Attributes: TypeAlias = "dict[str, AttributeValue]"

_V = TypeVar("_V")

MAX_CHARACTERS: Final = 4_096
MAX_NAME_CHARACTERS: Final = 256
_ARRAY_TYPES: Final = ({str}, {bool}, {int}, {float})
_CUT: Final = "…"
_BOUND: Final = 2**63

# The names of what people write and models say, wherever they are met outside of content.
_CONTENT_KEY: Final = (
    r"(?i)(?:answer|completion|content|context|document|example|function|input|instruction|message"
    r"|output|prompt|question|response|script|state|text|tool|transcript)s?|quer(?:y|ies)"
    r"|repl(?:y|ies)|conversation|few_shot_examples|metadata|preamble|prediction"
    r"|response_format|suffix|system(?:_instructions?)?"
    r"|(?:\w+_)?(?:prompt|message|history|template)s?"
)


def is_content_key(key: str) -> bool:
    """Say whether a *key* is the name of content."""
    return compiled(_CONTENT_KEY).fullmatch(key) is not None


def _withholds(key: str) -> bool:
    return is_content_key(key) or is_credential_key(key)


def _class_name(value: object) -> str:
    return f"<{type(value).__qualname__}>"


@cache
def without_content() -> Rules:
    """Return the rules by which neither content nor credentials pass."""
    # Imported late: they take longer than all else that this module needs.
    from langchain_core.documents.base import BaseMedia  # noqa: PLC0415
    from langchain_core.prompt_values import PromptValue  # noqa: PLC0415

    of_content = (BaseMessage, BaseMedia, PromptValue)
    return Rules(withholds=_withholds, adapters=dict.fromkeys(of_content, _class_name))


def attribute_value(value: object) -> AttributeValue:
    """Return *value* as an attribute: scalars and lists of a kind as such, all else as JSON.

    Content and credentials within it are left out. Text that is cut ends with `…`.
    """
    if type(value) is str and len(value) <= MAX_CHARACTERS and not value.startswith("data:"):
        return clean_name(value) if len(value) <= MAX_NAME_CHARACTERS else _text(value)
    if type(value) is bool or (type(value) is int and -_BOUND <= value < _BOUND):
        return value
    if type(value) is float and isfinite(value):
        return value
    reader = Reader(MAX_CHARACTERS, without_content())
    safe = reader.read(value)
    return safe + _CUT if reader.dropped and isinstance(safe, str) else as_attribute(safe)


def _text(text: str) -> str:
    return without_credentials(clean_text(text))


# Every run of a node says again what the node, its place and its thread are called.
clean_name: Final = lru_cache(maxsize=1_024)(_text)


def as_attribute(safe: Plain) -> AttributeValue:
    """Return plain data as an attribute: scalars and lists of a kind as such, all else as JSON."""
    if isinstance(safe, str | bool | int | float):
        return safe
    if isinstance(safe, list) and {type(item) for item in safe} in _ARRAY_TYPES:
        return tuple(safe)  # type: ignore[return-value]  # all of one of these types
    return to_json(safe)


def attribute_text(value: object) -> str:
    """Return *value* as an attribute that must be text."""
    if type(value) is str and len(value) <= MAX_NAME_CHARACTERS and value[:5] != "data:":
        return clean_name(value)
    attribute = attribute_value(value)
    return attribute if isinstance(attribute, str) else to_json(attribute)  # type: ignore[arg-type]  # plain


def short_name(value: object) -> str:
    """Return *value* as a part of a span's or an attribute's name."""
    if type(value) is str and len(value) <= MAX_NAME_CHARACTERS and value[:5] != "data:":
        return clean_name(value)[:MAX_NAME_CHARACTERS]
    return attribute_text(value)[:MAX_NAME_CHARACTERS]


def drop_none(values: Mapping[str, _V | None]) -> dict[str, _V]:
    """Return the *values* that there are."""
    return {key: value for key, value in values.items() if value is not None}
