"""A model's secrets: which values they are, and a model that keeps them to itself."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from langchain_core.language_models.chat_models import BaseChatModel
from pydantic import BaseModel, SecretBytes, SecretStr

from .._errors import AuthenticationError
from .._names import spelled
from .credentials import is_credential_key, key_of_named, names_next, without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from langchain_core.load.serializable import SerializedConstructor, SerializedNotImplemented

_SECRETS: Final = (SecretStr, SecretBytes)
_COLLECTIONS: Final = (list, tuple, set, frozenset)
_CONTAINERS: Final = (dict, BaseModel, str, *_COLLECTIONS)
_DEEPEST: Final = 10
_HIDDEN: Final = "**********"
# In a pickle: which secrets there were, and whether whoever loads it has them by default.
_STATE_KEY: Final = "nodespan_secrets"
# Not among private attributes, by which pydantic tells models apart.
_MISSING: Final = "_missing_secrets"


class EnvironmentSecret(SecretStr):
    """A secret that nobody gave to the model: it was found in the environment.

    It is asked for there again by whoever loads the model, and knows wherever it is passed on
    that it was not given for the model's address.
    """


@dataclass(frozen=True, slots=True)
class Lost:
    """Stands where a secret was when its holder was pickled.

    Args:
        name: What the secret is called.
    """

    name: str


def secret_fields(model_class: type[BaseChatModel]) -> frozenset[str]:
    """Find the fields that hold a secret by their type or by their name."""
    return frozenset(
        name
        for name, info in model_class.model_fields.items()
        # By its spelling, because an annotation may not be resolved yet.
        if (is_credential_key(name) and info.annotation is not bool)
        or "Secret" in repr(info.annotation)
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
    does what holds one deeper than anybody looks, such as a ring of references; of a text with
    a credential in it, the credential is replaced.
    """
    if not _holds_secret(value, name):
        return value
    if depth == 0 or isinstance(value, _SECRETS):
        return None
    if isinstance(value, str):
        return without_credentials(value)
    kept = [
        (key, without_secrets(inner, key, depth - 1))
        for key, named, inner in _entries(value)
        if not _is_secret(named, inner, within=name)
    ]
    return _rebuilt(value, kept)


class HiddenText(str):
    """A text with a credential in it that is one like any other, but for how it is shown."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(_HIDDEN)

    def __getitem__(self, index: Any) -> str:
        """Return a part, as those show it who shorten what they show."""
        return HiddenText(super().__getitem__(index))


def hidden_arguments(
    model_class: type[BaseChatModel], given: dict[str, Any], depth: int = 0
) -> dict[str, Any]:
    """Wrap the secrets among arguments, so that no traceback shows them.

    Args:
        model_class: The class whose arguments they are.
        given: The arguments.
        depth: How deep to look into containers, which are copied where there is something.
    """
    fields = model_class.model_fields
    return {
        name: with_hidden_texts(
            _wrapped(value, repr(fields[name].annotation) if name in fields else ""), name, depth
        )
        for name, value in given.items()
    }


def hidden_in_call(model_class: type[BaseChatModel], given: dict[str, Any]) -> dict[str, Any]:
    """Wrap the secrets among a call's arguments, at any depth."""
    return hidden_arguments(model_class, given, _DEEPEST)


def with_hidden_texts(value: Any, name: Any = "", depth: int = _DEEPEST) -> Any:
    """Hide the texts with a credential in them that a value holds."""
    if type(value) is str:
        is_hidden = _is_secret(name, value) or without_credentials(value) is not value
        return HiddenText(value) if is_hidden else value
    if type(value) not in (dict, *_COLLECTIONS) or depth == 0 or not _holds_secret(value, name):
        return value
    entries = (
        (key, with_hidden_texts(inner, named, depth - 1)) for key, named, inner in _entries(value)
    )
    return dict(entries) if type(value) is dict else type(value)(inner for _, inner in entries)


