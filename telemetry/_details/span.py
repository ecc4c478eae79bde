"""A span with all that it says, for who has clicked on it; and a little of those in sight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from .._reading.decoding import attributes_of, events_of, kind_of, status_of
from .._reading.records import RUNNING
from .._semconv import names as semconv
from . import values
from .evaluations import evaluation_of_event, evaluations_of
from .flat import unflattened
from .links import links_from
from .messages import PREFIXES, is_of_messages, messages, parsed
from .streams import OF_STREAMS, stalls, timeline

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

MOST_MARKED: Final = 200
_MOST_EVENTS: Final = 200
_MOST_EVENTS_OF_MARK: Final = 50
_MOST_TEXT: Final = 200_000
_PARAMETERS: Final = f"{semconv.IDENTIFYING_PARAMS}."
_DOCUMENTS: Final = "retrieval.documents."
_MOST_DOCUMENTS: Final = 200
# Each twice, in what came before and in what Traceloop adds to the conventions.
_TRACELOOP_INPUTS: Final = ("traceloop.entity.input", "gen_ai.task.input")
_TRACELOOP_OUTPUTS: Final = ("traceloop.entity.output", "gen_ai.task.output")
_IO: Final = {
    "input": (semconv.INPUT_VALUE, semconv.RETRIEVAL_QUERY, *_TRACELOOP_INPUTS),
    "output": (semconv.OUTPUT_VALUE, *_TRACELOOP_OUTPUTS),
    "arguments": (semconv.TOOL_CALL_ARGUMENTS, "tool.parameters"),
    "result": (semconv.TOOL_CALL_RESULT,),
}
_SHOWN_ELSEWHERE: Final = frozenset(
    (
        *(name for names in _IO.values() for name in names),
        semconv.RETRIEVAL_DOCUMENTS,
        semconv.INPUT_MIME_TYPE,
        semconv.OUTPUT_MIME_TYPE,
    )
)
_CONTENT: Final = frozenset(
    (
        *_SHOWN_ELSEWHERE,
        semconv.SYSTEM_INSTRUCTIONS,
        semconv.INPUT_MESSAGES,
        semconv.OUTPUT_MESSAGES,
    )
)
_COLUMNS: Final = (
    "s.span_id, s.parent_id, s.run_id, s.name, s.operation, s.started_at, s.ended_at, s.outcome, "
    "s.error, s.model, s.input_tokens, s.output_tokens, s.cost, s.currency, s.first_chunk_at, "
    "s.chunks, s.stalls, s.destination, s.refusal, o.resource, o.scope, s.span"
)


def whole_span(connection: sqlite3.Connection, trace: int, number: int) -> dict[str, Any]:
    """Return a span with its attributes, content, events and links."""
    (
        span_id, parent_id, run_id, name, operation, started_at, ended_at, outcome, error, model,
        given, made, cost, currency, first_chunk_at, chunks, stalled, destination, refusal,
        resource, scope, encoded,
    ) = _row(connection, number)  # fmt: skip
    span = Span.FromString(encoded)
    return {
        "trace_id": span.trace_id.hex(),
        "span_id": span_id.hex(),
        "parent_id": values.hex_or_none(parent_id),
        "run_id": str(UUID(bytes=run_id)) if run_id else None,
        "name": name,
        "kind": values.kind_of(operation, name),
        "span_kind": kind_of(span),
        "operation": operation,
        "started_at": values.ms(started_at),
        "ended_at": values.ms(ended_at),
        "outcome": outcome if ended_at is not None else RUNNING,
        "error": error,
        "status": status_of(span),
        "status_message": _cut(span.status.message)[0] or None,
        "model": model,
        "input_tokens": given,
        "output_tokens": made,
        "cost": cost,
        "currency": currency,
        "first_chunk_ms": values.ms(first_chunk_at - started_at if first_chunk_at else None),
        "chunks": chunks or 0,
        "stalls": stalled or 0,
        "delivery": refusal or ("owed" if destination is not None else "none"),
        "resource": attributes_of(ResourceSpans.FromString(resource or b"").resource.attributes),
        "scope": ScopeSpans.FromString(scope or b"").scope.name,
        "links": links_from(connection, span),
        "evaluations": evaluations_of(connection, trace, span),
        **_said(span),
    }


def _row(connection: sqlite3.Connection, number: int) -> Any:
    query = (
        f"SELECT {_COLUMNS} FROM spans AS s LEFT JOIN origins AS o ON o.id = s.origin "  # noqa: S608 - ours
        "WHERE s.id = ?"
    )
    return connection.execute(query, (number,)).fetchone()


def marks(
    connection: sqlite3.Connection, trace: int, span_ids: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return of spans in sight what the skeleton does not have: attempts, timelines, links."""
    wanted = []
    for span_id in span_ids[:MOST_MARKED]:
        try:
            wanted.append(bytes.fromhex(span_id))
        except ValueError:
            continue
    places = ",".join("?" * len(wanted))
    rows = connection.execute(
        f"SELECT span_id, span FROM spans WHERE trace = ? AND span_id IN ({places})",  # noqa: S608 - ours
        (trace, *wanted),
    ).fetchall()
    return {span_id.hex(): _mark(Span.FromString(encoded)) for span_id, encoded in rows}


