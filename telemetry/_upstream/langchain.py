"""The names of LangChain's that it does not promise to keep, and what happens without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .names import Kind, Name, Use

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

    from langchain_core.callbacks import BaseCallbackHandler

_MODELS: Final = "langchain_core.language_models.chat_models"
_BRIDGE: Final = "langchain_core.language_models._compat_bridge"
_RUNNABLES: Final = "langchain_core.runnables"

CONFIG: Final = Use(
    (Name("langchain_core.runnables.config", "var_child_runnable_config"),),
    "the config of the runnable around is read by `ensure_config`",
    is_replaced=True,
)
HOOKS: Final = Use(
    (Name("langchain_core.tracers.context", "_configure_hooks"),),
    "the hook is registered by `register_configure_hook`, once, and stays when it is switched off",
    is_replaced=True,
)
WAITING: Final = Use(
    (
        Name(_MODELS, "BaseChatModel.agenerate", Kind.FRAME),
        Name("langchain_core.tools.base", "BaseTool.arun", Kind.FRAME),
        Name(_MODELS, "BaseChatModel._achat_model_stream_v3.<locals>.ensure_started", Kind.FRAME),
    ),
    "runs that start beside an awaited model or tool may be beneath it",
)
TELLING: Final = Use(
    (
        Name(_MODELS, "BaseChatModel._iter_v2_events", Kind.FRAME, "event_iter"),
        Name(_MODELS, "BaseChatModel._aiter_v2_events", Kind.FRAME, "event_iter"),
    ),
    "a chunk of several content blocks counts as several chunks in streams of events",
)
BRIDGES: Final = Use(
    (
        Name(_BRIDGE, "chunks_to_events", Kind.FRAME, "chunk"),
        Name(_BRIDGE, "chunks_to_events", Kind.FRAME, "block"),
        Name(_BRIDGE, "achunks_to_events", Kind.FRAME, "chunk"),
        Name(_BRIDGE, "achunks_to_events", Kind.FRAME, "block"),
    ),
    TELLING.without,
)
FUNCTIONS: Final = Use(
    (
        Name(f"{_RUNNABLES}.base", "RunnableLambda._invoke", Kind.FRAME),
        Name(f"{_RUNNABLES}.base", "RunnableLambda._ainvoke", Kind.FRAME),
    ),
    "a function that calls a runnable of its own name may look like `with_retry`",
)
_MANAGER: Final = "AsyncCallbackManager.on_llm_start"
LEFT_OUT: Final = Use(
    tuple(
        Name("langchain_core.callbacks.manager", _MANAGER, Kind.FRAME, local)
        for local in (
            "inline_handlers",
            "non_inline_handlers",
            "inline_tasks",
            "non_inline_tasks",
        )
    ),
    "handlers that do not run inline miss the start of completion models (langchain#39633)",
)
TOOLS: Final = Use(
    (
        Name("langchain_core.tools.base", "BaseTool.run", Kind.FRAME, "status"),
        Name("langchain_core.tools.base", "BaseTool.arun", Kind.FRAME, "status"),
    ),
    "a tool that handles its failure has not failed, where no model has called it",
)
TABLE: Final = (CONFIG, HOOKS, WAITING, TELLING, BRIDGES, FUNCTIONS, LEFT_OUT, TOOLS)

# All that a private method of RunnableLambda calls, whichever of them it is.
FUNCTION_FRAMES: Final = FUNCTIONS.names[0].path.removesuffix("invoke")


def _config_reader() -> Callable[[], Mapping[str, Any] | None]:
    found = CONFIG.find()
    if found is not None:
        read: Callable[[], Mapping[str, Any] | None] = found[0].get
        return read
    from langchain_core.runnables import ensure_config  # noqa: PLC0415 - not needed otherwise

    return ensure_config


config_around: Final = _config_reader()
"""Returns the config of the runnable in which the code is; None outside of any."""


class Hook:
    """Has LangChain ask a variable for a handler, wherever none of its class is there already.

    Args:
        variable: has a `get`, as context variables have.
        handler_class: of the handler.
    """

    def __init__(self, variable: Any, handler_class: type[BaseCallbackHandler]) -> None:
        self._entry: Any = (variable, True, handler_class, None)
        self._is_registered = False

    def put_in(self) -> None:
        """Have it asked."""
        found = HOOKS.find()
        if found is not None:
            found[0].append(self._entry)
        elif not self._is_registered:
            from langchain_core.tracers.context import register_configure_hook  # noqa: PLC0415

            register_configure_hook(*self._entry)
            self._is_registered = True

    def take_out(self) -> None:
        """Have it asked no longer; what is registered the public way is asked, and says None."""
        found = HOOKS.find()
        if found is not None:
            found[0][:] = [hook for hook in found[0] if hook is not self._entry]


def events_in(frame: FrameType) -> Any:
    """Return what gives the events that a frame of `TELLING` tells."""
    return frame.f_locals.get("event_iter")


def chunk_and_block_in(frame: FrameType) -> tuple[Any, Any]:
    """Return the chunk of which a frame of `BRIDGES` makes events, and the block that it is at."""
    return frame.f_locals.get("chunk"), frame.f_locals.get("block")


def tool_status_in(frame: FrameType) -> Any:
    """Return how the tool has ended that a frame of `TOOLS` runs, as far as it goes."""
    return frame.f_locals.get("status")
