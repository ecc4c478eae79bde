"""Switches tracing on for a whole process, and off again as if it had never been on."""

from __future__ import annotations

import os
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from .._handler.callbacks import OpenTelemetryCallbackHandler
from .._process import Locked, process_wide
from .._providers import was_shut_down
from .._settings.configured import configured
from .._settings.keywords import takes
from .._settings.record import HandlerSettings
from .._upstream.langchain import Hook
from .._upstream.langgraph import cached_writes, callback_manager_makers
from .cached_nodes import wrap_async_match, wrap_match
from .memory import memory_wrappers
from .patches import Patches
from .wrappers import (
    wrap_async_call,
    wrap_async_completion,
    wrap_async_stream,
    wrap_call,
    wrap_stream,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._traces.memory import MemoryWriter

_TOO_LATE: Final = "instrument was called again with other settings, without uninstrument before"


class _HandlerOfProcess(Locked):
    """What LangChain asks for the handler of this process, as it would ask a context variable."""

    def __init__(self) -> None:
        super().__init__()
        self._handler: OpenTelemetryCallbackHandler | None = None
        self._settings = self._without_arguments = HandlerSettings()
        self._patches = Patches()

    def get(self) -> OpenTelemetryCallbackHandler | None:
        """Return the handler, as LangChain asks for it."""
        return self._handler

    def on(
        self,
        settings: HandlerSettings,
        make: Callable[[], OpenTelemetryCallbackHandler] | None = None,
    ) -> OpenTelemetryCallbackHandler:
        """Return the handler of this process, and make one where there is none that works.

        Args:
            settings: of the handler.
            make: makes it; by default it is made of the settings.
        """
        with self._lock:
            handler = self._handler
            if handler is None or was_shut_down(self._settings.tracer_provider):
                make = make or (
                    lambda: OpenTelemetryCallbackHandler.of(settings.checked(os.environ))
                )
                handler = make()
                if self._handler is None:
                    self._wrap()
                self._handler, self._settings = handler, settings
                self._without_arguments = HandlerSettings(**configured())
            elif settings not in (self._settings, self._without_arguments):
                handler.diagnostics.report(_TOO_LATE)
            return handler

    def off(self) -> None:
        """Put everything back as it was."""
        with self._lock:
            self._handler = None
            self._unwrap()

    def _wrap(self) -> None:
        try:
            _HOOK.put_in()
            for owner, name, wrap in _wrappers():
                self._patches.wrap(owner, name, wrap)
        except BaseException:
            self._unwrap()
            raise

    def _unwrap(self) -> None:
        self._patches.undo()
        _HOOK.take_out()


def _made(settings: HandlerSettings) -> OpenTelemetryCallbackHandler:
    return OpenTelemetryCallbackHandler.of(settings.checked(os.environ))


_of_process: Final = process_wide(_HandlerOfProcess)
# LangChain adds the handler wherever none of its class is among the callbacks already.
_HOOK: Final = Hook(_of_process, OpenTelemetryCallbackHandler)


@takes(HandlerSettings, configured)
def instrument(settings: HandlerSettings) -> OpenTelemetryCallbackHandler:
    """Trace every call of LangChain and LangGraph in this process.

    Beyond what a handler sees that is passed to a call, spans of the application in mid-stream
    of a model's body are beneath the model's, a model or tool whose call is cancelled ends at
    that moment whoever called it, and nodes that a cache answers for have spans. Instrumenting
    twice is instrumenting once. What is not given is as the last `configure` has it, until it is
    shut down. Other settings than the first ones take effect after
    `uninstrument`, or once the tracer provider was shut down by its `Telemetry`. Where it fails,
    everything is as it was before.

    Args:
        settings: each by its keyword.

    Returns:
        The handler of this process.

    Raises:
        ConfigurationError: an argument cannot work, or a variable has an unknown value.
    """
    return _of_process.on(settings)


def instrument_with(
    settings: HandlerSettings, make: Callable[[], OpenTelemetryCallbackHandler]
) -> OpenTelemetryCallbackHandler:
    """Trace as `instrument` does, with a handler of these settings that is made elsewhere."""
    return _of_process.on(settings, make)


def uninstrument() -> None:
    """Trace no longer what is called from now on; runs that are open still end."""
    _of_process.off()


def _wrappers() -> tuple[tuple[Any, str, Callable[[Any], Any]], ...]:
    # Not for who only imports this package: it would take twice as long.
    from langchain_core.language_models import BaseChatModel, BaseLLM  # noqa: PLC0415
    from langchain_core.retrievers import BaseRetriever  # noqa: PLC0415
    from langchain_core.tools import BaseTool  # noqa: PLC0415

    matches = (wrap_match, wrap_async_match)
    return (
        (BaseChatModel, "invoke", wrap_call),
        (BaseChatModel, "ainvoke", wrap_async_call),
        (BaseChatModel, "stream", wrap_stream),
        (BaseChatModel, "astream", wrap_async_stream),
        (BaseLLM, "invoke", wrap_call),
        (BaseLLM, "ainvoke", wrap_async_completion),
        (BaseLLM, "stream", wrap_stream),
        (BaseLLM, "astream", wrap_async_stream),
        (BaseTool, "arun", wrap_async_call),
        (BaseRetriever, "ainvoke", wrap_async_call),
        *memory_wrappers(_memory),
        *((module, name, _with_handler) for module, name in callback_manager_makers()),
        *((loop, name, wrap) for (loop, name), wrap in zip(cached_writes(), matches, strict=False)),
    )


def _memory() -> MemoryWriter | None:
    handler = _of_process.get()
    return handler.memory if handler is not None else None


def _with_handler(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the maker of graph callback managers, which does not ask LangChain's hooks."""

    @wraps(original)
    def manager_for_config(*args: Any, **kwargs: Any) -> Any:
        """Return the manager, with the process's handler where none of ours is."""
        manager = original(*args, **kwargs)
        handler = _of_process.get()
        is_there = any(isinstance(h, OpenTelemetryCallbackHandler) for h in manager.handlers)
        if handler is not None and not is_there:
            manager.add_handler(handler)
        return manager

    return manager_for_config
