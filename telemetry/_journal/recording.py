"""Writes rows of spans into a journal, and sums them up by trace."""

from __future__ import annotations

from itertools import chain
from time import time_ns
from typing import TYPE_CHECKING, Final, Protocol

from .._context.graphs import GRAPHS
from .sums import PUT_TRACES, TRACE, is_judgement, sums_of
from .told_before import told_before

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Sequence

    from .._context.starting import Progress
    from .._encoding.rows import Origin, SpanRow


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
_SPAN: Final = f"(?{', ?' * 21})"
_PUT_MODELS: Final = "INSERT OR IGNORE INTO models (model, started_at, trace) VALUES {rows}"
_MODEL: Final = "(?, ?, ?)"
_TRACES: Final = "SELECT trace_id, id, started_at FROM traces WHERE trace_id IN ({marks})"
_ONLY_JUDGED: Final = """
SELECT 1 FROM traces AS t WHERE trace_id = ? AND NOT EXISTS (
    SELECT 1 FROM spans WHERE trace = t.id AND name NOT GLOB 'evaluation *'
)
"""
# So many rows a statement: of that SQLite takes 999 arguments everywhere.
_AT_ONCE: Final = 40
_TRACES_AT_ONCE: Final = 900
_SUM_UP: Final = """
UPDATE traces SET (
    started_at, ended_at, spans, open, errors, stalls, input_tokens, output_tokens, cost,
    first_chunk_at
) = (
    SELECT min(started_at),
        CASE WHEN min(name GLOB 'evaluation *') THEN max(ended_at)
            ELSE max(ended_at) FILTER (WHERE name NOT GLOB 'evaluation *') END,
        count(*), sum(ended_at IS NULL),
        ifnull(sum(outcome IN ('error', 'lost')), 0),
        ifnull(sum(stalls) FILTER (WHERE ended_at IS NOT NULL), 0),
        sum(input_tokens) FILTER (WHERE ended_at IS NOT NULL),
        sum(output_tokens) FILTER (WHERE ended_at IS NOT NULL),
        sum(cost) FILTER (WHERE ended_at IS NOT NULL),
        min(first_chunk_at)
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
UPDATE spans SET chunks = nullif(?, 0), first_chunk_at = ?, last_chunk_at = ?,
    stalls = max(ifnull(stalls, 0), ?)
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


class Destination(Protocol):
    """Whom spans are owed to."""

    def number(self, connection: sqlite3.Connection) -> int:
        """Return its number in a journal, within a transaction."""


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
        since: when the process began to write, in ns since 1970: spans that started before, the
            journal may know from elsewhere, and what it knows as it is stays as it is.
    """
    mine = [row for row in rows if row.started_at >= since and not is_judgement(row)]
    if len(mine) == len(rows):
        _put_rows(connection, rows, owner, destination, lambda row: row.span_id in known)
        return
    own = set(map(id, mine))
    told = told_before(connection, [row for row in rows if id(row) not in own])

    def is_known(row: SpanRow) -> bool:
        """Say whether the span's start was recorded."""
        is_open = (row.trace_id, row.span_id) in told.opened
        return row.span_id in known if id(row) in own else is_open

    changed = told.changed | _only_judged(connection, {row.trace_id for row in told.news})
    news = own.union(map(id, told.news))
    # In their order: it is that in which they are sent.
    some = [row for row in rows if id(row) in news]
    _put_rows(connection, some, owner, destination, is_known)
    judged = {row.trace_id for row in told.news if is_judgement(row)}
    changed |= _only_judged(connection, judged)
    sum_up(connection, [_trace(connection, trace_id) for trace_id in changed])


def _only_judged(connection: sqlite3.Connection, traces: Iterable[bytes]) -> set[bytes]:
    """Return those of traces, by id, that are known by judgements alone: theirs is the end then."""
    return {
        trace_id for trace_id in traces if connection.execute(_ONLY_JUDGED, (trace_id,)).fetchone()
    }


def _put_rows(
    connection: sqlite3.Connection,
    rows: Sequence[SpanRow],
    owner: int | None,
    destination: int | None,
    is_known: Callable[[SpanRow], bool],
) -> None:
    sums = sums_of(rows, is_known)
    put(connection, PUT_TRACES, TRACE, sums)
    # Their numbers, once a trace: to look for that of each span costs a tenth of its writing.
    traces = _numbered(connection, [trace_id for trace_id, *_ in sums])
    origins = {origin: _origin(connection, origin) for origin in {row.origin for row in rows}}
    spans = [
        _values(row, traces[row.trace_id][0], owner, origins[row.origin], destination)
        for row in rows
    ]
    put(connection, _PUT_SPANS, _SPAN, spans)
    models = dict.fromkeys((row.model, row.trace_id) for row in rows if row.model)
    put(connection, _PUT_MODELS, _MODEL, [(model, *traces[name][::-1]) for model, name in models])


def _numbered(
    connection: sqlite3.Connection, trace_ids: Sequence[object]
) -> dict[bytes, tuple[int, int]]:
    """Return number and start of traces that the journal knows, by their ids."""
    found: dict[bytes, tuple[int, int]] = {}
    for first in range(0, len(trace_ids), _TRACES_AT_ONCE):
        some = trace_ids[first : first + _TRACES_AT_ONCE]
        query = _TRACES.format(marks=", ".join("?" * len(some)))
        found |= {row[0]: row[1:] for row in connection.execute(query, some)}
    return found


def _values(
    row: SpanRow, trace: int, owner: int | None, origin: int, destination: int | None
) -> tuple[object, ...]:
    return (
        trace,
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
        origin,
        destination,
        row.span,
    )


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
        [
            (each.chunks, each.first_chunk_at, each.last_chunk_at, each.stalls, *ids)
            for each, *ids in reports
        ],
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
