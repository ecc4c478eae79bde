"""The sum of a trace is that of its spans, however they come."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodespan.telemetry._diagnostics import Diagnostics
from nodespan.telemetry._encoding.rows import Origin, SpanRow
from nodespan.telemetry._journal.recording import record, sum_up
from nodespan.telemetry._journal.schema import migrate
from nodespan.telemetry._journal.store import Store
from nodespan.telemetry.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# Of spans that another program has sent: each may be known already.
ALWAYS = 2**63 - 1
ORIGIN = Origin(b"", b"")
SUM = (
    "started_at, ended_at, root_id, name, outcome, error, spans, open, errors, stalls, "
    "input_tokens, output_tokens, cost, first_chunk_at"
)


def row(number: int, *, ended_at: int | None = 5, **more: Any) -> SpanRow:
    """Return a span; the first is the root, the others are below it, a tenth of them judgements."""
    fields: dict[str, Any] = {
        "trace_id": bytes(15) + b"\1",
        "span_id": number.to_bytes(8, "big"),
        "parent_id": None if number == 1 else (1).to_bytes(8, "big"),
        "run_id": None,
        "is_root": number == 1,
        "name": "evaluation grade" if number % 10 == 0 else f"chat {number}",
        "operation": None,
        "started_at": 1 + number,
        "ended_at": ended_at,
        "outcome": "ok" if ended_at is not None else None,
        "error": None,
        "agent": None,
        "conversation": None,
        "origin": ORIGIN,
    }
    fields |= more
    return SpanRow(**fields, span=repr(sorted(fields.items(), key=str)).encode())


def write(connection: sqlite3.Connection, rows: Sequence[SpanRow]) -> None:
    """Write spans that were received."""
    record(connection, rows, owner=None, destination=None, known=(), since=ALWAYS)


rows = st.builds(
    row,
    st.sampled_from([1, 2, 3, 4, 10, 20]),
    ended_at=st.one_of(st.none(), st.integers(10, 30)),
    outcome=st.sampled_from(["ok", "error", "lost"]),
    error=st.sampled_from([None, "KeyError"]),
    input_tokens=st.one_of(st.none(), st.integers(0, 9)),
    cost=st.one_of(st.none(), st.integers(0, 9)),
    stalls=st.one_of(st.none(), st.integers(0, 2)),
    first_chunk_at=st.one_of(st.none(), st.integers(2, 9)),
)


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    """A connection to a journal in memory."""
    made = sqlite3.connect(":memory:", isolation_level=None)
    migrate(made)
    yield made
    made.close()


@given(st.lists(st.lists(rows, min_size=1, max_size=5), min_size=1, max_size=5))
def test_a_sum_is_the_same_by_parts_and_anew(
    connection: sqlite3.Connection, batches: list[list[SpanRow]]
) -> None:
    """Of spans in any order: open, ended, sent again as they were, or otherwise."""
    connection.execute("BEGIN")
    try:
        for batch in batches:
            write(connection, [each if each.ended_at else as_open(each) for each in batch])
        query = f"SELECT {SUM} FROM traces"  # noqa: S608 - ours
        by_parts = connection.execute(query).fetchall()
        (number,) = connection.execute("SELECT id FROM traces").fetchone()
        sum_up(connection, [number])
        assert by_parts == connection.execute(query).fetchall()
    finally:
        connection.execute("ROLLBACK")


def as_open(row: SpanRow) -> SpanRow:
    """Return a span that goes on: how it ends is not known."""
    return row._replace(outcome=None, error=None, first_chunk_at=None)


@pytest.mark.slow
def test_a_long_trace_costs_by_what_comes(tmp_path: Path) -> None:
    """Its last batch does not take more of the database's steps than one in the middle."""
    store = Store(tmp_path / "journal.db", Diagnostics())
    steps: list[int] = []
    with store.transaction() as connection:
        for batch in range(40):
            taken = [0]

            def count(taken: list[int] = taken) -> None:
                taken[0] += 1

            connection.set_progress_handler(count, 10)
            write(connection, [row(1 + batch * 50 + number) for number in range(50)])
            connection.set_progress_handler(None, 0)
            steps.append(taken[0])
    store.close()
    assert steps[-1] < 2 * steps[5]
    with Journal(tmp_path / "journal.db") as journal:
        assert [trace.spans for trace in journal.traces()] == [2_000]


def test_spans_keep_their_order(tmp_path: Path) -> None:
    """It is that in which they are sent on, whichever of them the journal may know already."""
    store = Store(tmp_path / "journal.db", Diagnostics())
    with store.transaction() as connection:
        some = [row(number) for number in (3, 9, 2, 8, 1)]
        record(connection, some, owner=None, destination=None, known=(), since=5)
        found = connection.execute("SELECT span_id FROM spans ORDER BY id").fetchall()
    store.close()
    assert [int.from_bytes(span_id) for (span_id,) in found] == [3, 9, 2, 8, 1]


def test_what_is_sent_again_as_it_was_is_not_written(tmp_path: Path) -> None:
    """An answer was lost: the whole request comes once more."""
    store = Store(tmp_path / "journal.db", Diagnostics())
    sent = [row(number) for number in range(1, 100)]
    with store.transaction() as connection:
        write(connection, sent)
        written = connection.total_changes
        write(connection, sent)
        assert connection.total_changes - written <= 1  # who made them
    store.close()
