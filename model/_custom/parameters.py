"""A model's parameters: which there are, and how a call changes them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final

from langchain_core.language_models.chat_models import BaseChatModel
from pydantic import AliasChoices, AliasPath, ValidationError

from .._errors import BadRequestError
from .._upstream import assign, forget_cached
from .secrets import secret_fields, without_secrets

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


def declared_fields(model_class: type[BaseChatModel]) -> dict[str, FieldInfo]:
    """Find the fields that were added to LangChain's own."""
    theirs = BaseChatModel.model_fields
    return {name: info for name, info in model_class.model_fields.items() if name not in theirs}


def aliases_of(model_class: type[BaseChatModel]) -> dict[str, str]:
    """Find the other names that fields can be given by, and the fields' own."""
    return {
        alias: name
        for name, info in declared_fields(model_class).items()
        for alias in (info.alias, *_names_in(info.validation_alias))
        if alias and alias != name
    }


def _names_in(alias: str | AliasChoices | AliasPath | None) -> list[str]:
    if isinstance(alias, AliasChoices):
        return [name for choice in alias.choices for name in _names_in(choice)]
    if isinstance(alias, AliasPath):  # of what is given by that name, it takes a part
        return []
    return [alias] if alias else []


def check_once(model: str, given: Iterable[str], aliases: Mapping[str, str]) -> None:
    """Refuse a parameter that is given by two of its names, of which one would be ignored.

    Raises:
        BadRequestError: It names both.
    """
    seen: dict[str, str] = {}
    for name in given:
        field = aliases.get(name, name)
        if field in seen:
            raise BadRequestError(
                f"{model}: {seen[field]!r} and {name!r} are the same parameter; give one of them"
            )
        seen[field] = name


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
    forget_cached(copy)
    for name, value in values.items():
        try:
            assign(copy, name, value)
        except ValidationError as error:
            secret = name in secret_fields(type(model))
            shown = "the given value" if secret else repr(without_secrets(value))
            raise BadRequestError(
                f"{type(model).__name__}: {shown} is not a valid {name}: {error.errors()[0]['msg']}"
            ) from (None if secret else error)
    return copy
