"""Options that are numbers: what is none, or beyond its bounds, is refused in plain English."""

from __future__ import annotations

from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

_Number = TypeVar("_Number", int, float)


def whole_number(least: int, most: float = inf) -> Callable[[str], int]:
    """Return what reads an option that is a whole number, from *least* to *most*."""
    return _reader(int, "whole number", least, most)


def seconds(least: float, most: float = inf) -> Callable[[str], float]:
    """Return what reads an option that is a number of seconds, from *least* to *most*."""
    return _reader(float, "number of seconds", least, most)


def _reader(
    number_of: Callable[[str], _Number], what: str, least: float, most: float
) -> Callable[[str], _Number]:
    def read(text: str) -> _Number:
        """Read it; a default comes as the number that it is.

        Raises:
            typer.BadParameter: it is none, or beyond its bounds.
        """
        with suppress(ValueError):
            value = number_of(text)
            if least <= value <= most and value < inf:
                return value
        bounds = f"from {least:,} up" if most == inf else f"from {least:,} to {most:,}"
        raise typer.BadParameter(f"{str(text)!r} is not a {what} {bounds}")

    return read
