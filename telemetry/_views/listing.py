"""The list of traces: windows of it by place, what they come to, and what can be chosen of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from time import time_ns
from typing import TYPE_CHECKING, Any, Final

from .._details.values import ms
from .._reading.damage import typed
from .._reading.filters import conditions
from .._reading.records import RUNNING
from .._reading.rows import IS_ESTIMATED, STALLS, TRACE_COLUMNS, TRACE_KINDS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from .._reading.records import TraceFilter

_FAILED: Final = (
    "SELECT span_id, parent_id FROM spans WHERE trace = ? AND outcome IN ('error', 'lost')"
)
_MOST_LOOKED_AT: Final = 20_000
KEYS: Final = (
    "trace_id",
    "name",
    "started_at",
    "ended_at",
    "outcome",
    "error",
    "agent",
    "conversation",
    "models",
    "input_tokens",
    "output_tokens",
    "cost",
    "currency",
    "first_chunk_ms",
    "stalls",
    "spans",
    "open_spans",
    "errors",
    "is_estimated",
)
# What the list can be ordered by, each with most first; `?` is now.
NEWEST_FIRST: Final = "started"
ORDERS: Final = {
    NEWEST_FIRST: "t.started_at DESC",
    "cost": "t.cost DESC",
    "tokens": "ifnull(t.input_tokens, 0) + ifnull(t.output_tokens, 0) DESC",
    "time": "CASE WHEN t.open > 0 THEN ? ELSE t.ended_at END - t.started_at DESC",
    "first_chunk": "t.first_chunk_at - t.started_at DESC",
}
_MOST_CHOICES: Final = 200
_MOST_TELLING: Final = 20
# SQLite takes at least so many arguments in one statement.
_MOST_ARGUMENTS: Final = 900


@dataclass(frozen=True, slots=True)
class Window:
    """A window of the list.

    Attributes:
        offset: place of its first trace.
        limit: how many traces at most.
        order: one of `ORDERS`.
    """

    offset: int
    limit: int
    order: str = NEWEST_FIRST


def newest(connection: sqlite3.Connection) -> int:
    """Return the number of the trace that was recorded last; 0 without one."""
    ((number,),) = connection.execute("SELECT ifnull(max(id), 0) FROM traces")
    return int(number)


def window(
    connection: sqlite3.Connection, asked: TraceFilter, as_of: int, wanted: Window
) -> tuple[int, list[int]]:
    """Return how many traces a filter lets through, and the numbers of some of them.

    Args:
        connection: to the journal.
        asked: the filter; its text is not looked at.
        as_of: number of the last trace that counts.
        wanted: which of them, in which order.
    """
    now = time_ns()
    where, arguments = conditions(asked, now)
    ((total,),) = connection.execute(
        f"SELECT count(*) FROM traces AS t WHERE {where} AND t.id <= ?",  # noqa: S608 - ours
        (*arguments, as_of),
    )
    by = ORDERS[wanted.order]
    rows = connection.execute(
        f"SELECT t.id FROM traces AS t WHERE {where} AND t.id <= ? "  # noqa: S608 - ours
        f"ORDER BY {by}, t.started_at DESC, t.id DESC LIMIT ? OFFSET ?",
        (*arguments, as_of, *([now] * by.count("?")), wanted.limit, wanted.offset),
    )
    return total, [number for (number,) in rows]


def ordered(connection: sqlite3.Connection, numbers: Sequence[int], order: str) -> list[int]:
    """Return traces by number in an order, one of `ORDERS`."""
    by = ORDERS[order]
    rows = connection.execute(
        "SELECT t.id FROM json_each(?) AS asked JOIN traces AS t ON t.id = asked.value "  # noqa: S608 - ours
        f"ORDER BY {by}, t.started_at DESC, t.id DESC",
        (json.dumps(numbers), *([time_ns()] * by.count("?"))),
    )
    return [number for (number,) in rows]


def records(connection: sqlite3.Connection, numbers: Sequence[int]) -> list[tuple[Any, ...]]:
    """Return traces by number, each as the values of `KEYS`, in the order of the numbers."""
    found: dict[int, tuple[Any, ...]] = {}
    for start in range(0, len(numbers), _MOST_ARGUMENTS):
        some = numbers[start : start + _MOST_ARGUMENTS]
        marks = ",".join("?" * len(some))
        rows = connection.execute(
            f"SELECT t.id, {TRACE_COLUMNS} FROM traces AS t WHERE t.id IN ({marks})",  # noqa: S608 - ours
            some,
        )
        found.update((row[0], _values(row[1:], _arisen(connection, row))) for row in rows)
    return [found[number] for number in numbers if number in found]


def columns(rows: Iterable[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Return traces as a column for each of `KEYS`."""
    made = [list(column) for column in zip(*rows, strict=True)]
    return dict(zip(KEYS, made or [[] for _ in KEYS], strict=True))


def summary(connection: sqlite3.Connection, number: int) -> dict[str, Any]:
    """Return one trace as an object with `KEYS`."""
    (row,) = records(connection, [number])
    return dict(zip(KEYS, row, strict=True))


