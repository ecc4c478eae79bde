"""Switches tracing on for a whole process, and off again as if it had never been on."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import wraps
from inspect import signature
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from langchain_core.tracers import context as tracers_context
from langgraph.pregel import main as pregel

from .._content.door import DEFAULT_MAX_CHARACTERS
from .._handler import OpenTelemetryCallbackHandler
from .._settings.config import DEFAULT_MAX_OPEN_RUNS, DEFAULT_STALL_THRESHOLD
from .._setup.exporting import was_shut_down
from .cached_nodes import wrap_async_match, wrap_match
from .patches import Patches
from .wrappers import (
    wrap_async_call,
    wrap_async_completion,
    wrap_async_stream,
    wrap_call,
    wrap_stream,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from .._content.door import CaptureContent, Redact
    from .._settings.prices import Prices

_GRAPH_CALLBACKS: Final = (
    "get_sync_graph_callback_manager_for_config",
    "get_async_graph_callback_manager_for_config",
)


@dataclass(slots=True)
class _Switch:
    """What LangChain asks for the handler of this process, as it would ask a context variable."""

    handler: OpenTelemetryCallbackHandler | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    patches: Patches = field(default_factory=Patches)
    lock: Lock = field(default_factory=Lock)

    def get(self) -> OpenTelemetryCallbackHandler | None:
        return self.handler


_TOO_LATE: Final = "instrument was called again with other settings, without uninstrument before"

_switch: Final = _Switch()
# LangChain adds the handler wherever none of its class is among the callbacks already.
_HOOK: Final[Any] = (_switch, True, OpenTelemetryCallbackHandler, None)


def instrument(  # noqa: PLR0913 - settings, each by its keyword
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    logger_provider: LoggerProvider | None = None,
    capture_content: CaptureContent | str | None = None,
    redact: Redact | None = None,
    max_content_characters: int = DEFAULT_MAX_CHARACTERS,
    metadata_keys: Collection[str] = (),
    max_open_runs: int = DEFAULT_MAX_OPEN_RUNS,
    stall_threshold: float = DEFAULT_STALL_THRESHOLD,
    prices: Prices | None = None,
    log_events: bool = False,
    all_runnables: bool = False,
) -> OpenTelemetryCallbackHandler:
    """Trace every call of LangChain and LangGraph in this process.

    Beyond what a handler sees that is passed to a call, spans of the application in mid-stream
    of a model's body are beneath the model's, a model or tool whose call is cancelled ends at
    that moment whoever called it, and nodes that a cache answers for have spans. Instrumenting
    twice is instrumenting once: other settings than the first ones take effect after
    `uninstrument`, or once the tracer provider was shut down by its `Telemetry`.

    Args:
        tracer_provider: as for `OpenTelemetryCallbackHandler`, and so the others.
        meter_provider: takes the metrics.
        logger_provider: takes the log records.
        capture_content: where content may go.
        redact: changes content before it is recorded.
        max_content_characters: how long one attribute may be.
        metadata_keys: of the metadata that spans carry.
        max_open_runs: how many runs may be open.
        stall_threshold: how long a chunk may be waited for in mid-stream, in seconds.
        prices: what a million tokens of each model cost.
        log_events: whether models can be followed by log records while they go on.
        all_runnables: whether every step of a chain has a span.

    Returns:
        The handler of this process.

    Raises:
        ConfigurationError: a limit, a price or the capture mode cannot work.
    """
    settings: dict[str, Any] = {
        "tracer_provider": tracer_provider,
        "meter_provider": meter_provider,
        "logger_provider": logger_provider,
        "capture_content": capture_content,
        "redact": redact,
        "max_content_characters": max_content_characters,
        "metadata_keys": metadata_keys,
        "max_open_runs": max_open_runs,
        "stall_threshold": stall_threshold,
        "prices": prices,
        "log_events": log_events,
        "all_runnables": all_runnables,
    }
    with _switch.lock:
        handler = _switch.handler
        if handler is None or was_shut_down(_switch.settings["tracer_provider"]):
            handler = OpenTelemetryCallbackHandler(**settings)
            if _switch.handler is None:
                _switch_on(handler)
            _switch.handler, _switch.settings = handler, settings
        elif settings not in (_switch.settings, _defaults()):
            handler.diagnostics.report(_TOO_LATE)
        return handler


def uninstrument() -> None:
    """Trace no longer what is called from now on; runs that are open still end."""
    with _switch.lock:
        if _switch.handler is not None:
            _switch.handler = None
            _switch.patches.undo()
            _hooks().remove(_HOOK)


def _defaults() -> dict[str, Any]:
    return {name: each.default for name, each in signature(instrument).parameters.items()}


def _switch_on(handler: OpenTelemetryCallbackHandler) -> None:
    _hooks().append(_HOOK)
    for owner, name, wrap in _wrappers():
        _switch.patches.wrap(owner, name, wrap)
    for name in _GRAPH_CALLBACKS:
        if not _switch.patches.wrap(pregel, name, _with_handler):
            handler.diagnostics.report("this LangGraph does not tell of interrupts")


def _wrappers() -> tuple[tuple[type, str, Callable[[Any], Any]], ...]:
    # Not for who only imports this package: it would take twice as long.
    from langchain_core.language_models import BaseChatModel, BaseLLM  # noqa: PLC0415
    from langchain_core.retrievers import BaseRetriever  # noqa: PLC0415
    from langchain_core.tools import BaseTool  # noqa: PLC0415
    from langgraph.pregel import _loop as loops  # noqa: PLC0415

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
        (loops.SyncPregelLoop, "match_cached_writes", wrap_match),
        (loops.AsyncPregelLoop, "amatch_cached_writes", wrap_async_match),
    )


def _hooks() -> list[Any]:
    return tracers_context._configure_hooks  # noqa: SLF001 - what is registered has no way back


def _with_handler(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the maker of graph callback managers, which does not ask LangChain's hooks."""

    @wraps(original)
    def manager_for_config(*args: Any, **kwargs: Any) -> Any:
        manager = original(*args, **kwargs)
        handler = _switch.handler
        is_there = any(isinstance(h, OpenTelemetryCallbackHandler) for h in manager.handlers)
        if handler is not None and not is_there:
            manager.add_handler(handler)
        return manager

    return manager_for_config
