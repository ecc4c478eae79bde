"""Chat models as LangGraph nodes."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["build_agent", "chat_node"]

if TYPE_CHECKING:
    from ._agent import build_agent
    from ._node import chat_node
else:
    _HOMES = {"build_agent": "._agent", "chat_node": "._node"}

    def __getattr__(name: str) -> Any:
        # On demand: LangGraph takes seconds to import, and `nodespan --help` needs none of it.
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_HOMES[name], __name__), name)
        value.__module__ = __name__
        return globals().setdefault(name, value)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
