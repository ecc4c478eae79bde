"""An endpoint that goes away, hangs, answers garbage and comes back: afterwards it has all."""

from __future__ import annotations

import sys
import time
from collections import Counter
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING

import pytest

from nodespan.telemetry.journal import Journal
from support.processes import environment_of_programs
from support.receiving import PlayingReceiver, takes_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Many agents at once, until it is told to stop; then it says how many spans there were.
PROGRAM = """
import sys, threading, time
from nodespan.telemetry import configure

telemetry = configure()
tracer = telemetry.tracer_provider.get_tracer("application")
is_over = threading.Event()
made = [0] * 8

def work(agent):
    while not is_over.is_set():
        for _ in range(5):
            with tracer.start_as_current_span(f"root {agent}.{made[agent]}"):
                tracer.start_span(f"child {agent}.{made[agent]}").end()
            made[agent] += 1
        time.sleep(0.05)

threads = [threading.Thread(target=work, args=(agent,)) for agent in range(len(made))]
for thread in threads: thread.start()
print("ready", flush=True)
sys.stdin.readline()
is_over.set()
for thread in threads: thread.join()
print(*made, flush=True)
sys.stdin.readline()
telemetry.flush(60)
print(telemetry.unsent, telemetry.dropped, flush=True)
telemetry.shutdown()
"""
SECONDS = 3.0


@pytest.fixture
def receiver() -> Iterator[PlayingReceiver]:
    """A receiver that plays along."""
    receiver = PlayingReceiver()
    yield receiver
    receiver.close()


def is_away(receiver: PlayingReceiver) -> None:
    """Refuse connections."""
    receiver.go_away()
    time.sleep(SECONDS)
    receiver.come_back()


def hangs(receiver: PlayingReceiver) -> None:
    """Take requests, and answer none; then lose them."""
    receiver.plays = receiver.hang
    time.sleep(SECONDS)
    receiver.released.set()
    receiver.plays = takes_all
    receiver.released.clear()


def answers_garbage(receiver: PlayingReceiver) -> None:
    """Answer as proxies, portals and broken servers do."""
    replies = [
        (503, {}, b""),
        (429, {"Retry-After": "1"}, b""),
        (200, {"Content-Type": "text/html"}, b"<html>"),
        None,
        (200, {}, b"\xff\xff"),
        (502, {"Content-Type": "text/html"}, b"<html>Bad gateway</html>"),
    ]
    receiver.plays = lambda *_: replies[receiver.requests % len(replies)]
    time.sleep(SECONDS)
    receiver.plays = takes_all


def through_outages(variables: dict[str, str], receiver: PlayingReceiver) -> tuple[list[int], str]:
    """Run the program through three of each; return how many spans it made, and what it logged."""
    with Popen(
        [sys.executable, "-c", PROGRAM],
        env=variables,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        text=True,
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline() == "ready\n"
        for _ in range(3):
            for trouble in (is_away, hangs, answers_garbage):
                trouble(receiver)
                time.sleep(SECONDS / 3)
        program.stdin.write("stop\n")
        program.stdin.flush()
        made = [int(count) for count in program.stdout.readline().split()]
        program.stdin.write("flush\n")
        program.stdin.flush()
        assert program.stdout.readline() == "0 0\n"
        assert program.wait(60) == 0
        return made, program.stderr.read()


@pytest.mark.end_to_end
def test_an_outage_costs_no_span(tmp_path: Path, receiver: PlayingReceiver) -> None:
    """Three of each kind, under load: every span is at the receiver, and nothing is owed."""
    path = tmp_path / "journal.db"
    variables = environment_of_programs(
        NODESPAN_JOURNAL=str(path),
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
        OTEL_METRICS_EXPORTER="none",
    )
    made, told = through_outages(variables, receiver)
    assert "the endpoint does not take spans; they wait in the journal" in told
    assert told.count("\n") < 20
    expected = {
        f"{kind} {agent}.{number}"
        for agent, count in enumerate(made)
        for number in range(count)
        for kind in ("root", "child")
    }
    assert min(made) > 10
    assert expected == set(receiver.names)
    # What the endpoint took, and said so too late or not at all, came once more; no more than that.
    assert Counter(receiver.names).most_common(1)[0][1] <= 4
    with Journal(path) as journal:
        status = journal.status()
        assert journal.is_sound()
    assert [(each.spans, each.refused) for each in status.backlogs] == [(0, 0)]
    assert (status.dropped, status.lost, status.refused, status.open_spans) == (0, 0, 0, 0)
    assert status.spans == len(expected)
