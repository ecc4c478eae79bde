"""What `--model` and `--tool` say, understood before anything that takes long to import."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import typer

from .._terminal.exit import bad_value
from .own import Own

if TYPE_CHECKING:
    from collections.abc import Iterable

ECHO: Final = "echo"
MODEL: Final = "--model"
MODEL_NAME: Final = "--model-name"
TOOL: Final = "--tool"
_N: Final = "--n"
_EXAMPLE: Final = "http://127.0.0.1:8000/v1"


@dataclass(frozen=True, slots=True)
class Echo:
    """The echo model, answering with *n* characters, or all where it is `None`."""

    n: int | None


@dataclass(frozen=True, slots=True)
class File:
    """A GGUF file."""

    path: Path


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible endpoint, and the name of the model to ask it for."""

    url: str
    model_name: str


ModelChoice: TypeAlias = Echo | File | Endpoint | Own


def choose_model(spec: str, *, n: int | None = None, model_name: str | None = None) -> ModelChoice:
    """Understand *spec*: `echo`, the path of a GGUF file, an address, or `MODULE:NAME`.

    Args:
        spec: What `--model` says.
        n: What `--n` says.
        model_name: What `--model-name` says.

    Raises:
        typer.BadParameter: *spec* can be no model, or another option is not for it.
    """
    is_address = "://" in spec
    if n is not None and spec != ECHO:
        raise bad_value(_N, f"only {MODEL} {ECHO} has it")
    if model_name is not None and not is_address:
        raise bad_value(MODEL_NAME, f"only an endpoint has it, such as {MODEL} {_EXAMPLE}")
    if spec == ECHO:
        return Echo(_at_least_0(n))
    if is_address:
        return Endpoint(spec, _given(model_name))
    return Own.parse(spec, MODEL) or _file(spec)


def choose_tools(specs: Iterable[str]) -> list[Own]:
    """Understand each of *specs*: `MODULE:NAME`.

    Raises:
        typer.BadParameter: One of them is something else.
    """
    return [_own_tool(spec) for spec in specs]


def whole_number(text: str) -> int:
    """Read the number of an option.

    Raises:
        typer.BadParameter: *text* is none.
    """
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no whole number") from None


def _own_tool(spec: str) -> Own:
    chosen = Own.parse(spec, TOOL)
    if chosen is None:
        raise bad_value(TOOL, f"{spec!r} is not MODULE:NAME, such as tools:search for a tools.py")
    return chosen


def _at_least_0(n: int | None) -> int | None:
    if n is not None and n < 0:
        raise bad_value(_N, f"{n} is less than 0")
    return n


def _given(model_name: str | None) -> str:
    if not model_name or model_name.isspace():
        raise bad_value(MODEL_NAME, "it is missing; say which of the endpoint's models to ask")
    return model_name


def _file(spec: str) -> File:
    path = Path(spec).expanduser()
    if not path.is_file():
        raise bad_value(MODEL, _missing(spec, path))
    return File(path)


def _missing(spec: str, path: Path) -> str:
    if path.is_dir():
        return f"{spec!r} is a folder; give a GGUF file in it"
    if path.suffix or path.parent != Path():
        return f"there is no file {spec!r}"
    return (
        f"{spec!r} is neither {ECHO!r}, nor the path of a GGUF file, nor MODULE:NAME, "
        f"nor an address such as {_EXAMPLE}"
    )
