"""Options that are texts: what can be none of its kind is refused in plain English."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def text_of(what: str) -> Callable[[str], str]:
    """Return what reads an option that is a text, such as a name, of something."""

    def read(text: str) -> str:
        """Read it.

        Raises:
            typer.BadParameter: there is nothing in it.
        """
        if not text.strip():
            raise typer.BadParameter(f"it is empty; give {what}")
        return text

    return read


def one_of(choices: Sequence[str]) -> Callable[[str], str]:
    """Return what reads an option that is one of a few words, in upper or lower case."""

    def read(text: str) -> str:
        """Read it.

        Raises:
            typer.BadParameter: it is none of them.
        """
        word = text.strip().lower()
        if word not in choices:
            raise typer.BadParameter(f"{text!r} is not one of {listed(choices)}")
        return word

    return read


def listed(choices: Sequence[str]) -> str:
    """Return a few words as a list that ends with `or`."""
    return f"{', '.join(choices[:-1])} or {choices[-1]}"


def file_named(text: str) -> Path:
    """Read an option that is the path of a file.

    Raises:
        typer.BadParameter: there can be no such path.
    """
    if not text.strip():
        raise typer.BadParameter("it is empty; give the path of a file")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        user = text.partition("/")[0]
        raise typer.BadParameter(f"{user!r} is nobody's home; write the path out") from None
