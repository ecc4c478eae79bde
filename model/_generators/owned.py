"""An async generator that another one owns, and closes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable

T = TypeVar("T")


class owned(Generic[T]):  # noqa: N801  # used like contextlib.aclosing
    """Iterate over an async generator from within another one, and close it at the end.

    An event loop that shuts down closes every async generator that it knows, all at once; one
    that its owner is closing at that time fails, and the loop reports it. So the loop is not
    told of this one: it is up to the owner alone.

    Example::

        async with owned(generator()) as items:
            async for item in items:
                yield item

    Args:
        generator: A generator that has not been started.
    """

    __slots__ = ("_generator", "_is_started")

    def __init__(self, generator: AsyncGenerator[T]) -> None:
        self._generator = generator
        self._is_started = False

    async def __aenter__(self) -> owned[T]:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._generator.aclose()

    def __aiter__(self) -> owned[T]:
        return self

    def __anext__(self) -> Awaitable[T]:
        if self._is_started:
            return self._generator.__anext__()
        self._is_started = True
        # The generator takes the hooks as they are when it is first asked for an item.
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=None, finalizer=None)
        try:
            return self._generator.__anext__()
        finally:
            sys.set_asyncgen_hooks(*hooks)
