"""Calls of LangGraph's stores, which no callback reports: by wrapping their public methods."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from .._traces.memory import MemoryCall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._traces.memory import MemoryWriter

    Writer = Callable[[], MemoryWriter | None]
    _Described = tuple[MemoryWriter, MemoryCall] | None
    _Describes = Callable[[Any, Any, Any], _Described]

_OPERATIONS: Final = {
    "get": "search_memory",
    "search": "search_memory",
    "put": "upsert_memory",
    "delete": "delete_memory",
}


def memory_wrappers(writer: Writer) -> Iterator[tuple[Any, str, Callable[[Any], Any]]]:
    """Give the methods that are wrapped, with what wraps each.

    Args:
        writer: returns what writes the spans; None where none are written.
    """
    # Not for who only imports this package: it would take longer.
    from langgraph.store.base import BaseStore  # noqa: PLC0415
    from langgraph.store.base.batch import AsyncBatchedBaseStore  # noqa: PLC0415

    for name in _OPERATIONS:
        yield BaseStore, name, _wrapped(name, writer)
        yield BaseStore, f"a{name}", _wrapped(name, writer)
        # It has its own; its sync ones call the async ones.
        yield AsyncBatchedBaseStore, f"a{name}", _wrapped(name, writer)


def _wrapped(name: str, writer: Writer) -> Callable[[Any], Any]:
    def wrap(original: Any) -> Any:
        """Return the operation with a span around it, sync or async as it is."""
        signature = inspect.signature(original)

        def described(store: Any, args: Any, kwargs: Any) -> _Described:
            """Return what writes the span, and what it says; None where nothing is traced."""
            memory = writer()
            if memory is None:
                return None
            try:
                given = signature.bind(store, *args, **kwargs).arguments
            except TypeError:  # the call itself says what is wrong
                return None
            return memory, _call(name, store, given)

        is_async = inspect.iscoroutinefunction(original)
        return (_async if is_async else _sync)(name, original, described)

    return wrap


def _async(name: str, original: Any, described: _Describes) -> Any:
    @wraps(original)
    async def call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call the operation inside its span."""
        traced = described(self, args, kwargs)
        if traced is None:
            return await original(self, *args, **kwargs)
        with traced[0].span(traced[1]) as tell:
            result = await original(self, *args, **kwargs)
            _tell(name, tell, result)
            return result

    return call


def _sync(name: str, original: Any, described: _Describes) -> Any:
    @wraps(original)
    def call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call the operation inside its span."""
        traced = described(self, args, kwargs)
        if traced is None:
            return original(self, *args, **kwargs)
        with traced[0].span(traced[1]) as tell:
            result = original(self, *args, **kwargs)
            _tell(name, tell, result)
            return result

    return call


def _call(name: str, store: Any, given: Any) -> MemoryCall:
    key, value = given.get("key"), given.get("value")
    return MemoryCall(
        operation=_OPERATIONS[name],
        record_id=key,
        query=given.get("query"),
        kept=[{"id": key, "content": value}] if name == "put" else None,
        is_local=type(store).__module__.startswith("langgraph.store.memory"),
    )


def _tell(name: str, tell: Callable[[list[dict[str, Any]]], None], result: Any) -> None:
    if name in ("put", "delete"):
        return
    found = result if isinstance(result, list) else [result] if result is not None else []
    tell([_record(item) for item in found])


def _record(item: Any) -> dict[str, Any]:
    score = getattr(item, "score", None)
    record = {"id": getattr(item, "key", None), "content": getattr(item, "value", None)}
    return record if score is None else {**record, "score": score}
