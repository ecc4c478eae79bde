"""Values that OpenTelemetry takes as attributes (pure).

The SDK accepts more than its types say, dictionaries and None among it: here is where
nodespan makes sure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from ._plain import Budget, plain, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

AttributeValue: TypeAlias = "str | bool | int | float | tuple[str, ...] | tuple[int, ...]"

_V = TypeVar("_V")

_MAX_CHARACTERS: Final = 4_096


def attribute_value(value: object) -> AttributeValue:
    """Return *value* as an attribute: scalars as they are, text cut, all else as JSON text."""
    safe = plain(value, Budget(_MAX_CHARACTERS))
    if isinstance(safe, str | bool | int | float):
        return safe
    if isinstance(safe, list) and safe and all(isinstance(item, str) for item in safe):
        return tuple(str(item) for item in safe)
    return to_json(safe)


def drop_none(values: Mapping[str, _V | None]) -> dict[str, _V]:
    """Return the *values* that there are."""
    return {key: value for key, value in values.items() if value is not None}