def totals(
    connection: sqlite3.Connection, asked: TraceFilter, as_of: int, among: Sequence[int] | None
) -> dict[str, Any]:
    """Return what the traces that a filter lets through come to.

    Args:
        connection: to the journal.
        asked: the filter; its text is not looked at.
        as_of: number of the last trace that counts.
        among: numbers of the traces that have the text; None where no text is asked for.
    """
    where, arguments = conditions(asked, time_ns())
    where = f"{where} AND t.id <= ?"
    arguments = [*arguments, as_of]
    if among is not None:
        listed = ",".join(map(str, among)) or "-1"
        where = f"{where} AND t.id IN ({listed})"
    ((runs, running, errors, spans, stalls, given, made, streamed),) = connection.execute(
        "SELECT count(*), ifnull(sum(open > 0), 0), "  # noqa: S608 - ours
        "ifnull(sum(open = 0 AND outcome IN ('error', 'lost')), 0), ifnull(sum(spans), 0), "
        f"ifnull(sum({STALLS}), 0), ifnull(sum(input_tokens), 0), ifnull(sum(output_tokens), 0), "
        f"count(first_chunk_at) FROM traces AS t WHERE {where}",
        arguments,
    )
    costs = connection.execute(
        f"SELECT currency, total(cost) FROM traces AS t WHERE {where} "  # noqa: S608 - ours
        "AND cost IS NOT NULL GROUP BY currency",
        arguments,
    )
    first = "first_chunk_at - started_at"
    took = "ended_at - started_at"
    return {
        "runs": runs,
        "running": running,
        "errors": errors,
        "spans": spans,
        "stalls": stalls,
        "input_tokens": given,
        "output_tokens": made,
        "is_estimated": has_estimates(connection, where, arguments),
        "costs": [{"currency": currency, "amount": amount} for currency, amount in costs],
        "first_chunk_p95_ms": _p95(connection, first, where, arguments, streamed),
        "duration_p95_ms": _p95(
            connection, took, f"{where} AND open = 0", arguments, runs - running
        ),
    }


def has_estimates(connection: sqlite3.Connection, where: str, arguments: Sequence[object]) -> bool:
    """Say whether tokens of traces are estimated; the newest tell of the others.

    Args:
        connection: to the journal.
        where: conditions of the traces, as `t`.
        arguments: of the conditions.
    """
    ((found,),) = connection.execute(
        f"SELECT ifnull(max({IS_ESTIMATED}), 0) FROM (SELECT t.id, t.input_tokens "  # noqa: S608 - ours
        f"FROM traces AS t WHERE {where} ORDER BY t.started_at DESC LIMIT {_MOST_TELLING}) AS t",
        arguments,
    )
    return bool(found)


def choices(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """Return the agents, models and outcomes that there are, each at most 200."""
    return {
        "agents": _distinct(connection, "traces", "agent"),
        "models": _distinct(connection, "models", "model"),
        "outcomes": _distinct(connection, "traces", "outcome"),
    }


def _arisen(connection: sqlite3.Connection, row: Sequence[Any]) -> int:
    """Return how many failures arose in a trace: each fails what stands above it, too."""
    number, spans, errors = row[0], row[16], row[18]
    if errors <= 1 or spans > _MOST_LOOKED_AT:
        return int(errors)
    failed = connection.execute(_FAILED, (number,)).fetchall()
    above = {parent for _, parent in failed}
    return sum(span not in above for span, _ in failed)


def _values(row: Sequence[Any], arisen: int) -> tuple[Any, ...]:
    (
        trace_id, name, started_at, ended_at, outcome, error, agent, conversation, models,
        input_tokens, output_tokens, cost, currency, first_chunk_at, stalls, spans, is_open, errors,
        is_estimated,
    ) = typed(row, TRACE_KINDS)  # fmt: skip
    ended = outcome if outcome is not None else "error" if errors else "ok"
    return (
        trace_id.hex(),
        name or "",
        ms(started_at),
        ms(ended_at) if not is_open else None,
        RUNNING if is_open else ended,
        error,
        agent,
        conversation,
        sorted(models.split("\0")) if models else [],
        input_tokens,
        output_tokens,
        cost,
        currency,
        ms(first_chunk_at - started_at) if first_chunk_at is not None else None,
        stalls,
        spans,
        is_open,
        arisen,
        bool(is_estimated),
    )


def _p95(
    connection: sqlite3.Connection, value: str, where: str, arguments: list[object], count: int
) -> float | None:
    if not count:
        return None
    row = connection.execute(
        f"SELECT {value} FROM traces AS t WHERE {where} AND {value} IS NOT NULL "  # noqa: S608 - ours
        # From its end, where a sorter keeps a twentieth of them.
        "ORDER BY 1 DESC LIMIT 1 OFFSET ?",
        (*arguments, count - max(-(-count * 95 // 100), 1)),
    ).fetchone()
    return ms(row[0]) if row is not None else None


def _distinct(connection: sqlite3.Connection, table: str, column: str) -> list[str]:
    """Return the values of an indexed column: a look into the index for each, no more."""
    rows = connection.execute(
        f"WITH RECURSIVE found(value, n) AS (SELECT min({column}), 1 FROM {table} UNION ALL "  # noqa: S608 - ours
        f"SELECT (SELECT min({column}) FROM {table} WHERE {column} > found.value), n + 1 "
        f"FROM found WHERE found.value IS NOT NULL AND n <= {_MOST_CHOICES}) "
        f"SELECT value FROM found WHERE value IS NOT NULL LIMIT {_MOST_CHOICES}"
    )
    return [value for (value,) in rows]
