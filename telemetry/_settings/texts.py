"""What the text of a variable stands for; what it cannot stand for is a `ValueError`."""

from __future__ import annotations

import re
from importlib import import_module
from inspect import isroutine
from typing import Any, Final

from .._errors import ConfigurationError

_ON: Final = ("true", "on", "1", "yes")
_OFF: Final = ("false", "off", "0", "no")
_MOST_NAMES: Final = 10
_MISSING: Final = object()
_PLACE: Final = r"([^\W\d][\w.]*):([^\W\d][\w.]*)"


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
    place = re.fullmatch(_PLACE, text)
    if place is None:
        raise ConfigurationError("use MODULE:NAME, such as rules:redact for a rules.py")
    module, path = place.groups()
    try:
        found: Any = import_module(module)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}."):
            said = f"{said}; PYTHONPATH says in which folders modules are"
        raise ConfigurationError(f"the module {module!r} cannot be imported: {said}") from error
    for name in path.split("."):
        there, found = found, getattr(found, name, _MISSING)
        if found is _MISSING:
            raise ConfigurationError(
                f"the module {module!r} has no {path!r}; {_functions(there, module)}"
            )
    if found is None:
        raise ConfigurationError(f"{path!r} of the module {module!r} is None; name a function")
    return found


def _functions(there: object, module: str) -> str:
    """Say what there is to name instead: the functions that the module itself has made."""
    found = getattr(there, "__dict__", {}).items()
    functions = [(name, each) for name, each in found if isroutine(each) and name[0] != "_"]
    names = [name for name, each in functions if getattr(each, "__module__", "") == module]
    more = " and more" if len(names) > _MOST_NAMES else ""
    return f"it has {', '.join(names[:_MOST_NAMES]) or 'no function'}{more}"
