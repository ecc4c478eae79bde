"""Writes rows of spans into a journal, and sums them up by trace."""

from __future__ import annotations

from itertools import chain
from time import time_ns
from typing import TYPE_CHECKING, Final

from .._context.graphs import GRAPHS
from .rows import ERROR, LOST

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Sequence

    from .._context.starting import Progress
    from .rows import Origin, SpanRow

_FAILURES: Final = (ERROR, LOST)

_PUT_TRACES: Final = """
INSERT INTO traces (
    trace_id, started_at, ended_at, root_id, name, agent, conversation, outcome, error,
    spans, open, errors, stalls, input_tokens, output_tokens, cost, currency, first_chunk_at
) VALUES {rows}
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
_PUT_SPANS: Final = """
INSERT INTO spans (
    trace, span_id, parent_id, run_id, name, operation, started_at, ended_at, outcome, error,
    model, input_tokens, output_tokens, cost, currency, first_chunk_at, chunks, stalls, owner,
    origin, destination, span
) VALUES {rows}
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
_SPAN: Final = f"((SELECT id FROM traces WHERE trace_id = ?){', ?' * 21})"  # noqa: S608 - ours
_TRACE: Final = f"(?{', ?' * 17})"
_PUT_MODELS: Final = "INSERT OR IGNORE INTO models (model, started_at, trace) VALUES {rows}"
_MODEL: Final = (
    "(?, (SELECT started_at FROM traces WHERE trace_id = ?), "
    "(SELECT id FROM traces WHERE trace_id = ?))"
)
_JUDGEMENT: Final = "evaluation "
# So many rows a statement: of that SQLite takes 999 arguments everywhere.
_AT_ONCE: Final = 40
_SUM_UP: Final = """
UPDATE traces SET (
    started_at, ended_at, spans, open, errors, stalls, input_tokens, output_tokens, cost,
    first_chunk_at
) = (
    SELECT min(started_at),
        ifnull(max(ended_at) FILTER (WHERE name NOT GLOB 'evaluation *'), max(ended_at)),
        count(*), sum(ended_at IS NULL),
        ifnull(sum(outcome IN ('error', 'lost')), 0), ifnull(sum(stalls), 0), sum(input_tokens),
        sum(output_tokens),
        sum(cost), min(first_chunk_at)
    FROM spans WHERE trace = traces.id
), (outcome, error) = (
    SELECT outcome, error FROM spans WHERE trace = traces.id AND span_id = root_id
) WHERE id = ? AND EXISTS (SELECT 1 FROM spans WHERE trace = traces.id)
"""
# It comes with the first shape: journals of this version that have none are whole.
_GRAPHS_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS graphs "
    "(id INTEGER PRIMARY KEY, graph_id TEXT NOT NULL UNIQUE, topology TEXT NOT NULL)"
)
_MOST_GRAPHS: Final = 1_000
_PUT_PROGRESS: Final = """
UPDATE spans SET chunks = ?, first_chunk_at = ?, last_chunk_at = ?
WHERE span_id = ? AND trace = (SELECT id FROM traces WHERE trace_id = ?)
"""
# It comes with the first text, as above.
_TEXTS_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS stream_texts (span INTEGER PRIMARY KEY, text TEXT NOT NULL)"
)
_PUT_TEXTS: Final = """
INSERT OR REPLACE INTO stream_texts (span, text)
SELECT id, ? FROM spans WHERE span_id = ? AND ended_at IS NULL
    AND trace = (SELECT id FROM traces WHERE trace_id = ?)
"""
_FORGET_TEXTS: Final = (
    "DELETE FROM stream_texts WHERE span NOT IN (SELECT id FROM spans WHERE ended_at IS NULL)"
)


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
    _put_traces(connection, rows, known)
    origins = {origin: _origin(connection, origin) for origin in {row.origin for row in rows}}
    put(
        connection,
        _PUT_SPANS,
        _SPAN,
        [
            (
                row.trace_id,
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
        ],
    )
    models = dict.fromkeys((row.model, row.trace_id, row.trace_id) for row in rows if row.model)
    put(connection, _PUT_MODELS, _MODEL, list(models))
    earlier = {row.trace_id for row in rows if row.started_at < since}
    sum_up(connection, [_trace(connection, trace_id) for trace_id in earlier])


def put(
    connection: sqlite3.Connection, statement: str, row: str, rows: Sequence[Sequence[object]]
) -> None:
    """Write many rows in few statements.

    At each statement sqlite3 lets other threads have the interpreter, and one that computes gives
    it back only after 5 ms.

    Args:
        connection: to the journal.
        statement: has `{rows}` where they stand.
        row: one as SQL, with a mark for each of its values.
        rows: the values of each.
    """
    many = statement.format(rows=", ".join([row] * _AT_ONCE))
    whole = len(rows) - len(rows) % _AT_ONCE
    for first in range(0, whole, _AT_ONCE):
        connection.execute(many, list(chain.from_iterable(rows[first : first + _AT_ONCE])))
    if rest := rows[whole:]:
        few = statement.format(rows=", ".join([row] * len(rest)))
        connection.execute(few, list(chain.from_iterable(rest)))


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
        # A judgement may come days later: the trace is over when what is judged is.
        if row.parent_id is None or not row.name.startswith(_JUDGEMENT):
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
) -> None:
    """Add rows to the sums of their traces."""
    sums: dict[bytes, _Sum] = {}
    for row in rows:
        total = sums.get(row.trace_id)
        if total is None:
            total = sums[row.trace_id] = _Sum(row)
        total.add(row, is_known=row.span_id in known)
    put(connection, _PUT_TRACES, _TRACE, [total.values(name) for name, total in sums.items()])


