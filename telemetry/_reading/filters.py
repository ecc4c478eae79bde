"""A filter of traces as SQL that the journal's indices answer (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .records import RUNNING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .records import TraceFilter

# Of what SQLite holds as an integer.
_LATEST: Final = 2**63 - 1


# Of an ended call by its trace's sum; of one that is open, it is known in its own row alone.
_STALLED: Final = (
    "t.id IN (SELECT id FROM traces WHERE stalls > 0 UNION ALL "
    "SELECT trace FROM spans INDEXED BY spans_open WHERE ended_at IS NULL AND stalls > 0)"
)
# What there is of each, in the order of the alphabet, by the index alone: a look each.
_NEXT: Final = """
WITH RECURSIVE found (value, number) AS (
    SELECT (SELECT min({column}) FROM {table}), 1
    UNION ALL
    SELECT (SELECT min({column}) FROM {table} WHERE {column} > value), number + 1
    FROM found WHERE value IS NOT NULL AND number <= ?
)
SELECT value FROM found WHERE value IS NOT NULL LIMIT ?
"""
_OF_SERVICE: Final = "SELECT id FROM origins WHERE service_of(resource) = ?"
# A span that stands for a trace: its root, or where that is elsewhere another.
IS_ROOT: Final = (
    "r.trace = t.id "
    "AND r.span_id = ifnull(t.root_id, (SELECT min(span_id) FROM spans WHERE trace = t.id))"
)
_IS_OF_SERVICE: Final = (
    f"EXISTS (SELECT 1 FROM spans AS r WHERE {IS_ROOT} AND r.origin IN ({_OF_SERVICE}))"  # noqa: S608 - ours
)
KNOWN: Final = {
    "agent": _NEXT.format(table="traces", column="agent"),
    "conversation": _NEXT.format(table="traces", column="conversation"),
    "model": _NEXT.format(table="models", column="model"),
    "outcome": _NEXT.format(table="traces", column="outcome"),
    "service": (
        "SELECT DISTINCT service_of(resource) AS name FROM origins WHERE name IS NOT NULL "
        "ORDER BY name LIMIT min(?, ?)"
    ),
}


def conditions(asked: TraceFilter, now: int) -> tuple[str, list[object]]:
    """Return what stands after WHERE, for traces as `t`, and its arguments.

    Args:
        asked: the filter; its text is not among the conditions.
        now: in ns since 1970, up to which a running trace has taken.
    """
    found = list(_clauses(asked, now))
    clauses = " AND ".join(clause for clause, _ in found) or "1"
    return clauses, [argument for _, arguments in found for argument in arguments]


def _clauses(asked: TraceFilter, now: int) -> list[tuple[str, list[object]]]:
    clauses: list[tuple[str, list[object]]] = list(_of_service(asked.service))
    if asked.conversation is not None:
        clauses.append(("t.conversation = ?", [asked.conversation]))
    if asked.agent is not None:
        clauses.append(("t.agent = ?", [asked.agent]))
    if asked.model is not None:
        # Of a model that nobody knows, no trace is looked at.
        clauses.append(("EXISTS (SELECT 1 FROM models WHERE model = ?)", [asked.model]))
        clauses.append(
            ("EXISTS (SELECT 1 FROM models WHERE trace = t.id AND model = ?)", [asked.model])
        )
    if asked.outcome == RUNNING:
        clauses.append(("t.open > 0", []))
    elif asked.outcome is not None:
        clauses.append(("t.outcome = ? AND t.open = 0", [asked.outcome]))
    if asked.slower_than is not None:
        took = "CASE WHEN t.open > 0 THEN ? ELSE t.ended_at END - t.started_at > ?"
        clauses.append((took, [now, int(asked.slower_than * 1e9)]))
    if asked.stalled:
        clauses.append((_STALLED, []))
    if asked.since is not None:
        clauses.append(("t.started_at >= ?", [min(int(asked.since.timestamp() * 1e9), _LATEST)]))
    if asked.before is not None:
        clauses.append(("t.started_at < ?", [asked.before]))
    return clauses


def _of_service(service: str | None) -> Iterator[tuple[str, list[object]]]:
    if service is not None:
        # Of a service that nobody knows, no trace is looked at.
        yield f"EXISTS ({_OF_SERVICE})", [service]
        yield _IS_OF_SERVICE, [service]
