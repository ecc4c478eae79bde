"""Options that are numbers: what is none, or beyond its bounds, is refused in plain English."""

from __future__ import annotations

from math import inf, isfinite
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Callable


def whole_number(least: int, most: float = inf) -> Callable[[str], int]:
    """Return what reads an option that is a whole number, from *least* to *most*."""

    def read(text: str) -> int:
        """Read it; a default comes as the number that it is.

        Raises:
            typer.BadParameter: it is none, or beyond its bounds.
        """
        try:
            value = int(text)
        except ValueError:
            raise _refused(text, "whole number", least, most) from None
        if not least <= value <= most:
            raise _refused(text, "whole number", least, most)
        return value

    return read


def seconds(least: float, most: float = inf) -> Callable[[str], float]:
    """Return what reads an option that is a number of seconds, from *least* to *most*."""

    def read(text: str) -> float:
        """Read it; a default comes as the number that it is.

        Raises:
            typer.BadParameter: it is none, or beyond its bounds.
        """
        try:
            value = float(text)
        except ValueError:
            raise _refused(text, "number of seconds", least, most) from None
        if not isfinite(value) or not least <= value <= most:
            raise _refused(text, "number of seconds", least, most)
        return value

    return read


def _refused(text: str, what: str, least: float, most: float) -> typer.BadParameter:
    bounds = f"from {least:,} up" if most == inf else f"from {least:,} to {most:,}"
    return typer.BadParameter(f"{str(text)!r} is not a {what} {bounds}")