def _trace(connection: sqlite3.Connection, trace_id: bytes) -> int:
    query = "SELECT id FROM traces WHERE trace_id = ?"
    (number,) = connection.execute(query, (trace_id,)).fetchone()
    return int(number)


def _origin(connection: sqlite3.Connection, origin: Origin) -> int:
    connection.execute("INSERT OR IGNORE INTO origins (resource, scope) VALUES (?, ?)", origin)
    query = "SELECT id FROM origins WHERE resource = ? AND scope = ?"
    (number,) = connection.execute(query, origin).fetchone()
    return int(number)


def put_logs(
    connection: sqlite3.Connection,
    logs: Sequence[tuple[bytes, bytes, bytes, int]],
    owner: int,
    destination: int,
) -> None:
    """Write log records within a transaction, each as its resource, scope, record and time."""
    origins = [log[:2] for log in logs]
    connection.executemany(
        "INSERT OR IGNORE INTO origins (resource, scope) VALUES (?, ?)", set(origins)
    )
    connection.executemany(
        "INSERT INTO log_records (owner, origin, destination, at, record) VALUES "
        "(?, (SELECT id FROM origins WHERE resource = ? AND scope = ?), ?, ?, ?)",
        [
            (owner, resource, scope, destination, at or time_ns(), encoded)
            for resource, scope, encoded, at in logs
        ],
    )


def put_progress(
    connection: sqlite3.Connection, reports: Iterable[tuple[Progress, bytes, bytes]]
) -> None:
    """Write within a transaction how far streams have come, each with its ids of span and trace."""
    reports = list(reports)
    connection.executemany(
        _PUT_PROGRESS,
        [(each.chunks, each.first_chunk_at, each.last_chunk_at, *ids) for each, *ids in reports],
    )
    texts = [(each.text, *ids) for each, *ids in reports if each.text is not None]
    if texts:
        connection.execute(_TEXTS_TABLE)
        connection.executemany(_PUT_TEXTS, texts)


def forget_texts(connection: sqlite3.Connection) -> None:
    """Delete within a transaction what streams said while they were open: their spans have it."""
    if has_texts(connection):
        connection.execute(_FORGET_TEXTS)


def has_texts(connection: sqlite3.Connection) -> bool:
    """Say whether a journal has ever had the text of a stream that was open."""
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'stream_texts'"
    return connection.execute(query).fetchone() is not None


def put_graphs(connection: sqlite3.Connection) -> None:
    """Write within a transaction the shapes of graphs that are new; the last 1,000 are kept."""
    connection.execute(_GRAPHS_TABLE)
    connection.executemany(
        "INSERT OR IGNORE INTO graphs (graph_id, topology) VALUES (?, ?)", GRAPHS.shapes()
    )
    connection.execute(
        "DELETE FROM graphs WHERE id <= (SELECT max(id) - ? FROM graphs)", (_MOST_GRAPHS,)
    )
