"""Killed at any moment, between an endpoint's receipt and its note too: nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from nodespan.telemetry.journal import Journal, JournalMissingError
from support.receiving import PlayingReceiver
from support.serving import until

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
# Begins to write when a file is there, as others do at the same moment.
AT_ONCE = """
import sys, time
from pathlib import Path
from nodespan.telemetry import configure

print("ready", flush=True)
while not Path(sys.argv[2]).exists():
    time.sleep(0.001)
tracer = configure().tracer_provider.get_tracer("application")
for number in range(200):
    tracer.start_span(f"span {sys.argv[1]}.{number}").end()
stays_open = tracer.start_span(f"open {sys.argv[1]}")
time.sleep(600)
"""
# Puts another program in its place, which has its id and its start.
REPLACED = """
import os, sys
from nodespan.telemetry import configure

telemetry = configure()
tracer = telemetry.tracer_provider.get_tracer("application")
tracer.start_span("ended").end()
stays_open = tracer.start_span("open")
telemetry.flush()
if len(sys.argv) == 1:
    os.execv(sys.executable, [sys.executable, "-c", os.environ["PROGRAM"], "again"])
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.end_to_end
def test_a_program_that_another_has_replaced_is_dead(tmp_path: Path) -> None:
    """What it left open is lost, and what the other has open is not; both are one process."""
    path = tmp_path / "journal.db"
    with subprocess.Popen(
        [sys.executable, "-c", REPLACED],
        env=os.environ | {"NODESPAN_JOURNAL": str(path), "PROGRAM": REPLACED},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with Journal(path) as journal:
            found = sorted((trace.name, trace.outcome) for trace in journal.traces())
            assert journal.status().writers == (process.pid,)
        process.kill()
    assert found == [("ended", "ok"), ("ended", "ok"), ("open", "lost"), ("open", "running")]


@pytest.mark.end_to_end
def test_processes_that_start_at_once_make_one_journal(tmp_path: Path) -> None:
    """Each one's spans are in it, those of one that is killed too; its open runs alone are lost."""
    path, go, names = tmp_path / "journal.db", tmp_path / "go", "abcde"
    variables = {"NODESPAN_JOURNAL": str(path), "OTEL_METRICS_EXPORTER": "none"}
    with ExitStack() as stack:
        processes = []
        for name in names:
            process = subprocess.Popen(
                [sys.executable, "-c", AT_ONCE, name, str(go)],
                env=os.environ | variables,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stdout is not None
            process.stdout.readline()
            processes.append(process)
        go.touch()
        expected = {f"span {name}.{number}" for name in names for number in range(200)}
        opened = {f"open {name}" for name in names}
        until(lambda: expected | opened <= outcomes(path).keys(), "all is readable", 60)
        processes[0].kill()
        processes[0].wait()
        found = outcomes(path)
    assert {found[name] for name in expected} == {"ok"}
    assert {name for name, outcome in found.items() if outcome == "lost"} == {"open a"}


def outcomes(path: Path) -> dict[str, str | None]:
    """The outcomes of the traces in a journal, by name; none where there is none yet."""
    try:
        with Journal(path) as journal:
            return {trace.name: trace.outcome for trace in journal.traces(limit=10_000)}
    except JournalMissingError:
        return {}


class Killer:
    """Kills one program after another: now and then at a receipt, else a while after its start."""

    def __init__(self) -> None:
        self._chance = random.Random(7)  # noqa: S311 - a test's
        self._victim: subprocess.Popen[str] | None = None
        self._times: list[float] = []

    def at_receipt(self, _: PlayingReceiver, __: list[Span]) -> Reply:
        """Take the spans, and maybe kill whose they are before it knows."""
        if self._victim is not None and self._chance.random() < 0.02:
            self._times.append(time.time())
            self._victim.kill()
        return (200, {}, b"")

    def run(self, told: Path, number: int, variables: dict[str, str]) -> float:
        """Start a program and kill it; return when it was killed."""
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(told), str(number)],
            env=os.environ | variables,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            self._victim = process
            self._times.clear()
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(self._chance.uniform(0, 1.8))
            self._times.append(time.time())
            process.send_signal(signal.SIGKILL)
        # The receiver may have been first, long before.
        return self._times[0]


@pytest.mark.end_to_end
def test_a_kill_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    """What ended a second before is at the receiver or in the journal; what was open is lost."""
    receiver, killer = PlayingReceiver(), Killer()
    receiver.plays = killer.at_receipt
    path, told = tmp_path / "journal.db", tmp_path / "told"
    variables = {
        "NODESPAN_JOURNAL": str(path),
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        "OTEL_METRICS_EXPORTER": "none",
    }
    expected: set[str] = set()
    for kill in range(KILLS):
        killed_at = killer.run(told, kill, variables)
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
