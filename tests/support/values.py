"""Values of all sorts that applications put into states, parameters and results."""

from __future__ import annotations

import dataclasses
from collections import deque
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, NoReturn

from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.messages import HumanMessage
from pydantic import BaseModel, SecretBytes, SecretStr

from nodespan.telemetry._values.credentials import is_credential_key, without_credentials


class Colour(Enum):
    """An enum as anybody writes them."""

    RED = "red"
    TWO = 2


class Model(BaseModel, extra="allow"):
    """A pydantic model."""

    value: Any = None


@dataclasses.dataclass
class Record:
    """A dataclass."""

    value: Any = None


@dataclasses.dataclass(slots=True)
class SlottedRecord:
    """A dataclass with slots."""

    value: Any = None


class TouchedError(AssertionError):
    """A method that the application wrote was called."""


def _touch(self: object, *_: object, **__: object) -> NoReturn:
    raise TouchedError(type(self))


_METHODS = [
    *("__repr__", "__str__", "__format__", "__len__", "__iter__", "__bool__", "__eq__", "__hash__"),
    *("__getattribute__", "__getattr__", "__getitem__", "__contains__", "__int__", "__float__"),
    *("__index__", "__bytes__", "__dir__", "__fspath__", "__reduce__", "__reduce_ex__"),
]


def untouchable(kind: type = object, *args: object) -> Any:
    """Return a value of a class derived from *kind* whose every method raises."""
    methods = dict.fromkeys(_METHODS, _touch) | {"__hash__": kind.__hash__}
    cls = type("Untouchable", (kind,), {**methods, "__class__": property(_touch)})
    return kind.__new__(cls, *args)


TEXTS = st.text(st.characters(), max_size=30)
"""Text of all characters that Python has, lone surrogates too."""

PLAIN_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30).filter(
    lambda text: without_credentials(text) == text and not text.startswith("data:")
)
KEYS = PLAIN_TEXTS.filter(lambda key: not is_credential_key(key))

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | PLAIN_TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)
"""What JSON has, without credentials."""

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**64, 2**70)
    | st.floats()
    | TEXTS
    | st.binary(max_size=20)
    | st.binary(max_size=20).map(bytearray)
    | st.binary(max_size=20).map(memoryview)
    | st.uuids()
    | st.dates()
    | st.datetimes()
    | st.timedeltas(max_value=timedelta(days=10**6))
    | st.decimals()
    | st.fractions()
    | st.complex_numbers()
    | st.sampled_from(Colour)
    | TEXTS.map(SecretStr)
    | st.binary(max_size=9).map(SecretBytes)
    | st.sampled_from(
        [
            int,
            print,
            ...,
            NotImplemented,
            Decimal("NaN"),
            Fraction(1, 3),
            PurePosixPath("/models/model.gguf"),
            range(9),
        ]
    )
    | st.sampled_from([object, lambda: 10**5000, lambda: -(10**5000)]).map(lambda make: make())
)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keys = TEXTS | st.integers() | st.none() | st.booleans() | st.tuples(TEXTS, st.integers())
    hashable = st.frozensets(TEXTS | st.integers(), max_size=4)
    mappings = st.dictionaries(keys, inner, max_size=4)
    lists = st.lists(inner, max_size=4)
    return (
        lists
        | mappings
        | lists.map(tuple)
        | lists.map(deque)
        | mappings.map(MappingProxyType)
        | hashable
        | hashable.map(set)
        | inner.map(lambda value: Model(value=value, other=value))
        | inner.map(Record)
        | inner.map(SlottedRecord)
        | TEXTS.map(lambda text: HumanMessage(text.encode(errors="replace").decode()))
        | TEXTS.map(lambda text: Document(text.encode(errors="replace").decode()))
    )


VALUES = st.recursive(SCALARS, _nested, max_leaves=20)
"""Values of every kind that Python has."""
