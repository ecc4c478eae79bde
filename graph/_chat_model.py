"""What counts as a chat model, and how tools are bound to one."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable, RunnableWithFallbacks
from langchain_core.tools import BaseTool

from ._upstream import RunnableBindingBase

ChatModel: TypeAlias = Runnable[LanguageModelInput, BaseMessage]
"""A chat model, or one inside `bind`, `with_retry`, `with_fallbacks` and their like."""

_WAY_OUT = (
    "give an instance of a LangChain chat model, or one that bind, with_retry or such returned"
)


def require_chat_model(model: object) -> None:
    """Raise a `TypeError` unless *model* takes messages and answers with one."""
    if isinstance(model, RunnableBindingBase):
        require_chat_model(model.bound)
    elif isinstance(model, RunnableWithFallbacks):
        for each in model.runnables:
            require_chat_model(each)
    elif not _is_chat_model(model):
        raise TypeError(f"a chat model is needed, not {_described(model)}: {_WAY_OUT}")


def _is_chat_model(model: object) -> bool:
    """Whether *model* is one, or stands for one that is chosen by the config.

    The latter kind has no common class, but passes the model's methods on; no other runnable
    has `bind_tools`.
    """
    return isinstance(model, Runnable) and callable(getattr(model, "bind_tools", None))


def bind_tools(model: ChatModel, tools: Sequence[BaseTool | dict[str, Any]]) -> ChatModel:
    """Bind *tools* to *model*, keeping whatever else is bound to it.

    A wrapper's own `bind_tools` is its inner model's: it would drop bound arguments, retries,
    and those fallbacks whose method has no return annotation.
    """
    if isinstance(model, RunnableBindingBase):
        if {"tools", "functions"} & model.kwargs.keys():
            raise ValueError(
                "the model has tools bound to it already, which would hide the agent's: "
                "give the tools to the agent, and the model without them"
            )
        return model.model_copy(update={"bound": bind_tools(model.bound, tools)})
    if isinstance(model, RunnableWithFallbacks):
        first, *others = (bind_tools(each, tools) for each in model.runnables)
        return model.model_copy(update={"runnable": first, "fallbacks": others})
    return _bind_directly(model, tools)


def _bind_directly(model: Any, tools: Sequence[BaseTool | dict[str, Any]]) -> ChatModel:
    try:
        bound: ChatModel = model.bind_tools(tools)
    except NotImplementedError as error:
        reason = str(error) or "it has no bind_tools of its own"
        raise TypeError(
            f"{type(model).__name__} cannot call tools ({reason}): "
            "give the agent a model that can, or no tools"
        ) from error
    return bound


def _described(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    kind = type(value).__name__
    return f"the {kind} {value!r}" if isinstance(value, str) else f"an object of type {kind}"
