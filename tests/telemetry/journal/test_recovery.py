"""When a process dies, its open runs are found, ended as lost, and never a living process's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nodespan.telemetry._encoding.rows import LOST
from nodespan.telemetry._journal.owners import Owner
from nodespan.telemetry.journal import Journal, TraceFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.recording import Recording

# Records one ended child, and leaves the root and a stream open; says so, and waits.
DYING = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from support.recording import Recording
from opentelemetry.trace import set_span_in_context

recording = Recording(Path(sys.argv[1]))
root = recording.tracer.start_span("root")
context = set_span_in_context(root)
recording.tracer.start_span("ended", context).end()
stream = recording.tracer.start_span("chat", context)
recording.flush()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def dying(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process with open runs in the journal, which can be killed."""
    here = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", DYING, str(tmp_path / "journal.db"), here],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


@pytest.mark.slow
def test_what_was_open_at_a_kill_is_lost(dying: subprocess.Popen[str], tmp_path: Path) -> None:
    """The next reader ends it, with status ERROR, not before it started nor in the future."""
    path = tmp_path / "journal.db"
    with Journal(path) as journal:
        assert [trace.outcome for trace in journal.traces()] == ["running"]
    dying.send_signal(signal.SIGKILL)
    dying.wait()
    with Journal(path) as journal:
        (trace,) = journal.traces(TraceFilter(outcome=LOST))
        spans = {span.name: span for span in journal.trace("last").spans}
        assert journal.open_runs() == []
        assert journal.status().lost == 2
    assert (trace.open_spans, trace.spans, trace.errors, trace.error) == (0, 3, 2, LOST)
    assert (spans["ended"].outcome, spans["ended"].status) == ("ok", "unset")
    for name in ("root", "chat"):
        span = spans[name]
        assert (span.outcome, span.status, span.error) == (LOST, "error", LOST)
        assert span.attributes == {"nodespan.outcome": LOST, "error.type": LOST}
        assert span.ended_at is not None
        assert span.ended_at >= span.started_at
        assert span.ended_at >= (spans["ended"].ended_at or 0)


@pytest.mark.slow
def test_a_zombie_is_dead(dying: subprocess.Popen[str], tmp_path: Path) -> None:
    """A process that nobody has waited for holds its id, and runs no more."""
    os.kill(dying.pid, signal.SIGKILL)
    os.waitid(os.P_PID, dying.pid, os.WEXITED | os.WNOWAIT)
    with Journal(tmp_path / "journal.db") as journal:
        assert [trace.outcome for trace in journal.traces()] == [LOST]


@pytest.mark.slow
def test_a_living_process_keeps_its_runs(dying: subprocess.Popen[str], tmp_path: Path) -> None:
    """One that is stopped, and says nothing for long, lives."""
    dying.send_signal(signal.SIGSTOP)
    path = tmp_path / "journal.db"
    with Journal(path) as journal:
        assert [trace.outcome for trace in journal.traces()] == ["running"]
    dying.send_signal(signal.SIGCONT)


@pytest.mark.slow
def test_a_writer_finds_the_dead_too(
    dying: subprocess.Popen[str], start_recording: Callable[..., Recording]
) -> None:
    """The next process that writes ends them before it writes its own."""
    dying.send_signal(signal.SIGKILL)
    dying.wait()
    recording = start_recording()
    recording.tracer.start_span("mine").end()
    with recording.read() as journal:
        told = {trace.name: trace.outcome for trace in journal.traces()}
    assert told == {"root": LOST, "mine": "ok"}


def test_a_process_id_that_is_used_again_is_another_process() -> None:
    """A process is known by its id and its start; where it cannot be seen, by its heartbeat."""
    here = Owner.here()
    now = 2**62
    assert not here.is_dead(0)
    assert Owner(here.namespace, here.pid, "1").is_dead(now)
    assert Owner(here.namespace, 2**22 + 1, here.started).is_dead(now)
    if sys.platform == "linux":
        start, stack = here.started.split()
        assert Owner(here.namespace, here.pid, f"{start} {int(stack) + 1}").is_dead(now)
        # Of a process that one may not look into, and to older versions, the stack is not known.
        assert not Owner(here.namespace, here.pid, f"{start} 0").is_dead(0)
        assert not Owner(here.namespace, here.pid, start).is_dead(0)
    elsewhere = Owner("another machine", here.pid, here.started)
    assert elsewhere.is_dead(0)
    assert not elsewhere.is_dead(now)


def test_who_was_taken_for_dead_and_lives_sets_it_right(recording: Recording) -> None:
    """A run that was ended as lost by mistake, and then ends, is told as it ended."""
    root = recording.tracer.start_span("root")
    recording.flush()
    with recording.store.transaction() as connection:
        connection.execute("UPDATE owners SET started = '1'")
    with Journal(recording.path) as journal:
        assert [trace.outcome for trace in journal.traces()] == [LOST]
        root.end()
        recording.flush()
        (trace,) = journal.traces()
    assert (trace.outcome, trace.spans, trace.open_spans, trace.errors) == ("ok", 1, 0, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of forks with threads
def test_children_of_a_fork_write_too(recording: Recording) -> None:
    """Parent and child go on in the journal, each as a process of its own."""
    root = recording.tracer.start_span("parent")
    recording.flush()
    child = os.fork()
    if not child:
        recording.writer.after_fork_in_child()
        recording.tracer.start_span("child").end()
        recording.writer.flush(30)
        os._exit(0)
    recording.tracer.start_span("sibling").end()
    assert os.waitpid(child, 0)[1] == 0
    root.end()
    with recording.read() as journal:
        told = {trace.name: (trace.outcome, trace.spans) for trace in journal.traces()}
        assert journal.is_sound()
    assert told == {"parent": ("ok", 1), "child": ("ok", 1), "sibling": ("ok", 1)}
