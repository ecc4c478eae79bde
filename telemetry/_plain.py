"""Any Python value as plain data that JSON and OTLP can carry (pure).

Nothing is called on a value that its author wrote, except on the well-known kinds named
here: a `repr` may raise, take long or tell a secret.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from enum import Enum
from itertools import takewhile
from typing import TYPE_CHECKING, Final, TypeAlias
from uuid import UUID

from pydantic import BaseModel, SecretBytes, SecretStr

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"

_MAX_DEPTH: Final = 32
_MAX_ITEMS: Final = 20_000
_MAX_INT64: Final = 2**63 - 1
# Python itself refuses to write out integers of 4,300 digits.
_MAX_BITS_WRITTEN_OUT: Final = 8_192
_MIN_INT64: Final = -(2**63)

_CREDENTIAL_KEY: Final = re.compile(
    r"api[-_ ]?key|authorization|authentication|passw(or)?d|passphrase|secret|credential"
    r"|cookie|private[-_ ]?key|access[-_ ]?key|session[-_ ]?key|signature|bearer|jwt|dsn$"
    r"|connection[-_ ]?string|(^|[-_ ])auth$|(^|[-_a-z ])token$",
    re.IGNORECASE,
)
_USER_INFO_IN_URL: Final = re.compile(r"(?<=://)[^/?#\s@]+@")
_SURROGATES: Final = re.compile("[\ud800-\udfff]")

_ABSENT: Final = object()


def is_credential_key(key: str) -> bool:
    """Say whether a *key* looks like the name of a credential."""
    return _CREDENTIAL_KEY.search(key) is not None


def clean_text(text: str) -> str:
    """Return *text* without lone surrogates, and its URLs without user names and passwords."""
    if "://" in text:
        text = _USER_INFO_IN_URL.sub("", text)
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


class Budget:
    """How much of a value is still to be kept, and how much of it was dropped.

    Args:
        characters: how many characters of text are kept in all.
    """

    __slots__ = ("characters", "dropped", "items")

    def __init__(self, characters: int) -> None:
        self.characters = characters
        self.items = _MAX_ITEMS
        self.dropped = 0

    def text(self, text: str) -> str:
        """Return as much of the beginning of *text* as may still be kept."""
        kept = clean_text(text[: self.characters])
        self.characters -= len(kept)
        self.dropped += max(len(text) - len(kept), 0)
        return kept

    def item(self, _item: object) -> bool:
        """Take one item; False, and counted as dropped, when no more may be kept."""
        if self.items <= 0 or self.characters <= 0:
            self.dropped += 1
            return False
        self.items -= 1
        return True


def plain(value: object, budget: Budget) -> Plain:
    """Return *value* as plain data within the *budget*, without credentials.

    Values of unknown classes become the name of their class.
    """
    return _plain(value, budget, ())


def to_json(value: Plain) -> str:
    """Return plain data as compact JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _plain(value: object, budget: Budget, above: tuple[int, ...]) -> Plain:
    scalar = _scalar(value, budget)
    if scalar is not _ABSENT:
        return scalar  # type: ignore[return-value]  # everything but the sentinel is Plain
    if id(value) in above or len(above) >= _MAX_DEPTH:
        budget.dropped += 1
        return "<cycle>" if id(value) in above else "<too deep>"
    try:
        return _container(value, budget, (*above, id(value)))
    except Exception:  # noqa: BLE001 - a value whose own methods raise is told by its class
        budget.dropped += 1
        return f"<{type(value).__qualname__}>"


def _scalar(value: object, budget: Budget) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _scalar(value.value, budget)
    if isinstance(value, str):
        return budget.text(str.__str__(value))
    return _number(value, budget) if isinstance(value, int | float) else _brief(value)


def _number(value: float, budget: Budget) -> Plain:
    if isinstance(value, int):
        return _integer(value, budget)
    return float(value) if math.isfinite(value) else str(float(value))


def _brief(value: object) -> object:
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    return str(value) if isinstance(value, UUID | date | datetime | time | timedelta) else _ABSENT


def _integer(value: int, budget: Budget) -> int | str:
    if _MIN_INT64 <= value <= _MAX_INT64:
        return int(value)
    is_huge = value.bit_length() > _MAX_BITS_WRITTEN_OUT
    return "<huge integer>" if is_huge else budget.text(str(int(value)))


def _container(value: object, budget: Budget, above: tuple[int, ...]) -> Plain:
    if isinstance(value, SecretStr | SecretBytes):
        return "<secret>"
    if isinstance(value, Mapping):
        return _mapping(value.items(), budget, above)
    if isinstance(value, BaseModel):
        return _mapping(_fields(value), budget, above)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _mapping(_attributes(value), budget, above)
    if isinstance(value, Sequence | AbstractSet):
        return [_plain(item, budget, above) for item in takewhile(budget.item, value)]
    return f"<{type(value).__qualname__}>"


def _mapping(
    items: Iterable[tuple[object, object]], budget: Budget, above: tuple[int, ...]
) -> dict[str, Plain]:
    kept: dict[str, Plain] = {}
    for key, value in takewhile(budget.item, items):
        name = _key(key, budget)
        if is_credential_key(name):
            budget.dropped += 1
        else:
            kept[name] = _plain(value, budget, above)
    return kept


def _key(key: object, budget: Budget) -> str:
    scalar = _scalar(key, budget)
    return str(scalar) if scalar is not _ABSENT else f"<{type(key).__qualname__}>"


def _fields(model: BaseModel) -> Iterator[tuple[object, object]]:
    return ((name, model.__dict__.get(name)) for name in type(model).model_fields)


def _attributes(record: object) -> Iterator[tuple[object, object]]:
    names = (field.name for field in dataclasses.fields(record))  # type: ignore[arg-type]
    return ((name, getattr(record, name, None)) for name in names)
