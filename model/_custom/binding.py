"""Arguments that are bound to a model, of which no secret is shown, serialized or pickled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.language_models.base import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableBinding

from .secrets import Lost, SecretKeeping, secret_fields, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_core.load.serializable import SerializedConstructor, SerializedNotImplemented
    from langchain_core.runnables import RunnableConfig


class ModelBinding(RunnableBinding[LanguageModelInput, AIMessage]):
    """LangChain's binding, which keeps to itself what the model keeps to itself."""

    @classmethod
    def lc_id(cls) -> list[str]:
        """Serialize as LangChain's own."""
        return [*cls.get_lc_namespace(), RunnableBinding.__name__]

    def to_json(self) -> SerializedConstructor | SerializedNotImplemented:
        """Serialize the binding without secrets."""
        serialized = super().to_json()
        if serialized["type"] == "constructor" and "kwargs" in serialized["kwargs"]:
            serialized["kwargs"]["kwargs"] = self._public
        return serialized

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Leave secrets out."""
        for name, value in super().__repr_args__():
            yield name, self._public if name == "kwargs" else without_secrets(value)

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
        kind = type(self.bound)
        secret = secret_fields(kind) if issubclass(kind, SecretKeeping) else ()
        told = {name: value for name, value in self.kwargs.items() if name not in secret}
        public: dict[str, Any] = without_secrets(told)
        return public


class Bindable(SecretKeeping):
    """A chat model whose bound arguments are as secret as its own parameters."""

    def bind(self, **kwargs: Any) -> ModelBinding:  # type: ignore[override]  # core's has no name
        """Bind arguments to the model, as LangChain does."""
        return ModelBinding(bound=self, kwargs=kwargs, config={})

    def with_config(self, config: RunnableConfig | None = None, **kwargs: Any) -> ModelBinding:
        """Bind a config to the model, as LangChain does."""
        merged: Any = {**(config or {}), **kwargs}
        return ModelBinding(bound=self, kwargs={}, config=merged)
