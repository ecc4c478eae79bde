"""Chat models as LangGraph nodes."""

from ._agent import build_agent
from ._node import chat_node

__all__ = ["build_agent", "chat_node"]

for _name in __all__:
    globals()[_name].__module__ = __name__
