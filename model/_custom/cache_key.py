"""What tells values apart in the key of a cache, without telling the values."""

from __future__ import annotations

import json
from datetime import date, time
from decimal import Decimal
from enum import Enum
from hashlib import sha256
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID, uuid4
from weakref import WeakKeyDictionary

from pydantic import BaseModel

from .._process import process_wide

# Values that JSON has no word for, and whose `repr` says all of them.
_SPELLED_OUT: Final = (bytes, date, time, Decimal, Enum, PurePath, UUID)


class _Tokens:
    """The names that objects have in this process, each for as long as it lives."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Any, str] = WeakKeyDictionary()

    def of(self, value: Any) -> str:
        """Name an object, not by its address, which the next object may have."""
        new = uuid4().hex
        try:
            return self._known.setdefault(value, new)
        except TypeError:  # it has no hash, or no weak references
            return new


_tokens: Final = process_wide(_Tokens)


def digest(value: Any) -> str:
    """Make a digest of what a value says; an object that says nothing equals only itself."""
    try:
        text = json.dumps(value, sort_keys=True, default=_stand_in)
    except (TypeError, ValueError, RecursionError):  # keys of several kinds, or a cycle
        text = _tokens.of(value)
    return sha256(text.encode()).hexdigest()


def _stand_in(value: Any) -> Any:
    if isinstance(value, BaseModel):
        kind = type(value)
        fields = {name: getattr(value, name, None) for name in kind.model_fields}
        return [f"{kind.__module__}.{kind.__qualname__}", fields, value.model_extra]
    return repr(value) if isinstance(value, _SPELLED_OUT) else _tokens.of(value)