def _mark(span: Span) -> dict[str, Any]:
    said = attributes_of(span.attributes)
    start = span.start_time_unix_nano
    others = [event for event in span.events if event.name not in OF_STREAMS]
    return {
        "attempt": said.get(semconv.LANGGRAPH_ATTEMPT, said.get(semconv.LANGCHAIN_ATTEMPT)),
        "step": said.get(semconv.LANGGRAPH_STEP),
        "node": said.get(semconv.LANGGRAPH_NODE),
        "is_cached": said.get(semconv.CACHED) is True,
        "is_estimated": said.get(semconv.USAGE_IS_ESTIMATED) is True,
        "tokens_per_second": said.get(semconv.STREAM_TOKENS_PER_SECOND),
        "timeline": timeline(span),
        "stalls": stalls(span),
        "events": [
            {"name": event.name, "at_us": (event.time_unix_nano - start) // 1000}
            for event in others[:_MOST_EVENTS_OF_MARK]
        ],
        "links": [
            {"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex()}
            for link in span.links[:_MOST_EVENTS_OF_MARK]
        ],
        "evaluations": sum(evaluation_of_event(event) is not None for event in others),
        "has_content": any(is_content(name) for name in said),
    }


def is_content(name: str) -> bool:
    """Say whether an attribute has what people wrote or a model said."""
    return name in _CONTENT or name.startswith(PREFIXES)


def _said(span: Span) -> dict[str, Any]:
    said = attributes_of(span.attributes)
    events = events_of(span)
    shown, cut = {}, 0
    for name, value in said.items():
        if not _is_elsewhere(name):
            shown[name], more = _cut(value)
            cut += more
    return {
        "attributes": shown,
        "parameters": {
            name.removeprefix(_PARAMETERS): value
            for name, value in said.items()
            if name.startswith(_PARAMETERS)
        },
        "messages": messages(said),
        "io": _io(said),
        "documents": _documents(said),
        "events": [
            {
                "name": event.name,
                "at": values.ms(event.at),
                "at_us": (event.at - span.start_time_unix_nano) // 1000,
                "attributes": {key: _cut(value)[0] for key, value in event.attributes.items()},
            }
            for event in events[:_MOST_EVENTS]
        ],
        "events_cut": max(len(events) - _MOST_EVENTS, 0),
        "timeline": timeline(span),
        "stall_list": stalls(span),
        "exception": next(
            (_exception(event.attributes) for event in events if event.name == "exception"), None
        ),
        "cut": cut,
    }


def _is_elsewhere(name: str) -> bool:
    return (
        name in _SHOWN_ELSEWHERE
        or is_of_messages(name)
        or name.startswith((_PARAMETERS, _DOCUMENTS))
    )


def _io(said: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: _first(said, names) for key, names in _IO.items()}
    # A tool's input is what it is called with, which some write down as both.
    for same, own in (("input", "arguments"), ("output", "result")):
        if found[own] is not None and parsed(found[same]) == found[own]:
            found[same] = None
    return found


def _first(said: Mapping[str, Any], names: Sequence[str]) -> Any:
    value = next((said[name] for name in names if name in said), None)
    return _cut(parsed(value) if names[0].startswith("gen_ai.tool") else value)[0]


def _cut(value: Any) -> tuple[Any, int]:
    """Return a value that is not too long to show, and how many characters were left out."""
    if isinstance(value, str) and len(value) > _MOST_TEXT:
        return value[:_MOST_TEXT], len(value) - _MOST_TEXT
    return value, 0


def _documents(said: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    found = parsed(said.get(semconv.RETRIEVAL_DOCUMENTS))
    found = found if found is not None else unflattened(said, _DOCUMENTS)
    if not isinstance(found, list):
        return None
    return [_document(each) for each in found[:_MOST_DOCUMENTS]]


def _document(value: Any) -> dict[str, Any]:
    value = value if isinstance(value, dict) else {"content": value}
    inner = value.get("document")
    value = inner if isinstance(inner, dict) else value
    return {
        "id": value.get("id"),
        "score": value.get("score"),
        "content": value.get("content"),
        "metadata": parsed(value.get("metadata")),
    }


def _exception(said: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": said.get(semconv.EXCEPTION_TYPE),
        "message": said.get(semconv.EXCEPTION_MESSAGE),
        "stacktrace": said.get(semconv.EXCEPTION_STACKTRACE),
    }
