"""From what `--model` says to a chat model."""

import re
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final, cast

import typer

from ...model import EchoChatModel, LlamaCppChatModel, ModelFileError
from .._chat_model import ChatModel, require_chat_model

ECHO: Final = "echo"
_OWN: Final = re.compile(r"(?P<module>[^\W\d][\w.]*):(?P<name>[^\W\d]\w*)")


def chat_model(spec: str, *, n: int | None = None) -> ChatModel:
    """Make the chat model that *spec* names.

    Args:
        spec: `echo`; the path of a GGUF file; or `MODULE:NAME`, somebody's own model, where NAME
            is an instance, or a class or function that makes one without arguments.
        n: How many characters the echo model answers with; `None` for all.

    Raises:
        typer.BadParameter: *spec* names no model, or *n* is not for it.
        MissingExtraError: What runs GGUF files is not installed.
    """
    if spec == ECHO:
        return _echo(n)
    if n is not None:
        raise typer.BadParameter(f"only --model {ECHO} has it, not {spec!r}", param_hint="'--n'")
    if own := _OWN.fullmatch(spec):
        return _own(spec, **own.groupdict())
    return _local(spec)


def _echo(n: int | None) -> ChatModel:
    if n is not None and n < 0:
        raise typer.BadParameter(f"{n} is less than 0", param_hint="'--n'")
    return EchoChatModel(n=n)


def _own(spec: str, *, module: str, name: str) -> ChatModel:
    found = getattr(_imported(module, spec), name, None)
    if found is None:
        raise _bad_model(f"the module {module!r} has no {name!r}")
    model = found() if callable(found) else found
    try:
        require_chat_model(model)
    except TypeError as error:
        raise _bad_model(f"{spec!r}: {error}") from error
    return cast("ChatModel", model)


def _imported(module: str, spec: str) -> ModuleType:
    """Import *module*, from the current folder first, as `python -m` does."""
    sys.path.insert(0, str(Path.cwd()))
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name and module.startswith(error.name):
            raise _bad_model(f"for {spec!r}: there is no module {error.name!r}") from error
        raise


def _local(spec: str) -> ChatModel:
    path = Path(spec).expanduser()
    if not path.is_file():
        raise _bad_model(_missing(spec, path))
    try:
        return LlamaCppChatModel(model_path=str(path))
    except ModelFileError as error:
        raise _bad_model(str(error)) from error


def _missing(spec: str, path: Path) -> str:
    if path.is_dir():
        return f"{spec!r} is a folder; give a GGUF file in it"
    if path.suffix or path.parent != Path():
        return f"there is no file {spec!r}"
    return f"{spec!r} is neither {ECHO!r}, nor the path of a GGUF file, nor MODULE:NAME"


def _bad_model(message: str) -> typer.BadParameter:
    return typer.BadParameter(message, param_hint="'--model'")
