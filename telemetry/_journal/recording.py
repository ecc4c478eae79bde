"""Writes rows of spans into a journal, and sums them up by trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .rows import ERROR, LOST

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Sequence

    from .rows import Origin, SpanRow

_FAILURES: Final = (ERROR, LOST)

_PUT_TRACE: Final = """
INSERT INTO traces (
    trace_id, started_at, ended_at, root_id, name, agent, conversation, outcome, error,
    spans, open, errors, stalls, input_tokens, output_tokens, cost, currency, first_chunk_at
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (trace_id) DO UPDATE SET
    started_at = min(started_at, excluded.started_at),
    ended_at = nullif(max(ifnull(ended_at, 0), ifnull(excluded.ended_at, 0)), 0),
    root_id = ifnull(root_id, excluded.root_id),
    name = CASE WHEN ifnull(root_id, excluded.root_id) = excluded.root_id
        THEN excluded.name ELSE ifnull(name, excluded.name) END,
    agent = ifnull(agent, excluded.agent),
    conversation = ifnull(conversation, excluded.conversation),
    outcome = CASE WHEN ifnull(root_id, excluded.root_id) = excluded.root_id
        THEN excluded.outcome ELSE outcome END,
    error = CASE WHEN ifnull(root_id, excluded.root_id) = excluded.root_id
        THEN excluded.error ELSE error END,
    spans = spans + excluded.spans,
    open = max(0, open + excluded.open),
    errors = errors + excluded.errors,
    stalls = stalls + excluded.stalls,
    input_tokens =
        ifnull(input_tokens + ifnull(excluded.input_tokens, 0), excluded.input_tokens),
    output_tokens =
        ifnull(output_tokens + ifnull(excluded.output_tokens, 0), excluded.output_tokens),
    cost = ifnull(cost + ifnull(excluded.cost, 0), excluded.cost),
    currency = ifnull(currency, excluded.currency),
    first_chunk_at = ifnull(min(first_chunk_at, excluded.first_chunk_at),
        ifnull(first_chunk_at, excluded.first_chunk_at))
"""
_PUT_SPAN: Final = """
INSERT INTO spans (
    trace, span_id, parent_id, run_id, name, operation, started_at, ended_at, outcome, error,
    model, input_tokens, output_tokens, cost, currency, first_chunk_at, chunks, stalls, owner,
    origin, destination, span
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (trace, span_id) DO UPDATE SET
    run_id = ifnull(excluded.run_id, run_id),
    name = excluded.name, operation = excluded.operation, started_at = excluded.started_at,
    ended_at = excluded.ended_at, outcome = excluded.outcome, error = excluded.error,
    model = excluded.model, input_tokens = excluded.input_tokens,
    output_tokens = excluded.output_tokens, cost = excluded.cost, currency = excluded.currency,
    first_chunk_at = excluded.first_chunk_at, chunks = ifnull(excluded.chunks, chunks),
    stalls = excluded.stalls, owner = excluded.owner, origin = excluded.origin,
    destination = excluded.destination, span = excluded.span
WHERE ended_at IS NULL OR excluded.ended_at IS NOT NULL
"""
_SUM_UP: Final = """
UPDATE traces SET (
    started_at, ended_at, spans, open, errors, stalls, input_tokens, output_tokens, cost,
    first_chunk_at
) = (
    SELECT min(started_at), max(ended_at), count(*), sum(ended_at IS NULL),
        ifnull(sum(outcome IN ('error', 'lost')), 0), ifnull(sum(stalls), 0), sum(input_tokens),
        sum(output_tokens),
        sum(cost), min(first_chunk_at)
    FROM spans WHERE trace = traces.id
), (outcome, error) = (
    SELECT outcome, error FROM spans WHERE trace = traces.id AND span_id = root_id
) WHERE id = ? AND EXISTS (SELECT 1 FROM spans WHERE trace = traces.id)
"""


def record(  # noqa: PLR0913 - what is written, and from where
    connection: sqlite3.Connection,
    rows: Sequence[SpanRow],
    *,
    owner: int | None,
    destination: int | None,
    known: Collection[bytes],
    since: int,
) -> None:
    """Write rows within a transaction.

    Args:
        connection: to the journal.
        rows: to write.
        owner: number of the process that they are from.
        destination: number of the endpoint that they are owed to; None where to none.
        known: ids of the open spans that the process has written before.
        since: when the process began to write, in ns since 1970: of spans that started before,
            the journal may know from elsewhere.
    """
    traces = _put_traces(connection, rows, known)
    origins = {origin: _origin(connection, origin) for origin in {row.origin for row in rows}}
    connection.executemany(
        _PUT_SPAN,
        (
            (
                traces[row.trace_id],
                row.span_id,
                row.parent_id,
                row.run_id,
                row.name,
                row.operation,
                row.started_at,
                row.ended_at,
                row.outcome,
                row.error,
                row.model,
                row.input_tokens,
                row.output_tokens,
                row.cost,
                row.currency,
                row.first_chunk_at,
                row.chunks,
                row.stalls,
                owner,
                origins[row.origin],
                destination,
                row.span,
            )
            for row in rows
        ),
    )
    _put_models(connection, rows, traces)
    sum_up(connection, {traces[row.trace_id] for row in rows if row.started_at < since})


def sum_up(connection: sqlite3.Connection, traces: Iterable[int]) -> None:
    """Sum traces up anew from their spans, by number."""
    connection.executemany(_SUM_UP, ((trace,) for trace in traces))


def count(connection: sqlite3.Connection, name: str, more: int) -> None:
    """Add to one of the journal's counts within a transaction."""
    if more:
        connection.execute(
            "INSERT INTO counts (name, count) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET count = count + excluded.count",
            (name, more),
        )


class _Sum:
    """What rows add to the sum of one trace."""

    __slots__ = (
        "agent",
        "conversation",
        "cost",
        "currency",
        "ended_at",
        "error",
        "errors",
        "first_chunk_at",
        "input_tokens",
        "name",
        "open",
        "outcome",
        "output_tokens",
        "root_id",
        "spans",
        "stalls",
        "started_at",
    )

    def __init__(self, first: SpanRow) -> None:
        self.started_at = first.started_at
        self.name = first.name
        self.ended_at: int | None = None
        self.root_id: bytes | None = None
        self.outcome: str | None = None
        self.error: str | None = None
        self.agent: str | None = None
        self.conversation: str | None = None
        self.currency: str | None = None
        self.input_tokens: int | None = None
        self.output_tokens: int | None = None
        self.cost: float | None = None
        self.first_chunk_at: int | None = None
        self.spans = self.open = self.errors = self.stalls = 0

    def add(self, row: SpanRow, *, is_known: bool) -> None:
        self.started_at = min(self.started_at, row.started_at)
        self.conversation = self.conversation or row.conversation
        self.spans += not is_known
        self.open += (row.ended_at is None) - is_known
        if row.is_root and self.root_id in (None, row.span_id):
            self.root_id, self.name = row.span_id, row.name
            self.outcome, self.error = row.outcome, row.error
            self.agent = row.agent or self.agent
        self.agent = self.agent or row.agent
        if row.ended_at is not None:
            self._add_ended(row, row.ended_at)

    def _add_ended(self, row: SpanRow, ended_at: int) -> None:
        self.ended_at = max(self.ended_at or 0, ended_at)
        self.errors += row.outcome in _FAILURES
        self.stalls += row.stalls or 0
        self.currency = self.currency or row.currency
        if row.input_tokens is not None:
            self.input_tokens = (self.input_tokens or 0) + row.input_tokens
        if row.output_tokens is not None:
            self.output_tokens = (self.output_tokens or 0) + row.output_tokens
        if row.cost is not None:
            self.cost = (self.cost or 0) + row.cost
        if row.first_chunk_at is not None:
            first = self.first_chunk_at or row.first_chunk_at
            self.first_chunk_at = min(first, row.first_chunk_at)

    def values(self, trace_id: bytes) -> tuple[object, ...]:
        return (
            trace_id,
            self.started_at,
            self.ended_at,
            self.root_id,
            self.name,
            self.agent,
            self.conversation,
            self.outcome,
            self.error,
            self.spans,
            self.open,
            self.errors,
            self.stalls,
            self.input_tokens,
            self.output_tokens,
            self.cost,
            self.currency,
            self.first_chunk_at,
        )


def _put_traces(
    connection: sqlite3.Connection, rows: Sequence[SpanRow], known: Collection[bytes]
) -> dict[bytes, int]:
    """Add rows to the sums of their traces, and return the numbers of those."""
    sums: dict[bytes, _Sum] = {}
    for row in rows:
        total = sums.get(row.trace_id)
        if total is None:
            total = sums[row.trace_id] = _Sum(row)
        total.add(row, is_known=row.span_id in known)
    connection.executemany(_PUT_TRACE, [total.values(name) for name, total in sums.items()])
    return {name: _trace(connection, name) for name in sums}


def _trace(connection: sqlite3.Connection, trace_id: bytes) -> int:
    query = "SELECT id FROM traces WHERE trace_id = ?"
    (number,) = connection.execute(query, (trace_id,)).fetchone()
    return int(number)


def _origin(connection: sqlite3.Connection, origin: Origin) -> int:
    connection.execute("INSERT OR IGNORE INTO origins (resource, scope) VALUES (?, ?)", origin)
    query = "SELECT id FROM origins WHERE resource = ? AND scope = ?"
    (number,) = connection.execute(query, origin).fetchone()
    return int(number)


def _put_models(
    connection: sqlite3.Connection, rows: Sequence[SpanRow], traces: dict[bytes, int]
) -> None:
    found = {(row.model, traces[row.trace_id]): row.started_at for row in rows if row.model}
    connection.executemany(
        "INSERT OR IGNORE INTO models (model, started_at, trace) "
        "VALUES (?, (SELECT started_at FROM traces WHERE id = ?), ?)",
        ((model, trace, trace) for model, trace in found),
    )
