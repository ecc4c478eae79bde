"""The journal keeps within its bounds, and counts what it drops before an endpoint had it."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.trace import set_span_in_context

from nodespan.telemetry._journal.retention import Retention, make_room
from nodespan.telemetry._spool.destinations import Destination
from nodespan.telemetry.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Span

    from support.recording import Recording

DAY = 86_400 * 10**9
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "cat-1"}
SOMEWHERE = Destination("http://127.0.0.1:9/v1/traces")


def make(recording: Recording, name: str, *, days_ago: float = 0, size: int = 0) -> Span:
    """Record a span that started so long ago; it is open."""
    attributes: dict[str, Any] = CHAT | ({"text": "x" * size} if size else {})
    at = time_ns() - int(days_ago * DAY)
    return recording.tracer.start_span(name, attributes=attributes, start_time=at)


def names(recording: Recording) -> set[str]:
    """Return the names of the traces in the journal."""
    with Journal(recording.path) as journal:
        return {trace.name for trace in journal.traces(limit=10_000)}


def count(recording: Recording, table: str) -> int:
    """Return how many rows a table has."""
    return int(recording.store.read(f"SELECT count(*) FROM {table}")[0])  # noqa: S608 - a test's


@pytest.mark.parametrize("destination", [None, SOMEWHERE], ids=["owed to nobody", "owed"])
def test_what_is_too_old_goes(
    start_recording: Callable[..., Recording], destination: Destination | None
) -> None:
    """With all that belongs to it; what runs still stays; what was owed counts as dropped."""
    recording = start_recording(destination=destination)
    make(recording, "old", days_ago=31).end()
    running = make(recording, "running", days_ago=31)
    make(recording, "new", days_ago=29).end()
    recording.flush()
    owed = 0 if destination is None else 1
    assert make_room(recording.store, Retention(most_days=30)) == owed
    assert names(recording) == {"running", "new"}
    assert (count(recording, "spans"), count(recording, "models")) == (2, 2)
    with Journal(recording.path) as journal:
        assert journal.status().dropped == owed
    assert make_room(recording.store, Retention(most_days=30)) == 0
    running.end()
    recording.flush()
    make_room(recording.store, Retention(most_days=30))
    assert names(recording) == {"new"}


def test_days_can_be_parts_of_a_day(recording: Recording) -> None:
    """An hour is a twenty-fourth of one."""
    make(recording, "before", days_ago=2 / 24).end()
    make(recording, "now").end()
    recording.flush()
    make_room(recording.store, Retention(most_days=1 / 24))
    assert names(recording) == {"now"}


def test_what_was_delivered_goes_first_then_the_oldest(
    start_recording: Callable[..., Recording],
) -> None:
    """The size is kept; nothing that is owed is dropped while there is something else."""
    owing, free = start_recording(destination=SOMEWHERE), start_recording()
    for number in range(20):
        make(owing, f"owed {number:02}", days_ago=9 - number / 10, size=20_000).end()
        make(free, f"free {number:02}", days_ago=5 - number / 10, size=20_000).end()
    owing.flush()
    free.flush()
    assert make_room(owing.store, Retention(most_bytes=700_000)) == 0
    kept = names(owing)
    assert {f"owed {number:02}" for number in range(20)} <= kept
    assert "free 00" not in kept
    dropped = make_room(owing.store, Retention(most_bytes=300_000))
    kept = names(owing)
    assert 0 < dropped < 20
    assert kept == {f"owed {number:02}" for number in range(dropped, 20)}
    with Journal(owing.path) as journal:
        assert journal.status().dropped == dropped


@pytest.mark.slow
def test_a_trace_that_never_ends_does_not_fill_the_disk(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its oldest spans that have ended go; its open ones stay, and the file gets smaller."""
    monkeypatch.setattr("nodespan.telemetry._journal.retention._PAGES_AT_ONCE", 100)
    root = make(recording, "root")
    for number in range(100):
        child = recording.tracer.start_span(
            f"child {number}", set_span_in_context(root), attributes={"text": "x" * 100_000}
        )
        child.end()
    recording.flush()
    recording.store.close()  # what is in the log goes into the file
    before = recording.path.stat().st_size
    make_room(recording.store, Retention(most_bytes=200_000))
    recording.store.close()
    assert recording.path.stat().st_size < before / 2
    with Journal(recording.path) as journal:
        assert [run.name for run in journal.open_runs()] == ["root"]
        assert journal.is_sound()
    root.end()
    recording.flush()
    assert names(recording) == {"root"}


@pytest.mark.parametrize("days", [1e5, 1e300, float("inf")])
def test_whoever_keeps_all_may_say_so(recording: Recording, days: float) -> None:
    """No number of days is too many."""
    make(recording, "mine").end()
    recording.flush()
    assert make_room(recording.store, Retention(most_days=days)) == 0
    assert names(recording) == {"mine"}


def test_what_is_within_the_bounds_stays(recording: Recording) -> None:
    """To look costs nothing that is there."""
    make(recording, "mine").end()
    recording.flush()
    assert make_room(recording.store, Retention()) == 0
    assert names(recording) == {"mine"}
