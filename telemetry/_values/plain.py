"""Any Python value as plain data that JSON and OTLP can carry (pure).

Nothing is called on a value that its author wrote, except on the well-known kinds named
here: a `repr` may raise, take long or show a secret.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections import deque
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from itertools import islice
from numbers import Integral, Real
from pathlib import PurePath
from types import GetSetDescriptorType, MappingProxyType, MemberDescriptorType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias
from uuid import UUID

from pydantic import BaseModel, SecretBytes, SecretStr

from .._interrupts import INTERRUPTS
from .._upstream.pydantic import model_extra
from .commands import credentials_in_command
from .credential_shapes import REDACTED, compiled
from .credentials import (
    is_credential_key,
    key_of_named,
    names_next,
    without_credentials,
)
from .lazy_sequence import LazySequence
from .numbers import fits_int64
from .visible import escaped_in_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"

_MAX_DEPTH: Final = 32
_MAX_KEY_CHARACTERS: Final = 256
_MAX_KNOWN_KEY_CHARACTERS: Final = 64
# Python itself refuses to write out integers of 4,300 digits.
_MAX_BITS_WRITTEN_OUT: Final = 8_192
# A dictionary of so many entries is a record: all its keys are kept, though its texts are cut.
_MAX_RECORD: Final = 16
_LEAST_OVERDRAFT: Final = 1_000
# A credential that the cut would tear must be seen whole to be recognised.
_SLACK: Final = 1_024

# What says what a record is, and which: kept whole, where it is short, when longer texts beside
# it have taken up the room.
_DISTINGUISHING: Final = frozenset(("role", "type", "name", "id", "finish_reason", "modality"))
_MAX_DISTINGUISHING_CHARACTERS: Final = 64

_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)

# As tuples, which take a third of the time of unions where each value is asked.
_NUMBERS: Final = (int, float)
_CONTAINERS: Final = (dict, list, tuple)

# What JSON adds to a value: quotes, colons, commas and brackets.
_TEXT_COST: Final = 3
_SCALAR_COST: Final = 6
_LEAST_COST: Final = 4

_SURROGATES: Final = "[\ud800-\udfff]"
_DATA_URL: Final = r"data:[\w.+/;=-]{0,200};base64,"
# Nobody writes so many of these in a row: it is an image, a sound or a file.
_LEAST_ENCODED: Final = 1_024
_ENCODED: Final = (
    rf"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{{{_LEAST_ENCODED},}}+={{0,2}}+(?![A-Za-z0-9+/])"
)
_OF_ENCODED: Final = ("[A-Z]", "[a-z]", "[0-9]")

_qualified_name = type.__dict__["__qualname__"].__get__
_model_state = next(vars(k)["__dict__"] for k in BaseModel.__mro__ if "__dict__" in vars(k)).__get__


def clean_text(text: str) -> str:
    """Return *text* without lone surrogates, which no encoder takes."""
    return text if text.isascii() else compiled(_SURROGATES).sub("\ufffd", text)


def to_json(value: Plain) -> str:
    """Return plain data as compact JSON text, in which what is invisible is escaped."""
    return escaped_in_json(_JSON.encode(value))


class Rules(NamedTuple):
    """What a `Reader` lets pass.

    Attributes:
        withholds: says of a key that it and its value must not pass.
        clean: returns a text as it may pass; lone surrogates are gone by then.
        adapters: read objects of these classes as what the function returns.
        record: returns what a dictionary is read as in its place, or None where it is read as it
            is.
    """

    withholds: Callable[[str], bool] = is_credential_key
    clean: Callable[[str], str] = without_credentials
    adapters: Mapping[type, Callable[[Any], object]] = MappingProxyType({})
    record: Callable[[Mapping[Any, Any]], Mapping[Any, Any] | None] | None = None


WITHOUT_CREDENTIALS: Final = Rules()


class Reader:
    """Reads values as plain data, up to a size.

    Text is cut, long lists and dictionaries lose their ends, values of unknown classes become
    the name of their class.

    Args:
        characters: how many characters of JSON, more or less, all that is read may take up.
        rules: what passes.

    Attributes:
        characters: how many are left; below zero where records had to be completed.
        dropped: how many characters, items and withheld keys were left out.
        rules: as above.
    """

    __slots__ = ("_above", "_overdraft", "characters", "dropped", "rules")

    def __init__(self, characters: int, rules: Rules = WITHOUT_CREDENTIALS) -> None:
        self.characters = characters
        self.dropped = 0
        self.rules = rules
        self._overdraft = -max(characters, _LEAST_OVERDRAFT)
        self._above: list[int] = []

    def read(self, value: object) -> Plain:
        """Return *value* as plain data."""
        kind = type(value)
        if kind is str:
            return self._text(value)  # type: ignore[arg-type]  # it is one
        if value is None or kind is bool:
            self.characters -= _SCALAR_COST
            return value  # type: ignore[return-value]  # None or a bool
        try:
            return self._scalar(value, kind)
        except INTERRUPTS:
            raise
        except BaseException:  # noqa: BLE001 - a value whose own methods raise is shown by its class
            self.dropped += 1
            return self._class_name(kind)

    def _scalar(self, value: Any, kind: type) -> Plain:
        if kind is dict or kind is list:  # as nearly all that is none
            return self._nested(value, kind)
        if issubclass(kind, str):
            return self._text(value)
        if issubclass(kind, Enum):
            return self.read(object.__getattribute__(value, "_value_"))
        if issubclass(kind, _NUMBERS):
            return self._number(value, kind)
        if issubclass(kind, _CONTAINERS):
            return self._nested(value, kind)
        text = _brief(value, kind)
        return self._nested(value, kind) if text is None else self._text(text)

    def _text(self, text: str) -> str:
        size = str.__len__(text)
        room = max(self.characters, 0)
        is_whole = size <= room and type(text) is str
        shortened = text if is_whole else str.__getitem__(text, slice(0, room + _SLACK))
        if shortened[:5] == "data:" and (head := compiled(_DATA_URL).match(shortened)):
            # Measured, not copied.
            shortened, size = f"{head[0]}<{size - head.end()} characters>", 0
        elif len(shortened) >= _LEAST_ENCODED:
            shortened, left_out = _without_encoded(text, shortened)
            size -= left_out
        kept = self.rules.clean(clean_text(shortened))[:room] if room else ""
        self.dropped += max(size - room, 0)
        self.characters -= len(kept) + _TEXT_COST
        return kept

    def _distinguishing(self, value: object) -> Plain:
        if type(value) is not str or len(value) > _MAX_DISTINGUISHING_CHARACTERS:
            return self.read(value)
        kept = self.rules.clean(clean_text(value))
        self.characters -= len(kept) + _TEXT_COST
        return kept

    def _number(self, value: Any, kind: type) -> Plain:
        self.characters -= _SCALAR_COST
        if issubclass(kind, int):
            return self._integer(int.__int__(value))
        number = float.__float__(value)
        return number if math.isfinite(number) else str(number)

    def _integer(self, number: int) -> int | str:
        if fits_int64(number):
            return number
        is_huge = number.bit_length() > _MAX_BITS_WRITTEN_OUT
        return self._text("<huge integer>" if is_huge else str(number))

    def _nested(self, value: Any, kind: type) -> Plain:
        if id(value) in self._above or len(self._above) >= _MAX_DEPTH:
            self.dropped += 1
            return "<cycle>" if id(value) in self._above else "<too deep>"
        self.characters -= _TEXT_COST
        self._above.append(id(value))
        try:
            return self._container(value, kind)
        finally:
            self._above.pop()

    def _container(self, value: Any, kind: type) -> Plain:
        if issubclass(kind, dict):
            return self._record(value)
        for base in (list, tuple, deque, set, frozenset):
            if issubclass(kind, base):
                return self._sequence(base.__iter__(value), base.__len__(value))
        if kind is LazySequence:
            return self._sequence(iter(value), len(value))
        if kind is MappingProxyType:
            return self._mapping(value.items(), len(value))
        return self._object(value, kind)

    def _record(self, value: dict[Any, Any]) -> Plain:
        """Read a dictionary, as what the rules make of it."""
        record = self.rules.record
        if record is not None and "type" in value:
            value = record(value) or value  # type: ignore[assignment]  # a dictionary too
        return self._mapping(dict.items(value), dict.__len__(value))

    def _object(self, value: Any, kind: type) -> Plain:
        for base, adapter in self.rules.adapters.items():
            if issubclass(kind, base):
                return self.read(adapter(value))
        if issubclass(kind, BaseModel):
            return self._model(value, kind)
        if dataclasses.is_dataclass(kind):
            state = dict(record_state(value, kind))
            return self._record(state)
        if issubclass(kind, Integral):
            return self._number(int(value), int)
        if issubclass(kind, Real):
            return self._number(float(value), float)
        return self._class_name(kind)

    def _model(self, value: BaseModel, kind: type[BaseModel]) -> Plain:
        state = _model_state(value)
        fields = {name: state.get(name) for name in kind.model_fields}
        fields |= model_extra(value) or {}
        return self._record(fields)

    def _mapping(self, items: Iterable[tuple[object, object]], size: int) -> dict[str, Plain]:
        kept: dict[str, Plain] = {}
        most = self._most(is_record=size <= _MAX_RECORD)
        # In one go: another thread may be changing it.
        found = list(islice(items, most))
        of_credential = key_of_named(found)
        for key, value in found:
            if not self._has_room(is_record=size <= _MAX_RECORD):
                break
            is_withheld = of_credential is not None and type(key) is str and key == of_credential
            name = None if is_withheld else self._key(key)
            if name is not None and name not in kept:
                kept[name] = (
                    self._distinguishing(value) if name in _DISTINGUISHING else self.read(value)
                )
        self.dropped += size - len(kept)
        return kept

    def _sequence(self, items: Iterable[object], size: int) -> list[Plain]:
        kept: list[Plain] = []
        is_credential = False
        found = list(islice(items, self._most(is_record=False)))
        told = credentials_in_command(found)
        for place, item in enumerate(found):
            if not self._has_room(is_record=False):
                break
            kept.append(REDACTED if is_credential or place in told else self.read(item))
            is_credential = not is_credential and names_next(item, size)
        self.dropped += size - len(kept)
        return kept

    def _most(self, *, is_record: bool) -> int:
        return _MAX_RECORD if is_record else max(self.characters, 0) // _LEAST_COST + 1

    def _has_room(self, *, is_record: bool) -> bool:
        return self.characters > (self._overdraft if is_record else 0)

    def _key(self, key: object) -> str | None:
        """Return a key as text; None where it must not pass."""
        rules = self.rules
        if type(key) is str:
            read = _known_key if len(key) <= _MAX_KNOWN_KEY_CHARACTERS else _cleaned_key
            name, passes = read(key, rules.withholds, rules.clean)
        else:
            plain = Reader(_MAX_KEY_CHARACTERS, rules).read(key)
            name = rules.clean(clean_text(plain if isinstance(plain, str) else to_json(plain)))
            passes = not rules.withholds(name)
        if name is not None:
            self.characters -= len(name) + _TEXT_COST
        return name if passes else None

    def _class_name(self, kind: type) -> str:
        name = clean_text(_qualified_name(kind)[:_MAX_KEY_CHARACTERS])
        self.characters -= len(name) + _TEXT_COST
        return f"<{name}>"


def _cleaned_key(
    key: str, withholds: Callable[[str], bool], clean: Callable[[str], str]
) -> tuple[str | None, bool]:
    """Return a key as it may be shown, if at all, and whether it passes as that."""
    if withholds(key):
        return None, False
    name = clean(clean_text(key[:_MAX_KEY_CHARACTERS]))
    return name, not withholds(name)


# Most records have the same few keys.
_known_key: Final = lru_cache(maxsize=1_024)(_cleaned_key)


def _without_encoded(text: str, shortened: str) -> tuple[str, int]:
    """Return the beginning of a text with what is base64 in it measured, and how much that was."""
    left_out, goes_on = 0, len(shortened)

    def stand_in(found: re.Match[str]) -> str:
        """Return what stands for data that was found."""
        nonlocal left_out, goes_on
        if not all(re.search(each, found[0]) for each in _OF_ENCODED):
            return found[0]
        # The cut may have torn it.
        is_torn = found.end() == len(shortened) < len(text)
        whole = (compiled(_ENCODED).match(text, found.start()) if is_torn else None) or found
        goes_on = max(goes_on, whole.end())
        short = f"<{len(whole[0])} characters>"
        left_out += len(whole[0]) - len(short)
        return short

    measured = compiled(_ENCODED).sub(stand_in, shortened)
    return measured + text[goes_on : goes_on + _SLACK] * (goes_on > len(shortened)), left_out


def _brief(value: Any, kind: type) -> str | None:
    """Return a value of a well-known kind as text; None for other kinds."""
    if issubclass(kind, SecretStr | SecretBytes):
        return "<secret>"
    if issubclass(kind, bytes | bytearray | memoryview):
        size = value.nbytes if kind is memoryview else kind.__len__(value)
        return f"<{size} bytes>"
    for moment in (datetime, date, time):
        if issubclass(kind, moment):
            return moment.isoformat(value)
    for written in (UUID, timedelta, Decimal, PurePath):
        if issubclass(kind, written):
            return written.__str__(value)
    return f"<class {_qualified_name(value)}>" if issubclass(kind, type) else None


def record_state(record: object, kind: type) -> Iterator[tuple[str, object]]:
    """Return a dataclass's fields, without the properties that its author may have written."""
    state = _instance_state(record, kind)
    for each in dataclasses.fields(kind):
        slot = next(
            (vars(base)[each.name] for base in kind.__mro__ if each.name in vars(base)), None
        )
        if isinstance(slot, MemberDescriptorType):
            yield each.name, slot.__get__(record)
        elif each.name in state:
            yield each.name, state[each.name]


def _instance_state(value: object, kind: type) -> Mapping[str, object]:
    for base in kind.__mro__:
        state = vars(base).get("__dict__")
        if isinstance(state, GetSetDescriptorType):
            found: Mapping[str, object] = state.__get__(value)
            return found
    return {}
