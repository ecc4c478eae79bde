"""Arguments that cannot work are refused early, by name (pure)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Mapping
from typing import Any, Final, TypeVar

from .._errors import ConfigurationError

_HOST_NAME: Final = r"\*|[\w-]+(?:\.[\w-]+)*\.?"
_MAX_NAMES: Final = 32

_T = TypeVar("_T")


def positive(name: str, value: object) -> int:
    """Return a limit that is a whole number from 1 up.

    Raises:
        ConfigurationError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{name} is {value!r}; it must be a whole number from 1 up")
    return value


def seconds(name: str, value: object) -> float:
    """Return a duration that is a number of seconds above 0.

    Raises:
        ConfigurationError: it is not.
    """
    return _duration(name, value, "seconds")


def days(name: str, value: object) -> float:
    """Return a duration that is a number of days above 0.

    Raises:
        ConfigurationError: it is not.
    """
    return _duration(name, value, "days")


def few_names(name: str, value: Collection[str]) -> tuple[str, ...]:
    """Return names of which a span has room for all.

    Raises:
        ConfigurationError: they are too many, or one text instead of several.
    """
    are_several = isinstance(value, Collection) and not isinstance(value, str | bytes)
    names = tuple(value) if are_several else ()
    are_names = are_several and all(isinstance(each, str) for each in names)
    if not are_names or len(names) > _MAX_NAMES:
        raise ConfigurationError(f"{name} is {value!r}; use a list of up to {_MAX_NAMES} names")
    return names


def host_names(name: str, value: Collection[str]) -> tuple[str, ...]:
    """Return names of a host, as requests tell them; `*` is any.

    Raises:
        ConfigurationError: one is no name of a host, or there is one text instead of several.
    """
    are_several = isinstance(value, Collection) and not isinstance(value, str | bytes)
    names: tuple[Any, ...] = tuple(value) if are_several else (value,)
    for each in names:
        if not are_several or not isinstance(each, str) or not re.fullmatch(_HOST_NAME, each):
            raise ConfigurationError(
                f"{name} is {each!r}; use a list of names such as my-service.my-namespace, "
                "without scheme and port"
            )
    return tuple(each.lower().rstrip(".") for each in names)


def switch(name: str, value: object) -> bool:
    """Return a switch that is on or off.

    Raises:
        ConfigurationError: it is neither.
    """
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} is {value!r}; use True or False")
    return value


def as_given(_name: str, value: _T) -> _T:
    """Return a value that is checked where it is used."""
    return value


def of_kind(name: str, value: _T, kind: type | tuple[type, ...], what: str) -> _T:
    """Return a value that, where there is one, is *what* it must be.

    Raises:
        ConfigurationError: it is not of that *kind*.
    """
    if value is not None and not isinstance(value, kind):
        raise ConfigurationError(f"{name} is {value!r}; use {what}")
    return value


def capable_of(name: str, value: _T, method: str, what: str) -> _T:
    """Return a value that, where there is one, can do what it is needed for.

    Raises:
        ConfigurationError: it has no such *method*, or is a class that has.
    """
    if value is not None and (isinstance(value, type) or not hasattr(value, method)):
        raise ConfigurationError(f"{name} is {value!r}; use {what}")
    return value


def redaction(name: str, value: _T) -> _T:
    """Return a redaction that, where there is one, can be called as one.

    Raises:
        ConfigurationError: it cannot.
    """
    if value is not None and not (callable(value) and _takes_two(value)):
        raise ConfigurationError(
            f"{name} is {value!r}; use a function of two arguments, an attribute's name and its "
            "content"
        )
    if inspect.iscoroutinefunction(value) or inspect.isasyncgenfunction(value):
        raise ConfigurationError(f"{name} is {value!r}; use a function that is not async")
    return value


def headers(name: str, value: _T) -> _T:
    """Return headers that, where there are any, are texts by name; no message has their values.

    Raises:
        ConfigurationError: they are not.
    """
    if value is None:
        return value
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{name} is a {type(value).__name__}; use a dict of texts")
    for key, text in value.items():
        if not isinstance(key, str) or not isinstance(text, str):
            shown = key if isinstance(key, str) else type(key).__name__
            raise ConfigurationError(f"{name} has no text under {shown!r}; use a dict of texts")
    return value


def _takes_two(function: object) -> bool:
    try:
        inspect.signature(function).bind("name", None)  # type: ignore[arg-type]  # it is callable
    except TypeError:
        return False
    except ValueError:  # what is written in C may say nothing of its arguments
        return True
    return True


def _duration(name: str, value: object, unit: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not value > 0:  # type: ignore[operator]  # a number
        raise ConfigurationError(f"{name} is {value!r}; it must be a number of {unit} above 0")
    return float(value)  # type: ignore[arg-type]  # as above
