"""What a span has room for: beyond its limits the SDK drops the oldest attributes, and cuts texts.

Source: https://opentelemetry.io/docs/specs/otel/common/#attribute-limits
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from .._content.door import fitted
from .._semconv import names as semconv
from .._upstream.opentelemetry import attribute_limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import Span

    from .._values.attributes import Attributes, AttributeValue

# So many attributes may still come when a run ends; what describes a model waits for them.
_RESERVED: Final = 48
_NO_LIMIT: Final = 2**31
# And so many of them tell how it ended, and what it used: for them all else waits.
_ESSENTIAL: Final = 12

_FIRST: Final = (
    semconv.OUTCOME,
    semconv.ERROR_TYPE,
    semconv.OPERATION_NAME,
    semconv.REQUEST_MODEL,
    semconv.PROVIDER_NAME,
    semconv.AGENT_NAME,
    semconv.RESPONSE_MODEL,
)
# From what may go last to what goes first; what has none of these names is among the last.
_GIVE_WAY: Final = (
    ("gen_ai.usage.", "gen_ai.response.", semconv.COST, semconv.CURRENCY),
    ("gen_ai.", "langgraph.", "server.", "session.", "user."),
    ("nodespan.total.", f"{semconv.METADATA}."),
    ("nodespan.stream.",),
    (f"{semconv.IDENTIFYING_PARAMS}.",),
    (semconv.MORE_IDENTIFYING_PARAMS,),
)


class Room:
    """What a span still has room for.

    Args:
        span: of any make; one without limits has room for everything.
    """

    __slots__ = ("_most", "_span", "characters", "left")

    def __init__(self, span: Span) -> None:
        self._span = span
        self._most, self.characters = attribute_limits(span)
        self.left: int | None = None
        if self._most is not None:
            self.left = max(self._most - len(getattr(span, "attributes", None) or ()), 0)

    @property
    def plenty(self) -> int:
        """How many attributes any span like this one may have from its start.

        Nearly all have room for many more: only of the others it is looked at what gives way, and
        what is cut; of these it is 0.
        """
        if self.characters is not None:
            return 0
        return _NO_LIMIT if self._most is None else max(self._most - _RESERVED, 0)

    @property
    def _known(self) -> Mapping[str, object]:
        known: Mapping[str, object] | None = getattr(self._span, "attributes", None)
        return known or {}

    def write(self, attributes: Attributes) -> int:
        """Write the attributes for which there is room, the more telling ones first.

        Returns:
            How many there was no room for.
        """
        is_free = self.left is None or len(attributes) <= self.left
        fitting = attributes
        if not is_free or self.characters is not None:
            fitting = self._fitting(attributes)
        if fitting:
            # One call: the SDK locks the span and looks at its clock for each.
            self._span.set_attributes(fitting)
        return len(attributes) - len(fitting)

    def early(self, attributes: Attributes) -> tuple[Attributes, Attributes]:
        """Part attributes of a run that has begun: what is written now, and what waits for its end.

        What describes a model waits where the room is scarce, and all where there is hardly any.
        """
        if self.left is None or len(attributes) + _RESERVED <= self.left:
            return attributes, {}
        late = {name: value for name, value in attributes.items() if _rank(name) >= _PARAMETER}
        if len(attributes) - len(late) + _ESSENTIAL > self.left:
            return {}, attributes
        return {name: attributes[name] for name in attributes if name not in late}, late

    def _fitting(self, attributes: Attributes) -> Attributes:
        if self.characters is not None:
            limit = self.characters
            attributes = {name: _shortened(value, limit) for name, value in attributes.items()}
        if self.left is None or len(attributes) <= self.left:
            return attributes
        known = self._known
        new = sorted((name for name in attributes if name not in known), key=_rank)
        kept = {*known, *new[: self.left]}
        return {name: value for name, value in attributes.items() if name in kept}


def _shortened(value: AttributeValue, limit: int) -> AttributeValue:
    """Shorten JSON so that it stays JSON; the SDK cuts all other texts."""
    if not isinstance(value, str) or len(value) <= limit or value[:1] not in ("{", "["):
        return value
    try:
        return fitted("", json.loads(value), limit).text
    except (ValueError, RecursionError):  # it only looks like JSON
        return value


def _rank(name: str) -> int:
    if name in _FIRST:
        return 0
    ranks = (rank for rank, names in enumerate(_GIVE_WAY, 1) if name.startswith(names))
    return next(ranks, 0 if name.startswith("openinference.") else 2)


_PARAMETER: Final = _rank(f"{semconv.IDENTIFYING_PARAMS}.")
