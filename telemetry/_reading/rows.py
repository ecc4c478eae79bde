"""Rows of the journal's tables as records (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from .._semconv import names as semconv
from .damage import typed
from .decoding import attributes_of, events_of, kind_of, links_of, status_of
from .records import RUNNING, JournalSpan, OpenRunRecord, TraceRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

# A few calls tell of the others: all would have to be read from end to end.
IS_ESTIMATED: Final = (
    "t.input_tokens IS NOT NULL AND EXISTS (SELECT 1 FROM spans WHERE id IN "  # noqa: S608 - ours
    "(SELECT id FROM (SELECT id, model FROM spans WHERE trace = t.id LIMIT 100) "
    "WHERE model IS NOT NULL LIMIT 8) "
    f"AND instr(span, CAST('{semconv.USAGE_IS_ESTIMATED}' AS BLOB)))"
)
# The sums of a trace are of what has ended.
STALLS: Final = (
    "t.stalls + CASE WHEN t.open > 0 THEN (SELECT ifnull(sum(stalls), 0) FROM spans "
    "INDEXED BY spans_open WHERE ended_at IS NULL AND trace = t.id) ELSE 0 END"
)
TRACE_COLUMNS: Final = (
    "t.trace_id, t.name, t.started_at, t.ended_at, t.outcome, t.error, t.agent, t.conversation, "  # noqa: S608 - ours
    "(SELECT group_concat(model, char(0)) FROM models WHERE trace = t.id), t.input_tokens, "
    f"t.output_tokens, t.cost, t.currency, t.first_chunk_at, {STALLS}, t.spans, t.open, t.errors, "
    f"{IS_ESTIMATED}"
)
SPAN_COLUMNS: Final = (
    "s.span_id, s.parent_id, s.run_id, s.name, s.operation, s.started_at, s.ended_at, s.outcome, "
    "s.error, s.model, s.input_tokens, s.output_tokens, s.cost, s.currency, s.first_chunk_at, "
    "s.chunks, s.last_chunk_at, s.stalls, s.destination, s.refusal, o.resource, o.scope, s.span"
)
OPEN_RUN_COLUMNS: Final = (
    "t.trace_id, s.span_id, s.run_id, s.name, s.operation, s.model, t.agent, t.conversation, "
    "s.started_at, s.chunks, s.first_chunk_at, s.last_chunk_at"
)
OPEN_RUNS: Final = (
    "FROM spans AS s INDEXED BY spans_open JOIN traces AS t ON t.id = s.trace "
    "WHERE s.ended_at IS NULL ORDER BY s.started_at DESC"
)

_TEXT: Final = (str, type(None))
_COUNT: Final = (int, type(None))
_NUMBER: Final = (float, int, type(None))
_ID: Final = (bytes, type(None))
TRACE_KINDS: Final = (
    *(bytes, _TEXT, int, _COUNT, _TEXT, _TEXT, _TEXT, _TEXT, _TEXT, _COUNT, _COUNT, _NUMBER),
    *(_TEXT, _COUNT, int, int, int, int, int),
)
_SPAN_KINDS: Final = (
    *(bytes, _ID, _ID, str, _TEXT, int, _COUNT, _TEXT, _TEXT, _TEXT, _COUNT, _COUNT, _NUMBER),
    *(_TEXT, _COUNT, _COUNT, _COUNT, _COUNT, _COUNT, _TEXT, _ID, _ID, bytes),
)
_OPEN_RUN_KINDS: Final = (
    *(bytes, bytes, _ID, str, _TEXT, _TEXT, _TEXT, _TEXT, int, _COUNT, _COUNT, _COUNT),
)


class Origins:
    """Decodes each resource and scope once."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, bytes], tuple[dict[str, Any], str]] = {}

    def of(self, resource: bytes, scope: bytes) -> tuple[dict[str, Any], str]:
        """Return the attributes of a resource, and the name of a scope, from their encoding."""
        known = self._known.get((resource, scope))
        if known is None:
            decoded: Resource = ResourceSpans.FromString(resource).resource
            name = ScopeSpans.FromString(scope).scope.name
            known = self._known[resource, scope] = (attributes_of(decoded.attributes), name)
        return known


def trace_of(row: Iterable[Any]) -> TraceRecord:
    """Return a trace from its row of `TRACE_COLUMNS`."""
    (
        trace_id, name, started_at, ended_at, outcome, error, agent, conversation, models,
        input_tokens, output_tokens, cost, currency, first_chunk_at, stalls, spans, is_open, errors,
        is_estimated,
    ) = typed(row, TRACE_KINDS)  # fmt: skip
    first = (first_chunk_at - started_at) / 1e9 if first_chunk_at is not None else None
    ended = outcome if outcome is not None else "error" if errors else "ok"
    return TraceRecord(
        trace_id=trace_id.hex(),
        name=name or "",
        started_at=started_at,
        ended_at=ended_at if not is_open else None,
        outcome=RUNNING if is_open else ended,
        error=error,
        agent=agent,
        conversation=conversation,
        models=tuple(sorted(models.split("\0"))) if models else (),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost=cost,
        currency=currency,
        time_to_first_chunk=first,
        stalls=stalls,
        spans=spans,
        open_spans=is_open,
        errors=errors,
        is_estimated=bool(is_estimated),
    )


def span_of(trace_id: str, row: Iterable[Any], origins: Origins) -> JournalSpan:
    """Return a span from its row of `SPAN_COLUMNS`."""
    (
        span_id, parent_id, run_id, name, operation, started_at, ended_at, outcome, error, model,
        input_tokens, output_tokens, cost, currency, first_chunk_at, chunks, last_chunk_at, stalls,
        destination, refusal, made_by, scope, encoded,
    ) = typed(row, _SPAN_KINDS)  # fmt: skip
    if ended_at is not None:
        typed((outcome,), (str,))
    span = Span.FromString(encoded)
    resource, library = origins.of(made_by or b"", scope or b"")
    return JournalSpan(
        trace_id=trace_id,
        span_id=span_id.hex(),
        parent_id=parent_id.hex() if parent_id else None,
        run_id=run_id_of(run_id),
        name=name,
        kind=kind_of(span),
        operation=operation,
        started_at=started_at,
        ended_at=ended_at,
        outcome=outcome if ended_at is not None else RUNNING,
        error=error,
        model=model,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost=cost,
        currency=currency,
        first_chunk_at=first_chunk_at,
        chunks=chunks,
        last_chunk_at=last_chunk_at,
        stalls=stalls or 0,
        delivery=refusal or ("owed" if destination is not None else "none"),
        status=status_of(span),
        status_message=span.status.message or None,
        attributes=attributes_of(span.attributes),
        events=events_of(span),
        links=links_of(span),
        resource=resource,
        scope=library,
    )


def run_id_of(run_id: bytes | None) -> str | None:
    """Return LangChain's id of a run as it writes it."""
    return str(UUID(bytes=run_id)) if run_id else None


def open_run_of(row: Sequence[Any]) -> OpenRunRecord:
    """Return an open span from its row of `OPEN_RUN_COLUMNS`."""
    trace_id, span_id, run_id, *others = typed(row, _OPEN_RUN_KINDS)
    return OpenRunRecord(trace_id.hex(), span_id.hex(), run_id_of(run_id), *others)
