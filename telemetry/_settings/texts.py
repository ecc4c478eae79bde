"""What the text of a variable stands for; what it cannot stand for is a `ValueError`."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any, Final

from .._errors import ConfigurationError

_ON: Final = ("true", "on", "1", "yes")
_OFF: Final = ("false", "off", "0", "no")
_PLACE: Final = re.compile(r"([^\W\d][\w.]*):([^\W\d][\w.]*)")


def switch_named(text: str) -> bool:
    """Return the switch that a text names.

    Raises:
        ValueError: it names none.
    """
    word = text.lower()
    if word not in _ON + _OFF:
        raise ValueError(text)
    return word in _ON


def names_listed(text: str) -> tuple[str, ...]:
    """Return the names in a list with commas."""
    return tuple(name for name in (part.strip() for part in text.split(",")) if name)


def function_named(text: str) -> Any:
    """Return what `MODULE:NAME` names, importing the module.

    Raises:
        ConfigurationError: the text is no such place, there is no such module, it fails, or it has
            no such name.
    """
    place = _PLACE.fullmatch(text)
    if place is None:
        raise ConfigurationError("use MODULE:NAME, such as rules:redact for a rules.py")
    module, path = place.groups()
    try:
        found: Any = import_module(module)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        raise ConfigurationError(f"the module {module!r} cannot be imported: {said}") from error
    for name in path.split("."):
        found = getattr(found, name, None)
        if found is None:
            raise ConfigurationError(f"the module {module!r} has no {path!r}")
    return found