def require_found(model_class: type[BaseChatModel], given: Mapping[str, Any]) -> None:
    """Ask for what was lost when what holds a model's parameters was pickled, as a config does.

    Raises:
        AuthenticationError: If a secret is missing; it names it.
    """
    missing = sorted(name for name, value in given.items() if isinstance(value, Lost))
    if missing:
        raise AuthenticationError(
            f"{model_class.__name__}: what gives it {', '.join(missing)} was pickled, and pickles "
            "hold no secrets: give a config with it again"
        )


def _wrapped(value: Any, annotation: str) -> Any:
    """Wrap each text in a value for a field of that *annotation*, if it is one of secrets."""
    if "SecretStr" not in annotation and "SecretBytes" not in annotation:
        return value
    if type(value) is dict:
        return {key: _wrapped(inner, annotation) for key, inner in value.items()}
    if type(value) in _COLLECTIONS:
        return type(value)(_wrapped(inner, annotation) for inner in value)
    return _secret(value, annotation) if type(value) in (str, bytes) else value


def _secret(value: str | bytes, annotation: str) -> SecretStr | SecretBytes:
    """Wrap a text as what the field takes; what cannot be that is refused by the field."""
    if isinstance(value, str):
        is_text = "SecretStr" in annotation
        return SecretStr(value) if is_text else SecretBytes(value.encode(errors="replace"))
    return SecretBytes(value) if "SecretBytes" in annotation else _decoded(value)


def _decoded(value: bytes) -> SecretStr | SecretBytes:
    try:
        return SecretStr(value.decode())
    except UnicodeDecodeError:
        return SecretBytes(value)


def _rebuilt(value: Any, kept: list[tuple[Any, Any]]) -> Any:
    if isinstance(value, dict):
        return dict(kept)
    if isinstance(value, BaseModel):
        # A field cannot be left out, only be empty.
        entries = {key: inner for key, _, inner in _entries(value)}
        now = {**dict.fromkeys(entries), **dict(kept)}
        return value.model_copy(update={k: now[k] for k, v in entries.items() if now[k] is not v})
    kind = next(kind for kind in _COLLECTIONS if isinstance(value, kind))
    return kind(inner for _, inner in kept)


def _holds_secret(value: Any, name: Any) -> bool:
    if isinstance(value, _SECRETS):
        return True
    pending, seen = [(name, value)], set()
    while pending:
        within, outer = pending.pop()
        if isinstance(outer, str):
            if without_credentials(outer) is not outer:
                return True
            continue
        for key, named, inner in _entries(outer):
            if _is_secret(named, inner, within=within):
                return True
            # A ring of references is gone round once.
            if isinstance(inner, _CONTAINERS) and (id(inner), key == "properties") not in seen:
                seen.add((id(inner), key == "properties"))
                pending.append((key, inner))
    return False


def _entries(value: Any) -> Iterator[tuple[Any, Any, Any]]:
    """List what a value holds: the key of each, what it is called, and the thing itself."""
    if isinstance(value, _COLLECTIONS):
        before: Any = ""
        for inner in value:
            yield "", before, inner
            is_named = not before and names_next(inner, len(value))
            before = inner if is_named else ""
        return
    named = _named(value)
    of_credential = key_of_named(named.items()) if named else None
    for key, inner in named.items():
        is_pair = of_credential is not None and key == of_credential
        # The name of a pair is a word for it, and no secret.
        yield key, ("password" if is_pair else "" if _names(key, of_credential) else key), inner


def _names(key: Any, of_credential: str | None) -> bool:
    return of_credential is not None and key == "key"


def _named(value: Any) -> Mapping[Any, Any]:
    """List what a value holds by names, if it does."""
    if isinstance(value, dict):
        return value
    if isinstance(value, BaseModel) and not isinstance(value, SecretKeeping):
        return {**vars(value), **(value.model_extra or {})}
    return {}


