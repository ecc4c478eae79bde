"""From a choice to a chat model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from pydantic import ValidationError

from ....model import (
    EchoChatModel,
    LlamaCppChatModel,
    ModelFileError,
    OpenAICompatibleChatModel,
)
from ..._chat_model import require_chat_model
from .._terminal.exit import bad_value
from .choices import MODEL, MODEL_NAME, Echo, Endpoint, File
from .own import Own

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..._chat_model import ChatModel
    from .choices import ModelChoice

_SOURCES: Final = {
    "base_url": MODEL,
    "model_name": MODEL_NAME,
    "api_key": "OPENAI_API_KEY",
}
"""Where the command has a parameter of an endpoint from."""

# A small model may never come to an end; a few paragraphs are an answer.
_MAX_TOKENS: Final = 512


def make_model(choice: ModelChoice, max_tokens: int | None = None) -> ChatModel:
    """Make the chat model that was chosen.

    Args:
        choice: Which.
        max_tokens: How many an answer may have; `None` where that is not said.

    Raises:
        typer.BadParameter: The choice is none after all.
        MissingExtraError: What the model needs is not installed.
    """
    match choice:
        case Echo(n):
            return EchoChatModel(n=n)
        case File(path):
            return _local(path, max_tokens or _MAX_TOKENS)
        case Endpoint(url, model_name):
            return _remote(url, model_name, max_tokens)
        case Own():
            own = _own(choice)
            return own if max_tokens is None else own.bind(max_tokens=max_tokens)


def _local(path: Path, max_tokens: int) -> ChatModel:
    try:
        return LlamaCppChatModel(model_path=str(path), max_tokens=max_tokens)
    except ModelFileError as error:
        raise bad_value(MODEL, str(error)) from error


def _remote(url: str, model_name: str, max_tokens: int | None) -> ChatModel:
    try:
        return OpenAICompatibleChatModel(base_url=url, model_name=model_name, max_tokens=max_tokens)
    except ValidationError as error:
        # Without the value, which may be a key, or an address that holds one.
        place, message = _first(error)
        raise bad_value(_SOURCES.get(place, MODEL), message) from None


def _own(choice: Own) -> ChatModel:
    found = choice.load()
    model = _made(choice, found) if callable(found) else found
    try:
        require_chat_model(model)
    except TypeError as error:
        raise choice.bad(f"'{choice}': {error}") from error
    return cast("ChatModel", model)


def _made(choice: Own, maker: Callable[[], object]) -> object:
    try:
        return maker()
    except (TypeError, ValidationError) as error:
        if not isinstance(maker, type):
            raise
        said = ": ".join(_first(error)) if isinstance(error, ValidationError) else str(error)
        raise choice.bad(
            f"'{choice}' cannot be made without arguments ({said}); name one that you have made"
        ) from error


def _first(error: ValidationError) -> tuple[str, str]:
    """Return the first field that is wrong, and what is wrong with it."""
    first = error.errors(include_url=False, include_input=False)[0]
    return ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
