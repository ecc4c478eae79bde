"""What tells values apart in the key of a cache, without telling the values."""

from __future__ import annotations

import hmac
import json
import os
from datetime import date, time
from decimal import Decimal
from enum import Enum
from hashlib import sha256
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID, uuid4
from weakref import WeakKeyDictionary

from pydantic import BaseModel, SecretBytes, SecretStr

from .._process import process_wide

# Values that JSON has no word for, and whose `repr` says all of them.
_SPELLED_OUT: Final = (bytes, date, time, Decimal, Enum, PurePath, UUID)


# Nobody who reads a key can try guesses against it. Forked children have the same one; another
# process makes other keys, so it shares no answers of models that have something to hide.
_KEY: Final = os.urandom(32)


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
    return sha256(_said(value)).hexdigest()


def keyed_digest(value: Any) -> str:
    """Make a digest of what may hold credentials: it is equal for equal values in this process.

    What is declared as a secret is none of it: answers are shared over keys.
    """
    return hmac.digest(_KEY, _said(value), "sha256").hex()


def _said(value: Any) -> bytes:
    try:
        text = json.dumps(value, sort_keys=True, default=_stand_in)
    except (TypeError, ValueError, RecursionError):  # keys of several kinds, or a cycle
        text = _tokens.of(value)
    return text.encode()


def _stand_in(value: Any) -> Any:
    if isinstance(value, SecretStr | SecretBytes):
        return None
    if isinstance(value, BaseModel):
        kind = type(value)
        fields = {name: getattr(value, name, None) for name in kind.model_fields}
        return [f"{kind.__module__}.{kind.__qualname__}", fields, value.model_extra]
    return repr(value) if isinstance(value, _SPELLED_OUT) else _tokens.of(value)
