"""A model's secrets: which values they are, and a model that keeps them to itself."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

from langchain_core.language_models.chat_models import BaseChatModel
from pydantic import BaseModel, SecretBytes, SecretStr

from .._names import spelled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_core.load.serializable import SerializedConstructor, SerializedNotImplemented

_CREDENTIAL_NAME: Final = re.compile(
    r"(^|[_-])(api[_-]?key|secret|secret[_-]?key|access[_-]?key|password|passwd|token|"
    r"credentials?|authorization|cookie)$",
    re.IGNORECASE,
)
_SECRETS: Final = (SecretStr, SecretBytes)
_COLLECTIONS: Final = (list, tuple, set, frozenset)
_CONTAINERS: Final = (dict, BaseModel, *_COLLECTIONS)
_DEEPEST: Final = 10


def secret_fields(model_class: type[BaseChatModel]) -> frozenset[str]:
    """Find the fields that hold a secret by their type or by their name."""
    return frozenset(
        name
        for name, info in model_class.model_fields.items()
        # By its spelling, because an annotation may not be resolved yet.
        if _CREDENTIAL_NAME.search(name) or "Secret" in repr(info.annotation)
    )


def public_values(values: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Keep what is set and not secret, at any depth."""
    return {
        name: without_secrets(value)
        for name, value in values
        if value is not None and not _is_secret(name, value)
    }


def without_secrets(value: Any, name: Any = "", depth: int = _DEEPEST) -> Any:
    """Take what is secret out of a value, also out of collections and pydantic models in it.

    What holds no secret stays the object that it is. A secret itself becomes `None`, and so
    does what holds one deeper than anybody looks, such as a ring of references.
    """
    if not _holds_secret(value, name):
        return value
    if depth == 0 or isinstance(value, _SECRETS):
        return None
    kept = [
        (key, without_secrets(inner, key, depth - 1))
        for key, inner in _named(value)
        if not _is_secret(key, inner, within=name)
    ]
    return _rebuilt(value, kept)


def _rebuilt(value: Any, kept: list[tuple[Any, Any]]) -> Any:
    if isinstance(value, dict):
        return dict(kept)
    if isinstance(value, BaseModel):
        # A field cannot be left out, only be empty.
        now = {**dict.fromkeys(name for name, _ in _named(value)), **dict(kept)}
        return value.model_copy(update={k: now[k] for k, v in _named(value) if now[k] is not v})
    kind = next(kind for kind in _COLLECTIONS if isinstance(value, kind))
    return kind(inner for _, inner in kept)


def _holds_secret(value: Any, name: Any) -> bool:
    if isinstance(value, _SECRETS):
        return True
    pending, seen = [(name, value)], set()
    while pending:
        within, outer = pending.pop()
        for key, inner in _named(outer):
            if _is_secret(key, inner, within=within):
                return True
            # A ring of references is gone round once.
            if isinstance(inner, _CONTAINERS) and (id(inner), key == "properties") not in seen:
                seen.add((id(inner), key == "properties"))
                pending.append((key, inner))
    return False


def _named(value: Any) -> Iterable[tuple[Any, Any]]:
    """List what a value holds, with the names that it has there, if any."""
    if isinstance(value, dict):
        return value.items()
    if isinstance(value, _COLLECTIONS):
        return (("", inner) for inner in value)
    if isinstance(value, BaseModel) and not isinstance(value, SecretKeeping):
        return {**vars(value), **(value.model_extra or {})}.items()
    return ()


def _is_secret(name: Any, value: Any, within: Any = "") -> bool:
    # In a JSON schema it is the name of a property, and the value says of which type that is.
    is_schema = within == "properties" and isinstance(value, dict)
    is_credential = value is not None and not is_schema and _CREDENTIAL_NAME.search(str(name))
    return isinstance(value, _SECRETS) or bool(is_credential)


class SecretKeeping(BaseChatModel):
    """A chat model whose secrets are in no representation of it.

    Secret are fields of pydantic's secret types, fields with the name of a credential, and
    such values inside dictionaries, lists and pydantic models.
    """

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Whether LangChain may serialize the model: always, without its secrets."""
        return True

    def to_json(self) -> SerializedConstructor | SerializedNotImplemented:
        """Serialize the model without secrets, also those inside its mappings."""
        serialized = super().to_json()
        if serialized["type"] == "constructor":
            kwargs = serialized["kwargs"]
            serialized["kwargs"] = {name: without_secrets(kwargs[name]) for name in kwargs}
        return serialized

    def __getstate__(self) -> dict[Any, Any]:
        """Pickle the model without its secrets; who loads it reads them as `lc_secrets` says."""
        state = super().__getstate__()
        secret = secret_fields(type(self))
        values = state["__dict__"].items()
        kept = {name: without_secrets(value) for name, value in values if name not in secret}
        return {**state, "__dict__": kept}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        for name, variable in self.lc_secrets.items():
            field = type(self).model_fields[name]
            value: Any = os.environ.get(variable, field.get_default(call_default_factory=True))
            is_text = isinstance(value, str) and "Secret" in repr(field.annotation)
            self.__dict__[name] = SecretStr(value) if is_text else value

    @property
    def lc_secrets(self) -> dict[str, str]:
        """The environment variable that each secret parameter is read from when it is loaded."""
        prefix = spelled(type(self).__name__, "_")
        return {name: f"{prefix}_{name}".upper() for name in secret_fields(type(self))}

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Leave secrets out, also those that are not typed as such."""
        secret = secret_fields(type(self))
        for name, value in super().__repr_args__():
            hidden = value is not None and (name in secret or isinstance(value, _SECRETS))
            yield name, "**********" if hidden else without_secrets(value)