def _is_secret(name: Any, value: Any, within: Any = "") -> bool:
    # In a JSON schema it is the name of a property, and the value says of which type that is.
    is_schema = within == "properties" and isinstance(value, dict)
    if isinstance(value, _SECRETS):
        return True
    says_nothing = value is None or isinstance(value, bool)
    return not (says_nothing or is_schema) and is_credential_key(str(name))


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
            found = {n for n, v in vars(self).items() if isinstance(v, EnvironmentSecret)}
            serialized["kwargs"] = {
                name: without_secrets(kwargs[name]) for name in kwargs if name not in found
            }
            if isinstance(named := serialized.get("name"), str):
                serialized["name"] = without_credentials(named)
        return serialized

    def __getstate__(self) -> dict[Any, Any]:
        """Pickle the model without its secrets; those that were given are asked for again."""
        state = super().__getstate__()
        secret = secret_fields(type(self))
        values = {name: value for name, value in state["__dict__"].items() if name != _MISSING}
        kept = {name: without_secrets(values[name]) for name in values if name not in secret}
        lost = {name: left for name, left in self._missing.items() if values.get(name) is left}
        changed = {name: left for name, left in kept.items() if left is not values[name]}
        own = type(self).model_fields.keys() - BaseChatModel.model_fields.keys()
        given = {name: self._is_given(name) for name in secret if values.get(name) is not None}
        return {
            **state,
            "__dict__": kept,
            _STATE_KEY: (
                {**lost, **{name: left for name, left in changed.items() if name in own}},
                given,
            ),
        }

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        lost, had = state.get(_STATE_KEY, ({}, {}))
        self.__dict__[_MISSING] = dict(lost)
        for name in secret_fields(type(self)):
            self.__dict__[name] = None
            if had.get(name) is False:
                field = type(self).model_fields[name]
                self.__dict__[name] = field.get_default(call_default_factory=True)
            elif name in had or name in lost:
                self._find_again(name)

    @property
    def _missing(self) -> dict[str, Any]:
        """What was lost by pickling, and what is left of each: `None`, or a part of it."""
        missing: dict[str, Any] = self.__dict__.get(_MISSING, {})
        return missing

    def _is_given(self, name: str) -> bool:
        is_default = name not in self.model_fields_set
        return not (is_default or isinstance(self.__dict__[name], EnvironmentSecret))

    def _find_again(self, name: str) -> None:
        """Look for a secret in the variable that is named for it; else miss it."""
        annotation = repr(type(self).model_fields[name].annotation)
        value = os.environ.get(self._variable(name))
        if value is None or "[" in annotation:  # a variable holds a text, and no collection
            self._missing[name] = None
        else:
            self.__dict__[name] = SecretStr(value) if "Secret" in annotation else value

    def require_secrets(self, given: Mapping[str, Any]) -> None:
        """Ask for what was lost when the model, or what binds its arguments, was pickled.

        Args:
            given: The arguments of a call.

        Raises:
            AuthenticationError: If a secret is missing; it names it.
        """
        values = self.__dict__
        missing = [
            name
            for name, left in self._missing.items()
            if values.get(name) is left and name not in given
        ]
        missing += [value.name for value in given.values() if isinstance(value, Lost)]
        if not missing:
            return
        names = ", ".join(sorted(missing))
        raise AuthenticationError(
            f"{type(self).__name__} was pickled, and pickles hold no secrets: give {names} again, "
            f"as in model.model_copy(update={{{missing[0]!r}: ...}}); a text may also be in the "
            f"environment where it is loaded, such as {self._variable(missing[0])}"
        )

    def _variable(self, name: str) -> str:
        return f"{spelled(type(self).__name__, '_')}_{name}".upper()

    @property
    def lc_secrets(self) -> dict[str, str]:
        """The environment variable that each secret parameter is read from when it is loaded."""
        return {name: self._variable(name) for name in secret_fields(type(self))}

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Leave secrets out, also those that are not typed as such."""
        secret = secret_fields(type(self))
        for name, value in super().__repr_args__():
            hidden = value is not None and (name in secret or isinstance(value, _SECRETS))
            yield name, _HIDDEN if hidden else without_secrets(value)
