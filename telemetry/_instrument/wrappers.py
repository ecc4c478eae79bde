"""Wrappers for LangChain's own calls, for what no callback reports.

A whole call: nothing but the model's body executes between its start and its end, and when
an exception leaves it, it is over. A stream: each step executes the model's body, and between
the steps the consumer's code does.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import wraps
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from .._context.current import attach_body, reserve_body
from .._runs.calls import Call, current_call
from .._translation.ending import Ending

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
    from contextvars import Token

    from .._context.current import Body

_END: Final = object()


def wrap_call(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a synchronous call that returns its whole result."""

    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        """Call, and let runs know that the call is whole."""
        made = Call(is_whole=True)
        token = current_call.set(made)
        try:
            return original(*args, **kwargs)
        finally:
            _reset(token, made)

    return call


def wrap_async_call(original: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    """Wrap an asynchronous call that returns its whole result.

    Core reports no end of one that is cancelled.
    """

    @wraps(original)
    async def call(*args: Any, **kwargs: Any) -> Any:
        """Await the call, and let runs know that it is whole."""
        return await _finish(Call(is_whole=True), original(*args, **kwargs))

    return call


def wrap_async_completion(original: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    """Wrap an asynchronous call of a completion model.

    Core reports its start in a task of its own, whose context the model's body never sees.
    """

    @wraps(original)
    async def call(*args: Any, **kwargs: Any) -> Any:
        """Await the call, in a body that is reserved for it."""
        made = Call(is_whole=True, body=reserve_body())
        return await _finish(made, original(*args, **kwargs))

    return call


async def _finish(made: Call, result: Awaitable[Any]) -> Any:
    token = current_call.set(made)
    try:
        return await result
    except BaseException as error:
        _end(made, error)
        raise
    finally:
        _reset(token, made)


def wrap_stream(original: Callable[..., Generator[Any, Any, None]]) -> Callable[..., Any]:
    """Wrap a synchronous stream."""

    @wraps(original)
    def stream(*args: Any, **kwargs: Any) -> Generator[Any, Any, None]:
        """Stream, each step as a part of one call."""
        made = Call(is_whole=False)
        steps = original(*args, **kwargs)
        try:
            chunk = _first(made, steps)
            while chunk is not _END:
                yield chunk
                chunk = _next(made, steps)
        finally:
            steps.close()
            made.run = None

    return stream


def wrap_async_stream(original: Callable[..., AsyncGenerator[Any, None]]) -> Callable[..., Any]:
    """Wrap an asynchronous stream."""

    @wraps(original)
    async def stream(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        """Stream as above, asynchronously."""
        made = Call(is_whole=False)
        steps = original(*args, **kwargs)
        try:
            chunk = await _async_first(made, steps)
            while chunk is not _END:
                yield chunk
                chunk = await _async_next(made, steps)
        finally:
            await steps.aclose()
            made.run = None

    return stream


def _first(made: Call, steps: Generator[Any, Any, None]) -> Any:
    token = current_call.set(made)
    try:
        return next(steps, _END)
    finally:
        _reset(token)


def _next(made: Call, steps: Generator[Any, Any, None]) -> Any:
    body = _enter(made)
    try:
        return next(steps, _END)
    finally:
        _leave(body)


async def _async_first(made: Call, steps: AsyncGenerator[Any, None]) -> Any:
    token = current_call.set(made)
    try:
        return await _started(steps)
    finally:
        _reset(token)


def _started(steps: AsyncGenerator[Any, None]) -> Awaitable[Any]:
    """Ask an async stream for its first chunk, without the event loop's taking note of it.

    A loop that ends closes all streams that it knows, together: with a stream and its wrapper it
    would close one twice. The wrapper closes its own.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return anext(steps, _END)
    finally:
        sys.set_asyncgen_hooks(*hooks)


async def _async_next(made: Call, steps: AsyncGenerator[Any, None]) -> Any:
    body = _enter(made)
    try:
        return await anext(steps, _END)
    finally:
        _leave(body)


def _enter(made: Call) -> Body | None:
    run = made.run
    return attach_body(run.run_id, run.span) if run is not None and run.span is not None else None


def _leave(body: Body | None) -> None:
    if body is not None:
        body.leave()


def _end(made: Call, error: BaseException) -> None:
    if made.run is not None:
        made.run.owner.end_run(made.run, Ending.by(error, perf_counter_ns()))


def _reset(token: Token[Call | None], made: Call | None = None) -> None:
    if made is not None:
        made.run = None  # copies of this context may live long
    # A coroutine that the garbage collector closes is closed in somebody else's context.
    with suppress(ValueError):
        current_call.reset(token)
