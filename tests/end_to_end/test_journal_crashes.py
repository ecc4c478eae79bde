"""Killed at any moment, between an endpoint's receipt and its note too: nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from nodespan.telemetry.journal import Journal
from support.receiving import PlayingReceiver

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from support.receiving import Reply

# Read here: a test's environment has none of the machine's variables.
KILLS = int(os.environ.get("NODESPAN_KILLS", "100"))
# Says of each span when it has ended, on a file that outlives it.
PROGRAM = """
import os, sys, time
from nodespan.telemetry import configure

telemetry = configure()
tracer = telemetry.tracer_provider.get_tracer("application")
told = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
stays_open = tracer.start_span(f"open {sys.argv[2]}")
print("ready", flush=True)
for number in range(1_000_000):
    tracer.start_span(f"span {sys.argv[2]}.{number}").end()
    os.write(told, f"{time.time()} {number}\\n".encode())
    time.sleep(0.001)
"""


@pytest.mark.end_to_end
def test_a_kill_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    """What ended a second before is at the receiver or in the journal; what was open is lost."""
    chance = random.Random(7)  # noqa: S311 - a test's
    receiver = PlayingReceiver()
    victim: list[subprocess.Popen[str]] = []
    kill_times: list[float] = []

    def kill_after_receipt(_: PlayingReceiver, __: list[Span]) -> Reply:
        if victim and chance.random() < 0.02:
            kill_times.append(time.time())
            victim[0].kill()
        return (200, {}, b"")

    receiver.plays = kill_after_receipt
    path = tmp_path / "journal.db"
    variables = {
        "NODESPAN_JOURNAL": str(path),
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        "OTEL_METRICS_EXPORTER": "none",
    }
    expected: set[str] = set()
    for kill in range(KILLS):
        told = tmp_path / "told"
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(told), str(kill)],
            env=os.environ | variables,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            victim[:] = [process]
            kill_times.clear()
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0, 1.8))
            kill_times.append(time.time())
            process.send_signal(signal.SIGKILL)
        # The receiver may have been first, long before.
        killed_at = kill_times[0]
        lines = [line.split() for line in told.read_text().splitlines()]
        expected |= {f"span {kill}.{number}" for at, number in lines if float(at) < killed_at - 1}
    with Journal(path) as journal:
        assert journal.is_sound()
        recorded = {trace.name: trace.outcome for trace in journal.traces(limit=1_000_000)}
        assert journal.open_runs() == []
    receiver.close()
    assert expected
    assert expected <= recorded.keys() | set(receiver.names)
    opened = {name: outcome for name, outcome in recorded.items() if name.startswith("open")}
    assert set(opened.values()) <= {"lost"}
    assert len(opened) >= KILLS // 2
