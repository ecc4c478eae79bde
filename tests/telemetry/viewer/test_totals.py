"""What the list's totals, and its marks, say of traces that run, and of what nobody counted."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from langchain_core.messages import AIMessage

from nodespan.model import ScriptedChatModel
from nodespan.telemetry import OpenTelemetryCallbackHandler
from nodespan.telemetry.journal import Journal, TraceFilter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from langchain_core.messages import AIMessageChunk
    from langchain_core.messages.ai import UsageMetadata
    from langchain_core.runnables import RunnableConfig
    from starlette.testclient import TestClient

    from support.recording import Recording


def test_a_trace_whose_stalled_call_is_still_open_has_stalled(
    recording: Recording, viewer: TestClient, tmp_path: Path
) -> None:
    """The list, its filter, its totals and the journal's own traces all have the open stall."""
    path = tmp_path / "journal.db"
    stream = stream_of(recording, "Meow, says the cat")
    next(stream)
    recording.flush()
    with sqlite3.connect(path) as journal:
        journal.execute("UPDATE spans SET stalls = 2 WHERE ended_at IS NULL")
    listed = viewer.get("/api/traces?stalled=1").json()
    assert (listed["total"], listed["columns"]["stalls"]) == (1, [2])
    assert viewer.get("/api/totals?stalled=1").json()["stalls"] == 2
    with Journal(path) as journal_:
        assert [each.stalls for each in journal_.traces(TraceFilter(stalled=True))] == [2]
    list(stream)


@pytest.mark.parametrize("is_counted", [False, True])
def test_totals_and_conversations_tell_estimates_from_counts(
    recording: Recording, viewer: TestClient, *, is_counted: bool
) -> None:
    """Tokens that no model has counted are marked wherever they are added up."""
    counted: UsageMetadata = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    answer = AIMessage("Meow", usage_metadata=counted if is_counted else None)
    handler = OpenTelemetryCallbackHandler(tracer_provider=recording.provider)
    config: RunnableConfig = {"callbacks": [handler], "metadata": {"thread_id": "cats"}}
    ScriptedChatModel([answer]).invoke("Hi", config)
    recording.flush()
    assert viewer.get("/api/totals").json()["is_estimated"] is not is_counted
    (talk,) = viewer.get("/api/conversations").json()["conversations"]
    assert talk["is_estimated"] is not is_counted


@pytest.mark.parametrize("count", [1, 2, 19, 20, 21, 40, 41])
def test_a_95th_percentile_is_the_least_that_19_of_20_do_not_exceed(
    recording: Recording, viewer: TestClient, tmp_path: Path, count: int
) -> None:
    """Of the nearest rank, for few traces and many."""
    for _ in range(count):
        list(stream_of(recording, "Meow"))
    recording.flush()
    with sqlite3.connect(tmp_path / "journal.db") as journal:
        journal.execute("UPDATE traces SET ended_at = started_at + 1000000 * id")
        times = [number for (number,) in journal.execute("SELECT id FROM traces ORDER BY id")]
    least = next(time for time in times if 20 * sum(it <= time for it in times) >= 19 * count)
    assert viewer.get("/api/totals").json()["duration_p95_ms"] == least


def stream_of(recording: Recording, text: str) -> Iterator[AIMessageChunk]:
    """A stream of a model's answer."""
    handler = OpenTelemetryCallbackHandler(tracer_provider=recording.provider)
    return ScriptedChatModel([text]).stream("Hi", {"callbacks": [handler]})
