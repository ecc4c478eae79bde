"""Encodes attributes by the official encoder, and those that many spans have in common once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue

# So many are kept, of each kind; then it begins anew.
_MOST: Final = 1_000
# Longer texts are hardly said twice.
_LONGEST: Final = 200
_MOST_TEXTS: Final = 4


class AttributeEncoder:
    """Encodes attributes; names, models and agents are the same in most spans.

    Args:
        encode: the official encoder of attributes.
    """

    def __init__(self, encode: Callable[[Mapping[str, Any]], list[KeyValue] | None]) -> None:
        self._encode = encode
        self._texts: dict[tuple[str, Any], KeyValue] = {}
        # A number is put into what was encoded for its key: few come twice.
        self._integers: dict[str, KeyValue] = {}
        self._floats: dict[str, KeyValue] = {}

    def encoded(self, attributes: Mapping[str, Any]) -> list[KeyValue]:
        """Return attributes as OTLP has them, in their order, without those that it cannot have.

        They hold until the next call.
        """
        found: list[KeyValue] = []
        texts, add = self._texts, found.append
        for item in attributes.items():
            value = item[1]
            kind = type(value)
            if kind is str:
                known = texts.get(item) if len(value) <= _LONGEST else None
            elif kind is int or kind is float:
                known = self._number(item[0], value)
            elif kind is bool or _are_short_texts(value):
                known = texts.get(item)
            else:
                known = None
            if known is not None:
                add(known)
            else:
                found += self._new(*item)
        return found

    def _number(self, key: str, value: float) -> KeyValue | None:
        if type(value) is int:
            known = self._integers.get(key)
            if known is not None and -(2**63) <= value < 2**63:
                known.value.int_value = value
                return known
            return None
        known = self._floats.get(key)
        if known is not None:
            known.value.double_value = value
        return known

    def _new(self, key: str, value: Any) -> list[KeyValue]:
        """Encode what is not known, and know it from now on where it may come again."""
        found = self._encode({key: value}) or []
        if found:
            kind = type(value)
            if kind is int:
                _keep(self._integers, key, found[0])
            elif kind is float:
                _keep(self._floats, key, found[0])
            elif kind is bool or _is_short_text(value) or _are_short_texts(value):
                _keep(self._texts, (key, value), found[0])
        return found


def _is_short_text(value: Any) -> bool:
    return type(value) is str and len(value) <= _LONGEST


def _are_short_texts(value: Any) -> bool:
    """Say whether it is a few texts: of other values, what is equal need not be the same."""
    is_short = type(value) is tuple and len(value) <= _MOST_TEXTS
    return is_short and all(map(_is_short_text, value))


def _keep(kept: dict[Any, KeyValue], key: Any, encoded: KeyValue) -> None:
    if len(kept) >= _MOST:
        kept.clear()
    kept[key] = encoded
