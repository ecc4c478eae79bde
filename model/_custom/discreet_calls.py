"""Calls whose secrets are hidden before they reach LangChain, whose frames a traceback shows."""

from __future__ import annotations

import inspect
from functools import partial, update_wrapper, wraps
from typing import TYPE_CHECKING, Any, Final

from langchain_core.runnables import RunnableSerializable

from .secrets import SecretKeeping, hidden_arguments
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
        secret = given.keys() & spec.secrets - spec.arguments
        if secret:
            given.update(hidden_arguments(model, {name: given[name] for name in secret}))


class _AsyncCall(partial[Any]):
    """A call of an async generator, which `inspect` takes for one, as for what is made of it."""

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Hide the secrets among the arguments, and make the generator."""
        hide(self.args[0], kwargs)
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
        hide(self, kwargs)
        return getattr(super(kind, self), name)(*args, **kwargs)

    def stream(self: Any, /, *args: Any, **kwargs: Any) -> Iterator[Any]:
        hide(self, kwargs)
        yield from getattr(super(kind, self), name)(*args, **kwargs)

    async def acall(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        hide(self, kwargs)
        return await getattr(super(kind, self), name)(*args, **kwargs)

    if inspect.iscoroutinefunction(theirs):
        return acall
    return stream if inspect.isgeneratorfunction(theirs) else call
