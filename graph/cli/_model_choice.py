"""What `--model` says, understood before anything that takes long to import."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import typer

ECHO: Final = "echo"
_OWN: Final = re.compile(r"([^\W\d][\w.]*):([^\W\d]\w*)")


@dataclass(frozen=True, slots=True)
class Echo:
    """The echo model, answering with *n* characters, or all where it is `None`."""

    n: int | None


@dataclass(frozen=True, slots=True)
class File:
    """A GGUF file."""

    path: Path


@dataclass(frozen=True, slots=True)
class Own:
    """A model of the user's own: an instance, or a class or function that makes one."""

    module: str
    name: str


ModelChoice: TypeAlias = Echo | File | Own


def choose_model(spec: str, n: int | None = None) -> ModelChoice:
    """Understand *spec*: `echo`, the path of a GGUF file, or `MODULE:NAME`.

    Args:
        spec: What `--model` says.
        n: What `--n` says.

    Raises:
        typer.BadParameter: *spec* can be no model, or *n* is not for it.
    """
    if spec == ECHO:
        return Echo(_at_least_0(n))
    if n is not None:
        raise typer.BadParameter(f"only --model {ECHO} has it, not {spec!r}", param_hint="'--n'")
    if own := _OWN.fullmatch(spec):
        return Own(*own.groups())
    path = Path(spec).expanduser()
    if not path.is_file():
        raise bad_model(_missing(spec, path))
    return File(path)


def bad_model(message: str) -> typer.BadParameter:
    """Make the error that says what is wrong with `--model`."""
    return typer.BadParameter(message, param_hint="'--model'")


def _at_least_0(n: int | None) -> int | None:
    if n is not None and n < 0:
        raise typer.BadParameter(f"{n} is less than 0", param_hint="'--n'")
    return n


def _missing(spec: str, path: Path) -> str:
    if path.is_dir():
        return f"{spec!r} is a folder; give a GGUF file in it"
    if path.suffix or path.parent != Path():
        return f"there is no file {spec!r}"
    return f"{spec!r} is neither {ECHO!r}, nor the path of a GGUF file, nor MODULE:NAME"
