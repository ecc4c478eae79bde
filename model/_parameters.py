"""A model's parameters: the declared ones, the secret ones, and how a call changes them."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, Final

from langchain_core.language_models.chat_models import BaseChatModel
from pydantic import SecretBytes, SecretStr, ValidationError

from ._errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic.fields import FieldInfo

STANDARD: Final = frozenset(
    {"api_key", "base_url", "max_retries", "max_tokens", "model", "stop", "temperature", "timeout"}
)
"""LangChain's standard parameters: accepted by every model, so that models can be exchanged
for one another, and without effect on a model that does not declare them.
https://docs.langchain.com/oss/python/langchain/models#parameters
"""

_CREDENTIAL_NAME: Final = re.compile(
    r"(^|[_-])(api[_-]?key|secret|secret[_-]?key|access[_-]?key|password|passwd|token|"
    r"credentials?|authorization|cookie)$",
    re.IGNORECASE,
)
_SECRETS: Final = (SecretStr, SecretBytes)


def declared_fields(model_class: type[BaseChatModel]) -> dict[str, FieldInfo]:
    """Find the fields that were added to LangChain's own, but for those that are excluded."""
    theirs = BaseChatModel.model_fields
    fields = model_class.model_fields.items()
    return {name: info for name, info in fields if name not in theirs and not info.exclude}


def secret_fields(model_class: type[BaseChatModel]) -> frozenset[str]:
    """Find the fields that hold a secret by their type or by their name."""
    return frozenset(
        name
        for name, info in model_class.model_fields.items()
        # By its spelling, because an annotation may not be resolved yet.
        if _CREDENTIAL_NAME.search(name) or "Secret" in repr(info.annotation)
    )


def public_values(values: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Keep what is set and not secret, at any depth of dictionaries."""
    return {
        name: without_secrets(value)
        for name, value in values
        if value is not None and not _is_secret(name, value)
    }


def without_secrets(value: Any) -> Any:
    """Take what is secret out of a dictionary, at any depth; leave other values alone."""
    if not isinstance(value, dict):
        return value
    return {
        key: without_secrets(inner) for key, inner in value.items() if not _is_secret(key, inner)
    }


def _is_secret(name: Any, value: Any) -> bool:
    return isinstance(value, _SECRETS) or bool(_CREDENTIAL_NAME.search(str(name)))


def check_names(model: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse names that nobody declared.

    Raises:
        BadRequestError: It names what was given, and what may have been meant.
    """
    known = sorted({*known, *STANDARD})
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(known)}"
            raise BadRequestError(f"{model} has no parameter {name!r}; {meant}")


def override(model: Any, values: Mapping[str, Any]) -> Any:
    """Make a copy of a model with some fields changed, validated as at its construction.

    Raises:
        BadRequestError: If a value is not valid for its field; it names both.
    """
    copy = model.model_copy()
    copy.__dict__.pop("_serialized", None)  # core's cache, of the model before the change
    for name, value in values.items():
        try:
            type(model).__pydantic_validator__.validate_assignment(copy, name, value)
        except ValidationError as error:
            secret = name in secret_fields(type(model))
            shown = "the given value" if secret else repr(value)
            raise BadRequestError(
                f"{type(model).__name__}: {shown} is not a valid {name}: {error.errors()[0]['msg']}"
            ) from (None if secret else error)
    return copy
