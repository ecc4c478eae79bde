"""Calls whose secrets are hidden before they reach LangChain, whose frames a traceback shows."""

from __future__ import annotations

import inspect
from functools import partial, update_wrapper, wraps
from typing import TYPE_CHECKING, Any, Final

from langchain_core.runnables import RunnableSerializable
from langchain_core.runnables.configurable import RunnableConfigurableFields

from .secrets import SecretKeeping, hidden_in_call, with_hidden_texts
from .spec import spec_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_CALLING: Final = (
    *("invoke", "ainvoke", "stream", "astream", "batch", "abatch"),
    *("batch_as_completed", "abatch_as_completed", "stream_events", "astream_events"),
    *("astream_log", "generate", "agenerate", "generate_prompt", "agenerate_prompt"),
)


def models_in(runnable: Any) -> Iterable[type[SecretKeeping]]:
    """Find the classes of our models that a runnable is made around."""
    pending = [runnable]
    while pending:
        within = pending.pop()
        if isinstance(within, SecretKeeping):
            yield type(within)
        elif isinstance(within, RunnableSerializable):
            pending += vars(within).values()
        elif isinstance(within, (list, dict)):
            pending += within.values() if isinstance(within, dict) else within


def hide(runnable: Any, given: dict[str, Any]) -> None:
    """Wrap the secrets among a call's arguments, where they stand; but not the generator's own."""
    for model in models_in(runnable) if given else ():
        spec = spec_of(model)
        own = given.keys() & (spec.secrets | spec.parameters) - spec.arguments
        given.update(hidden_in_call(model, {name: given[name] for name in own}))
        if "stop" in given:
            given["stop"] = with_hidden_texts(given["stop"])


def configurable_secrets(runnable: Any) -> dict[str, tuple[type[SecretKeeping], str]]:
    """Find which keys of a config's `configurable` are secrets of our models: of which, and what.

    LangChain's `configurable_fields` gives a model's field such a key.
    """
    found = {}
    pending = [runnable]
    while pending:
        within = pending.pop()
        if isinstance(within, RunnableConfigurableFields):
            for model in models_in(within.default):
                for name in within.fields.keys() & spec_of(model).secrets:
                    found[within.fields[name].id] = model, name
        if isinstance(within, RunnableSerializable) and not isinstance(within, SecretKeeping):
            pending += vars(within).values()
        elif isinstance(within, (list, dict)):
            pending += within.values() if isinstance(within, dict) else within
    return found


def hidden_config(runnable: Any, config: Any) -> Any:
    """Wrap the secrets of our models that a config gives them; None is what it does not give."""
    given = config.get("configurable") if isinstance(config, dict) else None
    if not isinstance(given, dict) or not given:
        return config
    wrapped = {
        key: hidden_in_call(model, {name: given[key]})[name]
        for key, (model, name) in configurable_secrets(runnable).items()
        if key in given
    }
    if not wrapped:
        return config
    absent = {key for key, value in wrapped.items() if value is None}
    told = {key: value for key, value in {**given, **wrapped}.items() if key not in absent}
    return {**config, "configurable": told}


def hide_all(runnable: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Wrap the secrets among a call's arguments and in its config, and give its arguments."""
    if isinstance(runnable, SecretKeeping):  # it has no config that reaches its fields
        hide(runnable, kwargs)
        return args
    if "config" in kwargs:
        kwargs["config"] = hidden_config(runnable, kwargs["config"])
    if "configurable" in kwargs:  # of `with_config`, which takes a config's keys as well
        kwargs.update(hidden_config(runnable, {"configurable": kwargs["configurable"]}))
    hide(runnable, kwargs)
    return tuple(hidden_config(runnable, each) for each in args)


class _AsyncCall(partial[Any]):
    """A call of an async generator, which `inspect` takes for one, as for what is made of it."""

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Hide the secrets among the arguments, and make the generator."""
        args = hide_all(self.args[0], args, kwargs)
        return super().__call__(*args, **kwargs)


class _AsyncStream:
    """A method that is an async generator.

    A generator around it would not do: a loop that shuts down closes both at once.
    """

    def __init__(self, theirs: Callable[..., Any]) -> None:
        self._theirs = theirs

    def __get__(self, owner: Any, kind: type) -> Any:
        if owner is None:
            return self._theirs
        return update_wrapper(_AsyncCall(self._theirs, owner), self._theirs)


def hides_arguments_of_calls(kind: type) -> None:
    """Have all methods of a class that make calls hide their secrets first."""
    for name in _CALLING:
        theirs = getattr(kind, name, None)
        if inspect.isasyncgenfunction(theirs):
            setattr(kind, name, _AsyncStream(theirs))
        elif theirs is not None:
            setattr(kind, name, wraps(theirs)(_hiding(kind, name, theirs)))


def _hiding(kind: type, name: str, theirs: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of a *kind* that does as *theirs*, of which it is also seen to be a kind."""

    def call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call the method with its secrets hidden."""
        args = hide_all(self, args, kwargs)
        return getattr(super(kind, self), name)(*args, **kwargs)

    def stream(self: Any, /, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Stream from the method with its secrets hidden."""
        args = hide_all(self, args, kwargs)
        yield from getattr(super(kind, self), name)(*args, **kwargs)

    async def acall(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Await the method with its secrets hidden."""
        args = hide_all(self, args, kwargs)
        return await getattr(super(kind, self), name)(*args, **kwargs)

    if inspect.iscoroutinefunction(theirs):
        return acall
    return stream if inspect.isgeneratorfunction(theirs) else call
