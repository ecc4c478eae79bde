"""A filter of traces as SQL that the journal's indices answer (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .records import RUNNING

if TYPE_CHECKING:
    from .records import TraceFilter


def conditions(asked: TraceFilter, now: int) -> tuple[str, list[object]]:
    """Return what stands after WHERE, for traces as `t`, and its arguments.

    Args:
        asked: the filter; its text is not among the conditions.
        now: in ns since 1970, up to which a running trace has taken.
    """
    told = list(_told(asked, now))
    clauses = " AND ".join(clause for clause, _ in told) or "1"
    return clauses, [argument for _, arguments in told for argument in arguments]


def _told(asked: TraceFilter, now: int) -> list[tuple[str, list[object]]]:
    told: list[tuple[str, list[object]]] = []
    if asked.conversation is not None:
        told.append(("t.conversation = ?", [asked.conversation]))
    if asked.agent is not None:
        told.append(("t.agent = ?", [asked.agent]))
    if asked.model is not None:
        told.append(
            ("EXISTS (SELECT 1 FROM models WHERE trace = t.id AND model = ?)", [asked.model])
        )
    if asked.outcome == RUNNING:
        told.append(("t.open > 0", []))
    elif asked.outcome is not None:
        told.append(("t.outcome = ? AND t.open = 0", [asked.outcome]))
    if asked.slower_than is not None:
        took = "CASE WHEN t.open > 0 THEN ? ELSE t.ended_at END - t.started_at > ?"
        told.append((took, [now, int(asked.slower_than * 1e9)]))
    if asked.stalled:
        told.append(("t.stalls > 0", []))
    if asked.since is not None:
        told.append(("t.started_at >= ?", [int(asked.since.timestamp() * 1e9)]))
    if asked.before is not None:
        told.append(("t.started_at < ?", [asked.before]))
    return told
