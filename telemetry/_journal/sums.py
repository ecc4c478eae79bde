"""What rows of spans add to the sums of their traces (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._encoding.rows import ERROR, LOST

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .._encoding.rows import SpanRow

_FAILURES: Final = (ERROR, LOST)
_JUDGEMENT: Final = "evaluation "

PUT_TRACES: Final = """
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
# A row of it as SQL.
TRACE: Final = f"(?{', ?' * 17})"


def is_judgement(row: SpanRow) -> bool:
    """Say whether a span is a judgement, which may come days after what it judges."""
    return row.name.startswith(_JUDGEMENT)


def sums_of(
    rows: Sequence[SpanRow], is_known: Callable[[SpanRow], bool]
) -> list[tuple[object, ...]]:
    """Return what rows add to each of their traces.

    Args:
        rows: of spans.
        is_known: says of one whether it is counted already, as open.
    """
    sums: dict[bytes, _Sum] = {}
    for row in rows:
        total = sums.get(row.trace_id)
        if total is None:
            total = sums[row.trace_id] = _Sum(row)
        total.add(row, is_known=is_known(row))
    return [total.values(name) for name, total in sums.items()]


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
        """Take a span, which is known already where its start was taken."""
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
        # The trace is over when what is judged is.
        if row.parent_id is None or not is_judgement(row):
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
        """Return the sum as a row of traces."""
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
