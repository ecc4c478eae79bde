"""Which run the code is in: for whatever is written there, each line of a log above all."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from opentelemetry.trace import (
    format_span_id,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)

from .._context.current import current, run_id_in
from .._semconv import names as semconv
from .._upstream.langchain import config_around
from .._values.attributes import attribute_text
from .registry import find_open_run

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from opentelemetry.context import Context
    from opentelemetry.trace import SpanContext

    from .._values.attributes import Attributes
    from .run import Run

FIELD_ATTRIBUTES: Final = {
    "run_id": semconv.RUN_ID,
    "thread_id": semconv.CONVERSATION_ID,
    "node": semconv.LANGGRAPH_NODE,
}
_PLACES: Final = {"thread_id": "thread_id", "node": "langgraph_node"}


def add_run_context(
    _logger: Any, _method_name: str, event_dict: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Add to a line of a log the run in which it is written: a processor for structlog.

    `trace_id` and `span_id` are those of the current span, in hexadecimal digits as backends
    show them; `run_id` is LangChain's; `thread_id` and `node` are LangGraph's, as in
    `configurable.thread_id` and `langgraph_node`. What is not known is left out, and what the
    line has already stays.

    Args:
        event_dict: the line.

    Source: https://www.structlog.org/en/stable/processors.html
    """
    context, run = run_context()
    span = get_current_span(context).get_span_context()
    for name, value in (span_fields(span) | (run_fields(run) if run is not None else {})).items():
        event_dict.setdefault(name, value)
    return event_dict


def run_context() -> tuple[Context, Run | None]:
    """Return the OpenTelemetry context of the code that asks, and the open run that it is in.

    Most bodies have their run's context. That of a runnable which is a root has none, by
    design, but LangChain's own context names its run.
    """
    context = current()
    run = find_open_run(run_id_in(context))
    if run is not None:
        return context, run
    enclosing = find_open_run(_run_id_around())
    run = enclosing.nearest_with_span if enclosing is not None else None
    if run is None or run.span is None:
        return context, None
    return set_span_in_context(run.span, context), run


def span_fields(span: SpanContext) -> dict[str, str]:
    """Return the ids of a span, as far as it has any."""
    if not span.is_valid:
        return {}
    return {
        "trace_id": format_trace_id(span.trace_id),
        "span_id": format_span_id(span.span_id),
    }


def run_fields(run: Run) -> dict[str, str]:
    """Return LangChain's id of a run, and its place in LangGraph: thread and node."""
    fields = {"run_id": str(UUID(int=run.run_id))}
    for name, key in _PLACES.items():
        value = run.start.metadata.get(key)
        if value is not None:
            fields[name] = _shown(value) if type(value) is str else attribute_text(value)
    return fields


def run_attributes(run: Run) -> Attributes:
    """Return what `run_fields` does, by the names of attributes."""
    return {FIELD_ATTRIBUTES[name]: value for name, value in run_fields(run).items()}


# Line after line has the same few.
_shown = lru_cache(maxsize=1_024)(attribute_text)


def _run_id_around() -> int | None:
    config = config_around()
    callbacks = config.get("callbacks") if config else None
    run_id = getattr(callbacks, "parent_run_id", None)
    return run_id.int if isinstance(run_id, UUID) else None
