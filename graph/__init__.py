"""Chat models as LangGraph nodes."""

import importlib
import typing

if typing.TYPE_CHECKING:
    from ._agent import build_agent
    from ._node import chat_node

__all__ = ["build_agent", "chat_node"]

_PLACES = {"build_agent": "_agent", "chat_node": "_node"}


def __getattr__(name: str) -> typing.Any:
    """Import a public name when it is first used: LangGraph takes seconds to import."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f".{_PLACES[name]}", __name__), name)
    found.__module__ = __name__
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
