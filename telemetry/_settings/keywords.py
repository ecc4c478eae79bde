"""Functions that take a record of settings by its fields, each by its keyword (pure).

Type checkers and editors see the record's own parameters, and so does `inspect.signature`.
"""

from __future__ import annotations

import inspect
from functools import cache, wraps
from textwrap import fill
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

from .record import Record, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_P = ParamSpec("_P")
_Made = TypeVar("_Made", bound=Record)
_Owner = TypeVar("_Owner")
_Result = TypeVar("_Result")
_Class = TypeVar("_Class", bound=type)

# Where a docstring has this line, what people read has one for each setting.
_PLACE: Final = "        settings: each by its keyword."


def _nothing() -> Mapping[str, Any]:
    return {}


def takes(
    record: Callable[_P, _Made], otherwise: Callable[[], Mapping[str, Any]] = _nothing
) -> Callable[[Callable[[_Made], _Result]], Callable[_P, _Result]]:
    """Have a function of a *record* called with the record's fields, each by its keyword.

    Args:
        record: is made of the keywords.
        otherwise: returns what holds where a keyword is not given.
    """

    def decorate(function: Callable[[_Made], _Result]) -> Callable[_P, _Result]:
        """Return the function with the fields as its arguments."""

        @wraps(function)
        def call(*args: _P.args, **keywords: _P.kwargs) -> _Result:
            """Make the record of what was given, and call the function with it."""
            return function(_made(record, function, args, {**otherwise(), **keywords}))

        _show(call, record, ())
        return call

    return decorate


def method_takes(
    record: Callable[_P, _Made], otherwise: Callable[[], Mapping[str, Any]] = _nothing
) -> Callable[[Callable[[_Owner, _Made], _Result]], Callable[Concatenate[_Owner, _P], _Result]]:
    """Have a method of a *record* called so, as `takes` does with a function."""

    def decorate(
        function: Callable[[_Owner, _Made], _Result],
    ) -> Callable[Concatenate[_Owner, _P], _Result]:
        """Return the method with the fields as its arguments."""

        @wraps(function)
        def call(self: _Owner, /, *args: _P.args, **keywords: _P.kwargs) -> _Result:
            """Make the record of what was given, and call the method with it."""
            return function(self, _made(record, function, args, {**otherwise(), **keywords}))

        _show(call, record, ("self",))
        return call

    return decorate


def lists(record: type[Record]) -> Callable[[_Class], _Class]:
    """Have a class list the settings of a *record* in its docstring."""

    def decorate(shown: _Class) -> _Class:
        """List the fields in the docstring of the class."""
        shown.__doc__ = _listing(shown.__doc__, record)
        return shown

    return decorate


def lists_itself(shown: _Class) -> _Class:
    """Have a class that is a record list its own settings in its docstring."""
    return lists(shown)(shown)


def _made(
    record: Callable[..., _Made],
    function: Callable[..., Any],
    args: tuple[Any, ...],
    keywords: dict[str, Any],
) -> _Made:
    try:
        return record(*args, **keywords)
    except TypeError as error:
        name = function.__qualname__.removesuffix(".__init__")
        message = str(error).replace(f"{record.__name__}.__init__", name)
        raise TypeError(message) from None


def _show(call: Any, record: Any, first: tuple[str, ...]) -> None:
    own = inspect.signature(call)
    before = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in first]
    call.__signature__ = own.replace(parameters=[*before, *_parameters(record)])
    call.__doc__ = _listing(call.__doc__, record)


@cache  # several take the same
def _parameters(record: Callable[..., Any]) -> tuple[inspect.Parameter, ...]:
    return tuple(inspect.signature(record).parameters.values())


def _listing(docstring: str | None, record: Any) -> str | None:
    if docstring is None:  # Python was told to leave docstrings out
        return None
    return docstring.replace(_PLACE, _entries(record))


@cache  # as above
def _entries(record: Any) -> str:
    return "\n".join(
        fill(
            f"{name}: {described(record, name)}.",
            width=100,
            initial_indent=" " * 8,
            subsequent_indent=" " * 12,
            break_on_hyphens=False,
            break_long_words=False,
        )
        for name in settings_of(record)
    )


def described(record: type[Record], name: str) -> str:
    """Return what a setting is for, and which variable says it where no argument does."""
    setting = settings_of(record)[name]
    if setting.variable is None:
        return setting.text
    otherwise = setting.variable.otherwise
    without = f", or else {otherwise}" if otherwise not in (None, ()) else ""
    return f"{setting.text}; where it is not given, what `{setting.variable.name}` says{without}"
