"""A name of LangChain's that it does not promise to keep, and what happens without it.

`langchain_core.runnables` exports `RunnableBinding`, but not the class that all bindings have in
common. Where that has another name, it is the oldest ancestor with something bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.runnables import RunnableBinding, base

if TYPE_CHECKING:
    from langchain_core.runnables.base import RunnableBindingBase
else:
    _ancestors = [
        kind for kind in RunnableBinding.__mro__ if "bound" in getattr(kind, "model_fields", ())
    ]
    RunnableBindingBase = getattr(base, "RunnableBindingBase", _ancestors[-1])

__all__ = ["RunnableBindingBase"]
