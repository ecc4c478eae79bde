"""Whatever is done to a journal, in whatever order: it knows what was recorded and what is owed."""

from __future__ import annotations

import os
import signal
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from opentelemetry.trace import Span, set_span_in_context

from nodespan.telemetry._journal.retention import Retention, make_room
from nodespan.telemetry._settings.variables import Signal
from nodespan.telemetry._spool.endpoint import destination_of, endpoint_of
from nodespan.telemetry._spool.forwarder import Forwarder
from nodespan.telemetry.journal import Journal
from support.receiving import OK, PlayingReceiver
from support.recording import Recording

if TYPE_CHECKING:
    from support.receiving import Reply

RUNNING, ENDED, LOST = "running", "ok", "lost"
TROUBLES: tuple[Reply, ...] = (
    (503, {}, b""),
    (200, {"Content-Type": "text/html"}, b"<html>"),
    None,
)


class Machine(RuleBasedStateMachine):
    """Writes, reads, forwards, compacts and is killed; beside it, what must be so."""

    open_spans = Bundle("open_spans")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "journal.db"
        self.receiver = PlayingReceiver()
        self.endpoints = {
            signal: endpoint_of(signal, self.receiver.endpoint, None, {})
            for signal in (Signal.TRACES, Signal.LOGS)
        }
        self.number = 0
        self.outcomes: dict[str, str] = {}  # of the spans that the journal has
        self.traces: dict[str, str] = {}  # by span, the name of its trace's root
        self.owed: set[str] = set()
        self.sent: set[str] = set()
        self.dropped = self.refused = self.lost = 0
        self.recording = self.opened()
        self.forwarder = self.forwarding()

    def opened(self) -> Recording:
        """Return a journal that this process writes."""
        return Recording(self.path, destination=destination_of(self.endpoints))

    def forwarding(self) -> Forwarder:
        """Return what sends what it owes, step by step."""
        recording = self.recording
        destination = destination_of(self.endpoints)
        return Forwarder(recording.store, destination, self.endpoints, recording.diagnostics)

    def named(self, root: str | None = None) -> str:
        """Return the name of one more span."""
        self.number += 1
        name = f"span {self.number}"
        self.traces[name] = root or name
        return name

    @rule(target=open_spans)
    def start(self) -> tuple[str, Span]:
        """A run starts."""
        name = self.named()
        self.outcomes[name] = RUNNING
        return name, self.recording.tracer.start_span(name)

    @rule(target=open_spans, parent=open_spans)
    def start_within(self, parent: tuple[str, Span]) -> tuple[str, Span]:
        """Another starts within one that is open."""
        name = self.named(self.traces[parent[0]])
        self.outcomes[name] = RUNNING
        context = set_span_in_context(parent[1])
        return name, self.recording.tracer.start_span(name, context)

    @rule(span=consumes(open_spans))
    def end(self, span: tuple[str, Span]) -> None:
        """A run ends, its children or not."""
        span[1].end()
        self.outcomes[span[0]] = ENDED
        self.owed.add(span[0])

    @rule(count=st.integers(1, 30))
    def many(self, count: int) -> None:
        """Many start and end at once."""
        for _ in range(count):
            name = self.named()
            self.recording.tracer.start_span(name).end()
            self.outcomes[name] = ENDED
            self.owed.add(name)

    @rule()
    def forward(self) -> None:
        """The endpoint takes all that it is owed."""
        self.sends(OK)
        self.sent |= self.owed
        self.owed.clear()

    @rule(reply=st.sampled_from(TROUBLES))
    def forward_in_vain(self, reply: Reply) -> None:
        """The endpoint takes nothing now."""
        self.sends(reply)

    @rule()
    def forward_and_die(self) -> None:
        """The endpoint has taken what it is owed, and nobody took note."""
        self.recording.flush()
        batch = self.forwarder._next()
        if batch is not None:
            self.receiver.plays = lambda *_: OK
            self.forwarder._connections[batch.signal].send(batch.request())

    @rule()
    @precondition(lambda self: self.owed)
    def forward_what_is_refused(self) -> None:
        """The endpoint refuses all for good: it is set aside."""
        self.sends((400, {}, b""))
        self.refused += len(self.owed)
        self.owed.clear()

    def sends(self, reply: Reply) -> None:
        """Send for as long as there is something, with an endpoint that answers so."""
        self.recording.flush()
        self.receiver.plays = lambda *_: reply
        for _ in range(100):
            if not self.forwarder._forward():
                return

    @rule()
    def compact(self) -> None:
        """All that is over goes, owed or not, and what was owed is counted."""
        self.recording.flush()
        running = {
            self.traces[name] for name, outcome in self.outcomes.items() if outcome == RUNNING
        }
        gone = {name for name in self.outcomes if self.traces[name] not in running}
        dropped = make_room(self.recording.store, Retention(most_days=0))
        assert dropped == len(gone & self.owed)
        self.dropped += dropped
        self.owed -= gone
        for name in gone:
            del self.outcomes[name]

    @rule(left_open=st.integers(0, 3), ended=st.integers(0, 3))
    def kill(self, left_open: int, ended: int) -> None:
        """Another process writes, and is killed."""
        open_names = [self.named() for _ in range(left_open)]
        ended_names = [self.named() for _ in range(ended)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads
            child = os.fork()
        if not child:
            try:
                other = self.opened()
                _kept = [other.tracer.start_span(name) for name in open_names]
                for name in ended_names:
                    other.tracer.start_span(name).end()
                other.flush()
            finally:
                os.kill(os.getpid(), signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        self.outcomes |= dict.fromkeys(open_names, LOST) | dict.fromkeys(ended_names, ENDED)
        self.owed.update(open_names, ended_names)
        self.lost += left_open

    @rule()
    @precondition(lambda self: RUNNING not in self.outcomes.values())
    def open_anew(self) -> None:
        """A process ends, and another begins."""
        self.recording.writer.stop(60)
        self.recording = self.opened()
        self.forwarder = self.forwarding()

    @invariant()
    def all_is_known(self) -> None:
        """What a reader finds is what was done."""
        self.recording.flush()
        with Journal(self.path) as journal:
            rows = journal._all("SELECT name, ifnull(outcome, 'running') FROM spans")
            found = dict(rows)
            assert len(rows) == len(found)
            for trace in journal.traces(limit=3):
                spans = {span.name: span.outcome for span in journal.trace(trace.trace_id).spans}
                assert spans.items() <= found.items()
                assert (RUNNING in spans.values()) == (trace.outcome == RUNNING)
            status = journal.status()
            running = {run.name for run in journal.open_runs()}
        assert found == self.outcomes
        assert running == {name for name, outcome in found.items() if outcome == RUNNING}
        assert sum(each.spans for each in status.backlogs) == len(self.owed)
        told = (status.dropped, status.refused, status.lost, status.open_spans)
        assert told == (self.dropped, self.refused, self.lost, len(running))
        assert self.sent <= set(self.receiver.names)

    def teardown(self) -> None:
        """Whatever came, the file is sound, and the rest can be sent."""
        self.sends(OK)
        assert self.owed <= set(self.receiver.names)
        with Journal(self.path) as journal:
            assert journal.is_sound()
            assert sum(each.spans for each in journal.status().backlogs) == 0
        self.recording.writer.stop(60)
        self.receiver.close()
        self.folder.cleanup()


@pytest.mark.end_to_end
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_journal_knows_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing, reading, forwarding, compacting and killing go together in any order."""
    for name in ("_FIRST_WAIT", "_LONGEST_WAIT"):  # nothing is left alone between the steps
        monkeypatch.setattr(f"nodespan.telemetry._spool.forwarder.{name}", 0.0)
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=int(os.environ.get("NODESPAN_EXAMPLES", "10")),
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            database=None,
        ),
    )
