"""What goes on in a journal is read again and again, whatever becomes of its file."""

from __future__ import annotations

import os
from dataclasses import replace
from time import time_ns
from typing import TYPE_CHECKING

import pytest

from nodespan.telemetry._reading.activity import _Call
from nodespan.telemetry.journal import (
    Activity,
    Journal,
    JournalMissingError,
    JournalWatch,
    TraceNotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.recording import Recording

S = 10**9
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "cat-1"}


def record_call(
    recording: Recording,
    started: int,
    ended: int,
    *,
    tokens: int = 10,
    first: float = 0.5,
    **more: str | int,
) -> None:
    """Record a trace of one call of a model."""
    attributes = {
        **CHAT,
        "gen_ai.usage.output_tokens": tokens,
        "gen_ai.response.time_to_first_chunk": first,
        **more,
    }
    span = recording.tracer.start_span("chat", start_time=started, attributes=attributes)
    span.end(ended)


class TestActivity:
    """What the last minutes have brought."""

    def test_of_what_ran(self, recording: Recording) -> None:
        """Calls that ended in the time count, whenever they started; older ones do not."""
        now = time_ns()
        record_call(recording, now - 4 * S, now - 3 * S, tokens=20, first=0.5)
        # Long, and ended just now.
        record_call(recording, now - 900 * S, now - 2 * S, tokens=10, first=1.5)
        record_call(recording, now - 900 * S, now - 800 * S)
        with recording.read() as journal:
            found = journal.activity(300)
        assert (found.traces, found.calls, found.output_tokens) == (2, 2, 30)
        assert found.mean_time_to_first_chunk == pytest.approx(1.0)
        assert found.slowest_first_chunk == pytest.approx(1.5)
        assert (found.running, found.failed_traces, found.left_out) == (0, 0, 0)
        assert 2.0 < found.tokens_per_second < 2.2

    def test_failures(self, recording: Recording) -> None:
        """A trace that failed is told apart from one that went on after a failure within."""
        failed = {"nodespan.outcome": "error", "error.type": "Oops"}
        for name, outcome in (("failed", failed), ("mended", {})):
            with recording.tracer.start_as_current_span(name, attributes=outcome):
                recording.tracer.start_span("inner", attributes=failed).end()
        with recording.read() as journal:
            found = journal.activity(300)
        assert (found.failed_traces, found.traces_with_errors) == (1, 1)
        assert {trace.name for trace in found.failures} == {"failed", "mended"}

    def test_what_is_open(self, recording: Recording) -> None:
        """Open traces come the oldest first, with their open spans; a call that waits is told."""
        now = time_ns()
        old = recording.tracer.start_span("old", start_time=now - 60 * S)
        call = recording.tracer.start_span("chat", start_time=now - 7 * S, attributes=CHAT)
        with recording.read() as journal:
            found = journal.activity(1)
        old.end()
        call.end()
        assert [trace.name for trace in found.open_traces] == ["old", "chat"]
        assert {run.name for run in found.open_runs} == {"old", "chat"}
        assert found.running == 2
        assert found.longest_wait is not None
        assert 7 <= found.longest_wait < 60

    @pytest.mark.slow
    def test_is_bounded(self, recording: Recording) -> None:
        """Of very many traces the newest are looked at, and the others counted."""
        now = time_ns()
        for number in range(2_010):
            record_call(recording, now - S - number, now)
        with recording.read() as journal:
            found = journal.activity(300)
        assert (found.traces, found.left_out) == (2_000, 10)

    @pytest.mark.parametrize(
        ("call", "tokens"),
        [
            ({}, 5.0),
            ({"ended_at": 5 * S}, 10.0),
            ({"ended_at": None, "last_chunk_at": 10 * S}, 4.0),
            ({"ended_at": None, "last_chunk_at": 10 * S, "chunks": None}, 0.0),
            ({"started_at": 20 * S, "first_chunk_at": 20 * S}, 0.0),
            ({"output_tokens": None}, 0.0),
            ({"started_at": 3 * S, "first_chunk_at": 3 * S, "ended_at": 3 * S}, 10.0),
            ({"ended_at": -1}, 0.0),
        ],
        ids=str,
    )
    def test_tokens_come_evenly(self, call: dict[str, int | None], tokens: float) -> None:
        """Of a call those tokens count that came in the time, if all came evenly."""
        whole = _Call(0, 10 * S, 0, None, 8, 10, 0)
        changed = replace(whole, **call)  # type: ignore[arg-type]  # of the parameters
        assert changed.tokens_between(0, 5 * S) == pytest.approx(tokens)


class TestWatch:
    """A file that is there or not, and may be another one at any time."""

    def test_it_is_waited_for(
        self, tmp_path: Path, start_recording: Callable[..., Recording]
    ) -> None:
        """A journal that is not there yet is no error, and is read as soon as it is."""
        with JournalWatch(tmp_path / "journal.db") as watch:
            assert watch.read(Journal.activity) is None
            assert watch.is_missing
            assert isinstance(watch.trouble, JournalMissingError)
            recording = start_recording()
            recording.tracer.start_span("root").end()
            recording.flush()
            found = watch.read(Journal.activity)
            assert isinstance(found, Activity)
            assert (found.traces, watch.trouble, watch.is_missing) == (1, None, False)

    def test_another_file_in_its_place_is_read(
        self, tmp_path: Path, start_recording: Callable[..., Recording]
    ) -> None:
        """A journal that was moved aside is let go of, and the new one read."""
        first = start_recording()
        for name in ("a", "b"):
            first.tracer.start_span(name).end()
        first.flush()
        with JournalWatch(tmp_path / "journal.db") as watch:
            assert len(watch.read(Journal.traces) or ()) == 2
            first.writer.stop(10)
            for path in tmp_path.iterdir():
                os.rename(path, tmp_path / f"old-{path.name}")  # noqa: PTH104 - as it is done
            assert watch.read(Journal.traces) is None
            second = start_recording()
            second.tracer.start_span("c").end()
            second.flush()
            assert [one.name for one in watch.read(Journal.traces) or ()] == ["c"]

    def test_a_damaged_file_is_told(
        self, tmp_path: Path, start_recording: Callable[..., Recording]
    ) -> None:
        """What cannot be read just now is said, and tried again."""
        recording = start_recording()
        recording.tracer.start_span("root").end()
        recording.flush()
        recording.writer.stop(10)
        path = tmp_path / "journal.db"
        whole = path.read_bytes()
        with JournalWatch(path) as watch:
            path.write_bytes(whole[:2000])
            assert watch.read(Journal.traces) is None
            assert str(path) in str(watch.trouble)
            assert not watch.is_missing
            path.write_bytes(whole)
            assert len(watch.read(Journal.traces) or ()) == 1

    def test_a_wrong_question_is_the_askers(self, recording: Recording) -> None:
        """That there is no such trace is no trouble of the journal's."""
        recording.flush()
        with JournalWatch(recording.path) as watch:
            with pytest.raises(TraceNotFoundError):
                watch.read(lambda journal: journal.trace("last"))
            assert watch.trouble is None
