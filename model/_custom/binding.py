"""What LangChain makes around a model, of which no secret is shown, serialized or pickled."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from langchain_core.language_models.base import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import (
    RunnableBinding,
    RunnableSequence,
    RunnableSerializable,
    RunnableWithFallbacks,
)
from langchain_core.runnables.configurable import (
    RunnableConfigurableAlternatives,
    RunnableConfigurableFields,
)
from langchain_core.runnables.retry import RunnableRetry

from .discreet_calls import (
    configurable_secrets,
    hide_all,
    hides_arguments_of_calls,
    models_in,
)
from .secrets import Lost, SecretKeeping, secret_fields, without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from langchain_core.load.serializable import SerializedConstructor, SerializedNotImplemented
    from langchain_core.runnables import RunnableConfig

_Made = TypeVar("_Made")

# Methods of LangChain's that make a runnable around the one that they are called of.
_MAKING: Final = (
    *("bind", "with_config", "with_listeners", "with_alisteners", "with_types", "with_retry"),
    *("with_fallbacks", "configurable_fields", "configurable_alternatives", "pipe", "__or__"),
)


class Discreet(RunnableSerializable[Any, Any]):
    """A model, or LangChain's runnable around one: what is bound to it is as secret as its own."""

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Leave secrets out."""
        for name, value in super().__repr_args__():
            yield name, without_secrets(value)


def _discreetly(name: str) -> Callable[..., Any]:
    """Return a method that does as LangChain's of that *name*, and makes what is discreet."""

    @wraps(getattr(RunnableSerializable, name))
    def make(self: Discreet, /, *args: Any, **kwargs: Any) -> Any:
        """Make what the method makes, discreet as well."""
        args = hide_all(self, args, kwargs)
        return discreet(getattr(super(Discreet, self), name)(*args, **kwargs))

    return make


# Not in the class: type checkers are to see LangChain's own signatures.
for _name in _MAKING:
    setattr(Discreet, _name, _discreetly(_name))


class _AsLangChains(Discreet):
    """Is known as what LangChain made: in names of runs, and where it is serialized."""

    @classmethod
    def lc_id(cls) -> list[str]:
        """Serialize as LangChain's own."""
        theirs: type[RunnableSerializable[Any, Any]] = next(
            kind for kind in cls.__mro__ if kind in _DISCREET
        )
        return theirs.lc_id()

    def to_json(self) -> SerializedConstructor | SerializedNotImplemented:
        """Serialize it without the secrets of its config."""
        serialized = super().to_json()
        if serialized["type"] == "constructor" and "config" in serialized["kwargs"]:
            serialized["kwargs"]["config"] = self._public_config
        return serialized

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Leave the secrets of its config out."""
        for name, value in super().__repr_args__():
            yield name, self._public_config if name == "config" and value else value

    def __getstate__(self) -> dict[Any, Any]:
        """Pickle it without the secrets of its config; whoever calls it is asked for them."""
        state = super().__getstate__()
        if not state["__dict__"].get("config"):
            return state
        config = self._public_config
        if "configurable" in config:
            public = config["configurable"]
            given = state["__dict__"]["config"]["configurable"]
            config["configurable"] = {
                key: public[key] if public.get(key) is value else Lost(key)
                for key, value in given.items()
            }
        return {**state, "__dict__": {**state["__dict__"], "config": config}}

    @property
    def _public_config(self) -> dict[str, Any]:
        config: dict[str, Any] = dict(getattr(self, "config", None) or {})
        given = config.get("configurable")
        if isinstance(given, dict):
            secret = configurable_secrets(self)
            config["configurable"] = {k: v for k, v in given.items() if k not in secret}
        return dict(without_secrets(config))


class ModelBinding(_AsLangChains, RunnableBinding[LanguageModelInput, AIMessage]):
    """LangChain's binding, which keeps to itself what the model keeps to itself."""

    def to_json(self) -> SerializedConstructor | SerializedNotImplemented:
        """Serialize the binding without secrets."""
        serialized = super().to_json()
        if serialized["type"] == "constructor" and "kwargs" in serialized["kwargs"]:
            serialized["kwargs"]["kwargs"] = self._public
        return serialized

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Leave secrets out."""
        for name, value in super().__repr_args__():
            yield name, self._public if name == "kwargs" else value

    def __getstate__(self) -> dict[Any, Any]:
        """Pickle the binding without secrets; whoever calls it is asked for them again."""
        state = super().__getstate__()
        public = self._public
        kwargs = {
            name: value if public.get(name) is value else Lost(name)
            for name, value in self.kwargs.items()
        }
        return {**state, "__dict__": {**state["__dict__"], "kwargs": kwargs}}

    @property
    def _public(self) -> dict[str, Any]:
        secret = frozenset[str]().union(*map(secret_fields, models_in(self.bound)))
        kept = {name: value for name, value in self.kwargs.items() if name not in secret}
        public: dict[str, Any] = without_secrets(kept)
        return public


class _Retry(_AsLangChains, RunnableRetry[Any, Any]):
    """Tries a model again."""


class _Fallbacks(_AsLangChains, RunnableWithFallbacks[Any, Any]):
    """Asks others where a model fails."""


class _Fields(_AsLangChains, RunnableConfigurableFields[Any, Any]):
    """Lets a config change a model."""


class _Alternatives(_AsLangChains, RunnableConfigurableAlternatives[Any, Any]):
    """Lets a config choose among models."""


class _Sequence(_AsLangChains, RunnableSequence[Any, Any]):
    """Hands on what a model says."""


_DISCREET: Final[dict[type, type[_AsLangChains]]] = {
    RunnableBinding: ModelBinding,
    RunnableRetry: _Retry,
    RunnableWithFallbacks: _Fallbacks,
    RunnableConfigurableFields: _Fields,
    RunnableConfigurableAlternatives: _Alternatives,
    RunnableSequence: _Sequence,
}

for _theirs, _ours in _DISCREET.items():
    # A run is named by its class.
    _ours.__name__ = _theirs.__name__
    hides_arguments_of_calls(_ours)


def discreet(made: _Made) -> _Made:
    """Return what LangChain *made* around a model, as one that keeps secrets."""
    theirs = type(made)
    kinds = theirs.__mro__ if theirs.__module__.startswith("langchain_core.") else ()
    kind = next((_DISCREET[each] for each in kinds if each in _DISCREET), None)
    if kind is None:
        return made
    kept: Any = kind.__new__(kind)
    kept.__setstate__(made.__getstate__())
    return cast("_Made", kept)


class Bindable(Discreet, SecretKeeping):
    """A chat model whose bound arguments are as secret as its own parameters."""

    if TYPE_CHECKING:

        def bind(self, **kwargs: Any) -> ModelBinding:  # type: ignore[override]  # core's has no name
            """Bind arguments to the model, as LangChain does."""

        def with_config(self, config: RunnableConfig | None = None, **kwargs: Any) -> ModelBinding:
            """Bind a config to the model, as LangChain does."""


hides_arguments_of_calls(Bindable)
