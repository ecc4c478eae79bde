"""A model's secrets: which values they are, and a model that keeps them to itself."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

from langchain_core.language_models.chat_models import BaseChatModel
from pydantic import SecretBytes, SecretStr

from ._names import spelled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_core.load.serializable import SerializedConstructor, SerializedNotImplemented

_CREDENTIAL_NAME: Final = re.compile(
    r"(^|[_-])(api[_-]?key|secret|secret[_-]?key|access[_-]?key|password|passwd|token|"
    r"credentials?|authorization|cookie)$",
    re.IGNORECASE,
)
_SECRETS: Final = (SecretStr, SecretBytes)


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


def without_secrets(value: Any, name: Any = "") -> Any:
    """Take what is secret out of a dictionary, at any depth; leave other values alone."""
    if not isinstance(value, dict):
        return value
    return {
        key: without_secrets(inner, key)
        for key, inner in value.items()
        if not _is_secret(key, inner, within=name)
    }


def _is_secret(name: Any, value: Any, within: Any = "") -> bool:
    # In a JSON schema it is the name of a property, and the value says of which type that is.
    is_schema = within == "properties" and isinstance(value, dict)
    has_credential_name = not is_schema and _CREDENTIAL_NAME.search(str(name))
    return isinstance(value, _SECRETS) or bool(has_credential_name)


class SecretKeeping(BaseChatModel):
    """A chat model whose secrets are in no representation of it.

    Secret are fields of pydantic's secret types, fields with the name of a credential, and
    such values inside dictionaries.
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
            hidden = name in secret and value is not None
            yield name, "**********" if hidden else without_secrets(value)
