"""The names of LangChain's and pydantic's that they do not promise to keep.

Each function says what happens without the name that it asks for.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.chat_models import BaseChatModel

if TYPE_CHECKING:
    from collections.abc import Mapping

# What core keeps in a model once it is made; a model that is changed must not keep it.
_CACHED: Final = frozenset(
    name
    for kind in BaseChatModel.__mro__
    for name, value in vars(kind).items()
    if isinstance(value, cached_property)
)


def forget_cached(model: BaseChatModel) -> None:
    """Have core make anew what it keeps of a model: how it is serialized."""
    for name in _CACHED:
        model.__dict__.pop(name, None)


def assign(model: BaseChatModel, name: str, value: Any) -> None:
    """Change one field of a model, validated as at its construction.

    Without pydantic's validator of a class, the model is validated as a whole.

    Raises:
        ValidationError: The value is not valid for the field.
    """
    validator = getattr(type(model), "__pydantic_validator__", None)
    if validator is not None:
        validator.validate_assignment(model, name, value)
        return
    kind = type(model)
    names = {*model.model_fields_set, name}
    given = {each: value if each == name else getattr(model, each) for each in names}
    aliased = {kind.model_fields[each].alias or each: value for each, value in given.items()}
    model.__dict__[name] = getattr(kind.model_validate(aliased), name)
    model.__pydantic_fields_set__.add(name)


def streaming_disabled(above: Any, kwargs: Mapping[str, Any]) -> bool:
    """Say whether core does not stream a call; without its answer, that it does.

    Args:
        above: `super()` of a model.
        kwargs: of the call.
    """
    ask = getattr(above, "_streaming_disabled", None)
    return ask is not None and bool(ask(**kwargs))


def ls_params(above: Any, stop: list[str] | None, kwargs: Mapping[str, Any]) -> LangSmithParams:
    """Return what core tells traces of a model; without that, what every model is.

    Args:
        above: `super()` of a model.
        stop: strings of the call.
        kwargs: of the call.
    """
    ask = getattr(above, "_get_ls_params", None)
    if ask is None:
        return LangSmithParams(ls_model_type="chat")
    params: LangSmithParams = ask(stop=stop, **kwargs)
    return params


def invocation_params(
    above: Any, model: BaseChatModel, stop: list[str] | None, kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a call is made with, for callbacks; without core's, what identifies the model.

    Args:
        above: `super()` of a model.
        model: that is called.
        stop: strings of the call.
        kwargs: of the call.
    """
    ask = getattr(above, "_get_invocation_params", None)
    if ask is None:
        return {**model._identifying_params, "stop": stop, **kwargs}  # noqa: SLF001 - as core does
    params: dict[str, Any] = ask(stop=stop, **kwargs)
    return params
