"""Handlers that LangChain leaves out beside one that runs inline (langchain#39633).

Its async callback manager tells the start of a completion model either to the handlers that run
inline, or to the others. It tells the former one by one, and then whom it has put on a list:
the others are put there while it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_core.callbacks.manager import ahandle_event

from .langchain import LEFT_OUT
from .names import frame_names
from .standard_library import frame_above

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

    from langchain_core.callbacks import BaseCallbackHandler

_MANAGERS: Final = "langchain_core.callbacks."
_TELLING: Final = frame_names(LEFT_OUT)
# How far away it is: the event, the handler's event, and what is between them and the handler.
_MAX_FRAMES: Final = 8


def tell_left_out(handler: BaseCallbackHandler, *args: Any, **kwargs: Any) -> None:
    """Have the handlers told that would be told of a completion model without *handler*.

    Where another handler runs inline too, LangChain leaves the others out without this one, and
    that is left as it is.

    Args:
        handler: is being told of the start.
        args: that it is told by.
        kwargs: as `args`.
    """
    frame = _manager_frame()
    if frame is None:
        return
    names = frame.f_locals
    others = names.get("non_inline_handlers")
    if others and _is_first_of_its_kind(handler, names) and _is_missing(names):
        names["non_inline_tasks"].append(
            ahandle_event(others, "on_llm_start", "ignore_llm", *args, **kwargs)
        )


def _manager_frame() -> FrameType | None:
    frame: FrameType | None = frame_above(2)
    for _ in range(_MAX_FRAMES):
        if frame is None or frame.f_code.co_qualname in _TELLING:
            break
        frame = frame.f_back
    else:
        return None
    is_core = frame is not None and str(frame.f_globals.get("__name__")).startswith(_MANAGERS)
    return frame if is_core else None


def _is_first_of_its_kind(handler: BaseCallbackHandler, names: Mapping[str, Any]) -> bool:
    inline = names.get("inline_handlers") or [None]
    return inline[0] is handler and all(isinstance(each, type(handler)) for each in inline)


def _is_missing(names: Mapping[str, Any]) -> bool:
    """Say whether the others are told of fewer prompts than this handler is."""
    others, own = names.get("non_inline_tasks"), names.get("inline_tasks")
    return isinstance(others, list) and isinstance(own, list) and len(others) < len(own)
