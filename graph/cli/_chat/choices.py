"""What the options say, understood before anything that takes long to import."""

from __future__ import annotations

import os
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import typer

from .._terminal.exit import bad_value
from .own import Own

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ECHO: Final = "echo"
MODEL: Final = "--model"
MODEL_NAME: Final = "--model-name"
TOOL: Final = "--tool"
GRAPH: Final = "--graph"
_MAX_TOKENS: Final = "--max-tokens"
_N: Final = "--n"
# Servers hold such a number in 32 bits.
_MOST_TOKENS: Final = 2**31 - 1
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


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent of the command's own, of a *model* and *tools*."""

    model: ModelChoice
    tools: tuple[Own, ...]
    max_tokens: int | None


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph of the user's."""

    place: Own


@dataclass(frozen=True, slots=True)
class Measures:
    """What telemetry is to go by: a file of *prices*, and from when on a wait is a stall."""

    prices: str | None = None
    stall_threshold: float | None = None


ModelChoice: TypeAlias = Echo | File | Endpoint | Own


def choose_graph(spec: str, others: Mapping[str, object]) -> Graph:
    """Understand *spec*: `MODULE:NAME`.

    Args:
        spec: What `--graph` says.
        others: What other options say of a model, by their names; None where they say nothing.

    Raises:
        typer.BadParameter: *spec* is something else, or another option is given beside it.
    """
    for option, value in others.items():
        if value is not None:
            raise bad_value(option, f"a graph of your own has its own: {GRAPH} is asked as it is")
    place = Own.parse(spec, GRAPH)
    if place is None:
        raise bad_value(GRAPH, f"{spec!r} is not MODULE:NAME, such as my_app:agent for a my_app.py")
    return Graph(place)


def choose_agent(
    spec: str, tools: Iterable[str], *, n: int | None, model_name: str | None, tokens: int | None
) -> Agent:
    """Understand what is said of the model and its tools; see `choose_model`."""
    model = choose_model(spec, n=n, model_name=model_name)
    if tokens is not None and isinstance(model, Echo):
        raise bad_value(_MAX_TOKENS, f"{ECHO} has no tokens to save; {_N} says how much it echoes")
    if tokens is not None and tokens < 1:
        raise bad_value(_MAX_TOKENS, f"{tokens} is less than 1")
    if tokens is not None and tokens > _MOST_TOKENS:
        raise bad_value(_MAX_TOKENS, f"{tokens} is more than {_MOST_TOKENS:,}")
    return Agent(model, tuple(choose_tools(tools)), tokens)


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


def seconds(text: str) -> float:
    """Read the duration of an option.

    Raises:
        typer.BadParameter: *text* is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < inf:
        raise typer.BadParameter(f"{text!r} is no number of seconds above 0")
    return value


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
    path = Path(os.path.expanduser(spec))  # noqa: PTH111 - what is nobody's home it leaves as it is
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
