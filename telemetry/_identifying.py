"""A model's identifying parameters as span attributes (pure)."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from . import _semconv as semconv
from ._attributes import MAX_CHARACTERS, WITHOUT_CONTENT, as_attribute, is_content_key, short_name
from ._credentials import is_credential_key
from ._plain import Reader, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._attributes import Attributes

# A span keeps 128 attributes and drops the oldest, of which a sampler's and a backend's are.
_MAX_OWN_ATTRIBUTES: Final = 60
_MAX_SURPLUS_CHARACTERS: Final = 65_536
# LangChain's own, and what has an attribute of its own in the conventions.
_NOT_IDENTIFYING: Final = frozenset({"_type", "stop"})


def identifying_attributes(params: Mapping[Any, Any]) -> Attributes:
    """Return every identifying parameter: 60 by their names, all others together as JSON.

    What is content by its name is left to the content door; credentials are left out.

    Args:
        params: LangChain's `invocation_params`: identifying parameters and call arguments.
    """
    told = iter({key: value for key, value in params.items() if _is_told(key, value)}.items())
    attributes: Attributes = {}
    dropped = 0
    for key, value in islice(told, _MAX_OWN_ATTRIBUTES):
        reader = Reader(MAX_CHARACTERS, WITHOUT_CONTENT)
        attributes[f"{semconv.IDENTIFYING_PARAMS}.{short_name(key)}"] = as_attribute(
            reader.read(value)
        )
        dropped += reader.dropped
    if surplus := dict(told):
        reader = Reader(_MAX_SURPLUS_CHARACTERS, WITHOUT_CONTENT)
        attributes[semconv.MORE_IDENTIFYING_PARAMS] = to_json(reader.read(surplus))
        dropped += reader.dropped
    return attributes | ({semconv.IDENTIFYING_PARAMS_DROPPED: dropped} if dropped else {})


def _is_told(key: object, value: object) -> bool:
    if value is None or key in _NOT_IDENTIFYING:
        return False
    return not isinstance(key, str) or not (is_content_key(key) or is_credential_key(key))
