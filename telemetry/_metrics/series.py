"""The attributes of metrics, bounded in how many values each may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from .._semconv import names as semconv

if TYPE_CHECKING:
    from collections.abc import Mapping

Value: TypeAlias = "str | int"
Series: TypeAlias = "tuple[tuple[str, Value], ...]"

MAX_VALUES: Final = 100
OTHER: Final = "_OTHER"

_BOUNDED: Final = frozenset(
    {
        semconv.PROVIDER_NAME,
        semconv.REQUEST_MODEL,
        semconv.RESPONSE_MODEL,
        semconv.SERVER_ADDRESS,
        semconv.SERVER_PORT,
        semconv.AGENT_NAME,
        semconv.WORKFLOW_NAME,
        semconv.TOOL_NAME,
        semconv.ERROR_TYPE,
        semconv.CURRENCY,
        semconv.TROUBLE,
    }
)
_MAX_SERIES: Final = 2_000


class SeriesLimit:
    """Keeps the number of series bounded, whatever names an application makes up.

    Of each attribute the first 100 values are kept; all others are `_OTHER`. Of all series that
    such values can make together, the first 2,000 are kept; in others every name is `_OTHER`.

    Attributes:
        known: the series that are kept, each by its attributes.
    """

    def __init__(self) -> None:
        self._values: dict[str, set[Value]] = {name: set() for name in _BOUNDED}
        self.known: dict[Series, Series] = {}

    def series(self, attributes: Mapping[str, Value]) -> Series:
        """Return the series that a measurement with these *attributes* belongs to."""
        series = tuple(attributes.items())
        # The one that is known is given, which open runs share, and not another like it.
        known = self.known.get(series)
        if known is not None:
            return known
        series = tuple((name, self._bounded(name, value)) for name, value in series)
        if series not in self.known and len(self.known) >= _MAX_SERIES:
            return tuple((name, _other(name, value)) for name, value in series)
        return self.known.setdefault(series, series)

    def _bounded(self, name: str, value: Value) -> Value:
        known = self._values.get(name)
        if known is None or value in known:
            return value
        if len(known) >= MAX_VALUES:
            return _other(name, value)
        known.add(value)
        return value


def _other(name: str, value: Value) -> Value:
    if name not in _BOUNDED:
        return value
    return OTHER if isinstance(value, str) else 0
