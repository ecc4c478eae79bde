"""A model's identifying parameters as span attributes (pure)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from .._semconv import names as semconv
from .._values.attributes import (
    MAX_CHARACTERS,
    as_attribute,
    attribute_value,
    is_content_key,
    short_name,
    without_content,
)
from .._values.credentials import is_credential_key
from .._values.plain import Reader, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._values.attributes import Attributes, AttributeValue

# A span keeps 128 attributes and drops the oldest, of which a sampler's and a backend's are.
_MAX_OWN_ATTRIBUTES: Final = 60
_MAX_SURPLUS_CHARACTERS: Final = 65_536
_MAX_CACHED_CHARACTERS: Final = 100
_SIMPLE_TYPES: Final = (bool, int, float)
# LangChain's own, and what has an attribute of its own in the conventions.
_NOT_IDENTIFYING: Final = frozenset({"_type", "stop"})


def identifying_attributes(params: Mapping[Any, Any]) -> Attributes:
    """Return every identifying parameter: 60 by their names, all others together as JSON.

    What is content by its name is left to the content door; credentials are left out.

    Args:
        params: LangChain's `invocation_params`: identifying parameters and call arguments.
    """
    attributes: Attributes = {}
    surplus: dict[Any, Any] = {}
    dropped = own = 0
    for key, value in params.items():
        name = _name(key) if value is not None else None
        if name is None:
            continue
        if own < _MAX_OWN_ATTRIBUTES:
            own += 1
            attributes[name], left_out = _read(value)
            dropped += left_out
        else:
            surplus[key] = value
    if surplus:
        reader = Reader(_MAX_SURPLUS_CHARACTERS, without_content())
        attributes[semconv.MORE_IDENTIFYING_PARAMS] = to_json(reader.read(surplus))
        dropped += reader.dropped
    return attributes | ({semconv.IDENTIFYING_PARAMS_DROPPED: dropped} if dropped else {})


def _read(value: object) -> tuple[AttributeValue, int]:
    """Return a parameter as an attribute, and how much of it was left out."""
    if type(value) in _SIMPLE_TYPES or (type(value) is str and len(value) <= MAX_CHARACTERS):
        return attribute_value(value), 0
    reader = Reader(MAX_CHARACTERS, without_content())
    return as_attribute(reader.read(value)), reader.dropped


def _name(key: object) -> str | None:
    """Return the name of a parameter's attribute; None where it is not recorded."""
    if type(key) is str and len(key) <= _MAX_CACHED_CHARACTERS:
        return parameter_name(key)
    if isinstance(key, str) and not _is_recorded(key):
        return None
    return f"{semconv.IDENTIFYING_PARAMS}.{short_name(key)}"


@lru_cache(maxsize=1_024)
def parameter_name(key: str) -> str | None:
    """Return the name of a parameter's attribute; None where it is not recorded."""
    return f"{semconv.IDENTIFYING_PARAMS}.{short_name(key)}" if _is_recorded(key) else None


def _is_recorded(key: str) -> bool:
    return key not in _NOT_IDENTIFYING and not is_content_key(key) and not is_credential_key(key)
