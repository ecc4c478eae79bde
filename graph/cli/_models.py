"""From a choice to a chat model."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import cast

from ...model import EchoChatModel, LlamaCppChatModel, ModelFileError
from .._chat_model import ChatModel, require_chat_model
from ._model_choice import Echo, File, ModelChoice, Own, bad_model


def make_model(choice: ModelChoice) -> ChatModel:
    """Make the chat model that was chosen.

    Raises:
        typer.BadParameter: The choice is none after all.
        MissingExtraError: What runs GGUF files is not installed.
    """
    match choice:
        case Echo(n):
            return EchoChatModel(n=n)
        case File(path):
            return _local(path)
        case Own(module, name):
            return _own(module, name)


def _local(path: Path) -> ChatModel:
    try:
        return LlamaCppChatModel(model_path=str(path))
    except ModelFileError as error:
        raise bad_model(str(error)) from error


def _own(module: str, name: str) -> ChatModel:
    found = getattr(_imported(module), name, None)
    if found is None:
        raise bad_model(f"the module {module!r} has no {name!r}")
    model = found() if callable(found) else found
    try:
        require_chat_model(model)
    except TypeError as error:
        raise bad_model(f"'{module}:{name}': {error}") from error
    return cast("ChatModel", model)


def _imported(module: str) -> ModuleType:
    """Import *module*, from the current folder first, as `python -m` does."""
    sys.path.insert(0, str(Path.cwd()))
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name and module.startswith(error.name):
            raise bad_model(f"there is no module {error.name!r}") from error
        raise
