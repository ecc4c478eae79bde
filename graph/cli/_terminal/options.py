"""Commands that take a record of options: each field is an option, with its help beside it."""

from __future__ import annotations

import inspect
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ParamSpec,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

import typer
from typer.core import TyperCommand, TyperGroup

from .values import file_named

if TYPE_CHECKING:
    from collections.abc import Callable

_P = ParamSpec("_P")
_Made = TypeVar("_Made")

JournalFile = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        metavar="FILE",
        parser=file_named,
        help="The journal's file, or its folder; by default what NODESPAN_JOURNAL says, or the "
        "user's own.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


class Command(TyperCommand):
    """A command whose help shows no type of its switches: there is nothing to be given."""

    def get_help_option(self, ctx: Any) -> Any:
        """Return the option that shows the help."""
        return _as_switch(super().get_help_option(ctx))


class Group(TyperGroup):
    """Commands, as above."""

    def get_help_option(self, ctx: Any) -> Any:
        """Return the option that shows the help."""
        return _as_switch(super().get_help_option(ctx))


def _as_switch(option: Any) -> Any:
    if option is not None:
        option.metavar = ""
    return option


def takes(
    record: Callable[_P, _Made],
) -> Callable[[Callable[[_Made], None]], Callable[_P, None]]:
    """Have a command of a *record* called with the record's fields, each by its keyword."""

    def decorate(function: Callable[[_Made], None]) -> Callable[_P, None]:
        """Return the function as a command whose options are the fields."""

        @wraps(function)
        def call(*args: _P.args, **keywords: _P.kwargs) -> None:
            """Make the record of what was given, and call the function with it."""
            function(record(*args, **keywords))

        _show(call, record)
        return call

    return decorate


def _show(call: Any, record: Any) -> None:
    """Give a function the signature that typer reads its options from."""
    hints = get_type_hints(record, include_extras=True)
    for hint in hints.values():
        if get_origin(hint) is Annotated and get_args(hint)[0] is bool:
            _as_switch(get_args(hint)[1])
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        parameter.replace(annotation=hints[name], kind=keyword)
        for name, parameter in inspect.signature(record).parameters.items()
    ]
    call.__signature__ = inspect.Signature(parameters, return_annotation=None)
    call.__annotations__ = {each.name: hints[each.name] for each in fields(record)}
