"""The ends of a process are honest: what was not taken is counted, and nobody waits for long."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace import TracerProvider

from nodespan.telemetry import TelemetryConfig
from nodespan.telemetry._setup.journal import NOT_READY, ProcessJournal, set_up_journal
from nodespan.telemetry.journal import Journal
from support.receiving import PlayingReceiver

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from nodespan.telemetry._journal.writer import Writer

    RunProgram = Callable[..., subprocess.CompletedProcess[str]]

DEAD = "http://127.0.0.1:9"
START = """
import sys, time
from nodespan.telemetry import TelemetryConfig, configure

telemetry = configure()
tracer = telemetry.tracer_provider.get_tracer("application")

def make(count):
    for number in range(count):
        tracer.start_span(f"span {number}").end()
"""


@pytest.fixture
def hanging() -> Iterator[PlayingReceiver]:
    """A receiver that takes requests, and answers none."""
    receiver = PlayingReceiver()
    receiver.plays = receiver.hang
    yield receiver
    receiver.close()


@pytest.fixture(params=["off", "on"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What `NODESPAN_JOURNAL` says: both ways are honest."""
    return "off" if request.param == "off" else str(tmp_path / "journal.db")


def lines(text: str) -> list[str]:
    """Return what was written under telemetry's own name."""
    return [line for line in text.splitlines() if line.startswith("nodespan telemetry:")]


def test_every_span_that_was_not_taken_is_counted(
    run_program: RunProgram, hanging: PlayingReceiver, journal: str
) -> None:
    """Beyond a queue and a batch, too; and it keeps being so after the shutdown."""
    code = """
make(4000)
print(telemetry.unsent, telemetry.flush(0.5), telemetry.unsent)
telemetry.shutdown(0.5)
print(telemetry.unsent)
"""
    result = run_program(
        START + code, OTEL_EXPORTER_OTLP_ENDPOINT=hanging.endpoint, NODESPAN_JOURNAL=journal
    )
    assert result.stdout == "4000 False 4000\n4000\n"
    assert "already shutdown" not in result.stderr


def test_what_arrives_is_counted_no_longer(
    run_program: RunProgram, hanging: PlayingReceiver, journal: str
) -> None:
    """A flush is true when all was taken, and then nothing is unsent."""
    hanging.plays = lambda *_: (200, {}, b"")
    code = "make(3000)\nprint(telemetry.flush(30), telemetry.unsent)\n"
    result = run_program(
        START + code.replace("make(3000)", "[(make(300), telemetry.flush(30)) for _ in range(10)]"),
        OTEL_EXPORTER_OTLP_ENDPOINT=hanging.endpoint,
        NODESPAN_JOURNAL=journal,
    )
    assert (result.stdout, result.stderr) == ("True 0\n", "")
    assert len(hanging.spans) == 3000


@pytest.mark.parametrize("endpoint", ["dead", "hanging"])
def test_time_that_was_given_is_kept(
    run_program: RunProgram, hanging: PlayingReceiver, journal: str, endpoint: str
) -> None:
    """`flush(1)` and `shutdown(1)` take a second; what the SDK would wait for is many."""
    code = """
make(1000)
before = time.monotonic()
told = telemetry.flush(1)
flushed = time.monotonic() - before
telemetry.shutdown(1)
ended = time.monotonic() - before - flushed
print(told, telemetry.unsent, flushed < 3, ended < 3)
"""
    url = DEAD if endpoint == "dead" else hanging.endpoint
    result = run_program(START + code, OTEL_EXPORTER_OTLP_ENDPOINT=url, NODESPAN_JOURNAL=journal)
    assert result.stdout == "False 1000 True True\n"
    assert "already shutdown" not in result.stderr


def test_an_exit_without_a_shutdown_says_what_it_left(
    run_program: RunProgram, hanging: PlayingReceiver, journal: str
) -> None:
    """It waits two seconds at most, and one line has how many."""
    code = """
import atexit
make(1000)
before = time.monotonic()
atexit._run_exitfuncs()
print(time.monotonic() - before < 5)
"""
    result = run_program(
        START + code, OTEL_EXPORTER_OTLP_ENDPOINT=hanging.endpoint, NODESPAN_JOURNAL=journal
    )
    assert (result.returncode, result.stdout) == (0, "True\n")
    fate = "were not sent" if journal == "off" else "wait in the journal for the next program"
    left = [line for line in lines(result.stderr) if "1000 spans" in line]
    assert left == [f"nodespan telemetry: 1000 spans {fate}: the program has ended"]
    assert "already shutdown" not in result.stderr


def test_an_exit_with_nothing_left_says_nothing(
    run_program: RunProgram, hanging: PlayingReceiver, journal: str
) -> None:
    """Spans that end just before the program are sent, without a word."""
    hanging.plays = lambda *_: (200, {}, b"")
    result = run_program(
        f"{START}make(20)",
        OTEL_EXPORTER_OTLP_ENDPOINT=hanging.endpoint,
        NODESPAN_JOURNAL=journal,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert len(hanging.spans) == 20


def test_a_program_that_does_nothing_is_in_the_journal(
    run_program: RunProgram, tmp_path: Path
) -> None:
    """Without an endpoint, a shutdown or a flush: what it recorded is there to be read."""
    path = tmp_path / "state" / "nodespan" / "journal.db"
    result = run_program(
        START + "make(2)\nprint(telemetry.journal_path, telemetry.unsent)",
        NODESPAN_JOURNAL="",
        XDG_STATE_HOME=str(tmp_path / "state"),
    )
    assert (result.stdout, result.stderr) == (f"{path} 0\n", "")
    with Journal(path) as journal:
        assert len(journal.traces()) == 2


@pytest.mark.parametrize(
    ("variables", "is_recorded"),
    [
        ({}, True),
        ({"NODESPAN_JOURNAL": "on"}, True),
        ({"NODESPAN_JOURNAL": "off"}, False),
        ({"OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_TRACES_EXPORTER": "none", "NODESPAN_JOURNAL": "on"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": DEAD}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": DEAD, "NODESPAN_JOURNAL": "on"}, True),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, True),
    ],
    ids=str,
)
def test_the_journal_is_where_nothing_else_takes_the_spans(
    run_program: RunProgram, tmp_path: Path, variables: dict[str, str], is_recorded: bool
) -> None:
    """By default without an endpoint alone; off touches no disk."""
    result = run_program(
        START + "telemetry.flush(0.1)\nprint(telemetry.journal_path is not None)",
        **{"NODESPAN_JOURNAL": "", "XDG_STATE_HOME": str(tmp_path / "state")} | variables,
    )
    assert result.stdout == f"{is_recorded}\n", result.stderr
    assert (tmp_path / "state").exists() == is_recorded


SIGNALLED = """
import os
from pathlib import Path

for number in range(100_000):
    tracer.start_span(f"span {number}").end()
    os.write(told, f"{number}\\n".encode())
    if number % 50 == 0:
        time.sleep(0.001)
"""


def test_a_signal_to_go_loses_nothing(tmp_path: Path, processes: Any) -> None:
    """SIGTERM ends the process as it would; what had ended is in the journal, to the last."""
    path, told = tmp_path / "journal.db", tmp_path / "told"
    code = START + "import os\ntold = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)\n" + SIGNALLED
    nothing = os.open(os.devnull, os.O_RDWR)
    process = processes.start(
        code, (str(told),), [nothing, nothing, nothing], NODESPAN_JOURNAL=str(path)
    )
    while not told.exists() or told.stat().st_size < 3_000:
        time.sleep(0.005)
    os.kill(process, signal.SIGTERM)
    assert processes.exit_code(process) == -signal.SIGTERM
    os.close(nothing)
    ended = told.read_text().count("\n")
    with Journal(path) as journal:
        names = {trace.name for trace in journal.traces(limit=200_000)}
    assert {f"span {number}" for number in range(ended)} <= names


def test_an_applications_own_handler_stays(run_program: RunProgram, tmp_path: Path) -> None:
    """Who handles the signal before or after `configure` does so alone."""
    code = """
import os, signal
def mine(*_): print("mine", flush=True)
signal.signal(signal.SIGTERM, mine)
telemetry.shutdown()
telemetry = configure()
assert signal.getsignal(signal.SIGTERM) is mine
os.kill(os.getpid(), signal.SIGTERM)
print("goes on")
"""
    result = run_program(START + code, NODESPAN_JOURNAL=str(tmp_path / "journal.db"))
    assert (result.returncode, result.stdout) == (0, "mine\ngoes on\n")


@pytest.mark.parametrize("way", ["os._exit(0)", "sys.exit(0)"])
def test_children_of_a_fork_are_in_the_journal(
    run_program: RunProgram, tmp_path: Path, way: str
) -> None:
    """However they leave, and however soon; so is the parent, and the file is sound."""
    code = f"""
import os
parent = tracer.start_span("parent")
telemetry.flush()
children = []
for number in range(4):
    children.append(os.fork())
    if not children[-1]:
        tracer.start_span(f"child {{number}}").end()
        {way}
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0, 0]
parent.end()
"""
    path = tmp_path / "journal.db"
    result = run_program(
        "import warnings; warnings.simplefilter('ignore')\n" + START + code,
        NODESPAN_JOURNAL=str(path),
    )
    assert (result.returncode, result.stderr) == (0, "")
    with Journal(path) as journal:
        told = {trace.name: trace.outcome for trace in journal.traces()}
        assert journal.is_sound()
    assert told == dict.fromkeys(["parent", *(f"child {number}" for number in range(4))], "ok")


METRICS = """
import sys, time
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from nodespan.telemetry import TelemetryConfig, configure

reader = InMemoryMetricReader()
telemetry = configure(metric_readers=[reader])
tracer = telemetry.tracer_provider.get_tracer("application")

def values():
    metrics = {
        metric.name: metric.data.data_points[0].value
        for resource in reader.get_metrics_data().resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    return [metrics[f"nodespan.{name}"] for name in NAMES]

NAMES = ["spans.unsent", "journal.dropped", "journal.backlog.age"]
for number in range(7):
    tracer.start_span(f"span {number}").end()
telemetry.flush(0.3)
unsent, dropped, age = values()
print(unsent == telemetry.unsent == 7, dropped == telemetry.dropped == 0, 0.1 < age < 60)
"""


def test_metrics_have_what_is_said(
    run_program: RunProgram, hanging: PlayingReceiver, journal: str
) -> None:
    """What is unsent, dropped and how long the oldest waits; all is nought when all was taken."""
    held = []

    def busy_at_first(receiver: PlayingReceiver, _: object) -> Any:
        held.append(receiver)
        return (503, {"Retry-After": "1"}, b"") if len(held) == 1 else (200, {}, b"")

    hanging.plays = busy_at_first
    code = METRICS + "print(telemetry.flush(30), values(), telemetry.unsent)\n"
    result = run_program(
        code,
        OTEL_EXPORTER_OTLP_ENDPOINT=hanging.endpoint,
        OTEL_METRICS_EXPORTER="none",
        NODESPAN_JOURNAL=journal,
    )
    waited = journal != "off"  # without a journal nothing has an age
    assert result.stdout == f"True True {waited}\nTrue [0, 0, 0.0] 0\n", result.stderr


# What was counted is known when the journal's thread has come to it.
DROP_ALL = """
make_room()
end = time.monotonic() + 20
while not telemetry.dropped == telemetry.unsent == 7 and time.monotonic() < end:
    time.sleep(0.05)
    make_room()
"""


def test_what_the_journal_drops_counts_in_the_metric(
    run_program: RunProgram, hanging: PlayingReceiver, tmp_path: Path
) -> None:
    """Spans that make room before the endpoint had them are unsent for good, and dropped."""
    code = METRICS.replace("telemetry.flush(0.3)", "telemetry.flush(0.3)\n" + DROP_ALL).replace(
        "def values", MAKE_ROOM + "def values"
    )
    hanging.plays = lambda *_: (503, {}, b"")
    code = code.replace("dropped == telemetry.dropped == 0", "dropped == telemetry.dropped == 7")
    result = run_program(
        code.replace("0.1 < age < 60", "age == 0"),
        OTEL_EXPORTER_OTLP_ENDPOINT=hanging.endpoint,
        OTEL_METRICS_EXPORTER="none",
        NODESPAN_JOURNAL=str(tmp_path / "journal.db"),
    )
    assert result.stdout == "True True True\n", result.stderr


MAKE_ROOM = """
def make_room():
    from nodespan.telemetry._journal.retention import Retention
    writer = telemetry._journal._writer
    writer._retention = Retention(most_days=0)
    writer._housekeeping_at = 0
    tracer.start_span("open").is_recording()
    telemetry._journal._writer.flush(30)

"""


PARTIAL = ExportTraceServiceResponse(
    partial_success=ExportTracePartialSuccess(rejected_spans=2)
).SerializeToString()


@pytest.mark.parametrize(
    ("reply", "unsent"),
    [
        ((200, {"Content-Type": "application/x-protobuf"}, PARTIAL), 2),
        ((200, {"Content-Type": "text/html"}, b"<html>Log in</html>"), 5),
        ((200, {}, b"\xff"), 5),
        ((400, {}, b""), 5),
        ((200, {}, b""), 0),
    ],
    ids=["partial", "portal", "garbage", "refused", "taken"],
)
def test_a_receipt_is_what_says_so(
    run_program: RunProgram,
    hanging: PlayingReceiver,
    journal: str,
    reply: tuple[int, dict[str, str], bytes],
    unsent: int,
) -> None:
    """What a receiver rejected, or never answered as one, is unsent; a flush is not true then."""
    hanging.plays = lambda *_: reply
    # What is never answered as it must be is waited for in vain.
    seconds = 0.5 if unsent == 5 and reply[0] == 200 else 30
    told = f"print(telemetry.flush({seconds}), telemetry.unsent)"
    result = run_program(
        f"{START}make(5)\n{told}\ntelemetry.shutdown(0)",
        OTEL_EXPORTER_OTLP_ENDPOINT=hanging.endpoint,
        OTEL_METRICS_EXPORTER="none",
        NODESPAN_JOURNAL=journal,
    )
    assert result.stdout == f"{not unsent} {unsent}\n", result.stderr


def test_what_was_refused_does_not_wait(
    run_program: RunProgram, hanging: PlayingReceiver, tmp_path: Path
) -> None:
    """The line at the exit tells apart what the next program sends, and what nobody will."""
    hanging.plays = lambda *_: (200, {"Content-Type": "application/x-protobuf"}, PARTIAL)
    result = run_program(
        START + "make(5)",
        OTEL_EXPORTER_OTLP_ENDPOINT=hanging.endpoint,
        OTEL_METRICS_EXPORTER="none",
        NODESPAN_JOURNAL=str(tmp_path / "journal.db"),
    )
    told = [line for line in lines(result.stderr) if "the program has ended" in line]
    assert told == ["nodespan telemetry: 2 spans were not sent: the program has ended"]


# Nothing is got ready before a span comes, or somebody stops.
UNHURRIED = """
from nodespan.telemetry._setup import journal
journal._PREPARES_AFTER = 600.0
"""


def test_a_start_leaves_what_takes_long_for_later(run_program: RunProgram, tmp_path: Path) -> None:
    """The writer and SQLite come with the first span; who has none stops, and makes no file."""
    code = """
import os, sys
path = os.environ["NODESPAN_JOURNAL"]
writer = "nodespan.telemetry._journal.writer"
assert writer not in sys.modules
telemetry.shutdown(600)
assert writer not in sys.modules and not os.path.exists(path)
telemetry = configure()
telemetry.tracer_provider.get_tracer("application").start_span("first").end()
assert telemetry.flush(600) and os.path.exists(path)
"""
    path = tmp_path / "journal.db"
    result = run_program(UNHURRIED + START + code, NODESPAN_JOURNAL=str(path))
    assert (result.returncode, result.stderr) == (0, "")
    with Journal(path) as journal:
        assert [trace.name for trace in journal.traces()] == ["first"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_fork_before_the_first_span_is_in_the_journal(
    run_program: RunProgram, tmp_path: Path
) -> None:
    """A child gets its own ready, and so does its parent."""
    code = """
import os
child = os.fork()
tracer.start_span("parent" if child else "child").end()
if not child:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    path = tmp_path / "journal.db"
    quiet = "import warnings; warnings.simplefilter('ignore')\n"
    result = run_program(quiet + UNHURRIED + START + code, NODESPAN_JOURNAL=str(path))
    assert (result.returncode, result.stderr) == (0, "")
    with Journal(path) as journal:
        assert {trace.name for trace in journal.traces()} == {"parent", "child"}
        assert journal.is_sound()


def test_what_cannot_be_made_ready_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., None]
) -> None:
    """Spans wait meanwhile; the next one finds a writer that writes them, too."""
    make = ProcessJournal._writer_to
    tries: list[str] = []

    def fail_once(journal: ProcessJournal, destination: None) -> Writer:
        tries.append("one")
        if len(tries) == 1:
            raise MemoryError
        return make(journal, destination)

    monkeypatch.setattr(ProcessJournal, "_writer_to", fail_once)
    config = TelemetryConfig().checked({})
    path = tmp_path / "journal.db"
    recorded = set_up_journal(config, path, {}, otherwise=lambda: None, sends=False)
    assert recorded is not None
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(recorded.processor)
    make_span = provider.get_tracer("application").start_span
    make_span("first").end()
    eventually(lambda: NOT_READY in recorded.counts and not recorded.queue.is_awake)
    assert recorded.unrecorded == 1
    make_span("second").end()
    eventually(lambda: not recorded.unrecorded)
    recorded.stop(60)
    with Journal(path) as journal:
        assert {trace.name for trace in journal.traces()} == {"first", "second"}
    assert recorded.counts[NOT_READY] == 1


def test_a_python_without_sqlite_has_no_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said so, with the way out."""
    monkeypatch.setattr("nodespan.telemetry._setup.journal.find_spec", lambda _: None)
    config = TelemetryConfig().checked({})
    path = tmp_path / "journal.db"
    assert set_up_journal(config, path, {}, otherwise=lambda: None, sends=False) is None
    assert "set NODESPAN_JOURNAL to off" in caplog.text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_fork_waits_for_what_is_imported(run_program: RunProgram, tmp_path: Path) -> None:
    """A child of a fork right after `configure()` encodes its spans, and imports what it wants."""
    code = """
import os
child = os.fork()
if child == 0:
    make(3)
    import google.protobuf.text_format
    os._exit(0 if telemetry.flush(60) else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    path = tmp_path / "journal.db"
    result = run_program(START + code, NODESPAN_JOURNAL=str(path))
    assert result.stdout == "0\n", result.stderr
    with Journal(path) as read:
        assert {trace.name for trace in read.traces()} == {"span 0", "span 1", "span 2"}


def test_the_encoder_is_there_before_the_first_span(
    run_program: RunProgram, tmp_path: Path
) -> None:
    """It takes long to be imported: what has ended until then would go with a process's death."""
    code = """
deadline = time.monotonic() + 60
encoder = "opentelemetry.proto.trace.v1.trace_pb2"
while encoder not in sys.modules and time.monotonic() < deadline:
    time.sleep(0.01)
print(encoder in sys.modules)
"""
    result = run_program(START + code, NODESPAN_JOURNAL=str(tmp_path / "journal.db"))
    assert (result.stdout, result.stderr) == ("True\n", "")


def test_an_exit_says_what_the_journal_could_not_take(
    run_program: RunProgram, tmp_path: Path
) -> None:
    """Another process has kept it all the while: what waits in memory goes with the program."""
    path = tmp_path / "journal.db"
    code = f"""
import sqlite3
telemetry.flush()
other = sqlite3.connect({str(path)!r}, isolation_level=None)
other.execute("BEGIN IMMEDIATE")
make(7)
"""
    result = run_program(START + "make(1)" + code, NODESPAN_JOURNAL=str(path))
    assert (result.returncode, result.stdout) == (0, "")
    told = (
        "nodespan telemetry: 7 spans could not be written into the journal: the program has ended"
    )
    assert lines(result.stderr) == [told]


def state_of(process: int) -> str:
    """Return the letter that Linux has for what a process does now."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


def test_an_exit_while_the_machine_stands_still_loses_nothing(
    tmp_path: Path, processes: Any
) -> None:
    """The time for which a process could not run is none in which it waited for its journal."""
    path = tmp_path / "journal.db"
    code = """
import atexit, os, signal, threading
def sleep_at_once():
    make(3_000)
    threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGSTOP)).start()
telemetry.flush()
atexit.register(sleep_at_once)
"""
    nothing = os.open(os.devnull, os.O_RDWR)
    said = os.open(tmp_path / "said", os.O_WRONLY | os.O_CREAT)
    process = processes.start(START + code, (), [nothing, said, said], NODESPAN_JOURNAL=str(path))
    while state_of(process) not in {"T", "Z"}:
        time.sleep(0.01)
    time.sleep(2)
    os.kill(process, signal.SIGCONT)
    assert processes.exit_code(process) == 0
    for each in (nothing, said):
        os.close(each)
    assert (tmp_path / "said").read_text() == ""
    with Journal(path) as journal:
        assert len(journal.traces(limit=10_000)) == 3_000


NO_THREADS = """
import threading
def refuse(*_):
    raise RuntimeError("can't start new thread")
"""


@pytest.mark.parametrize("flush", ["", "print(telemetry.flush(5))"])
def test_a_process_that_can_have_no_thread_loses_nothing(
    run_program: RunProgram, tmp_path: Path, flush: str
) -> None:
    """Starting a span raises nothing; what was recorded is written as the program asks, or ends."""
    code = f"{NO_THREADS}threading._start_new_thread = refuse\nmake(3)\n{flush}"
    path = tmp_path / "journal.db"
    result = run_program(START + code, NODESPAN_JOURNAL=str(path))
    assert (result.stdout, result.stderr) == ("True\n" if flush else "", "")
    with Journal(path) as journal:
        assert len(journal.traces()) == 3


def test_an_exit_in_which_no_thread_can_be_started_sends_what_there_is(
    run_program: RunProgram, hanging: PlayingReceiver, journal: str
) -> None:
    """So it is in the first releases of Python 3.12, where that raises while a program exits."""
    hanging.plays = lambda *_: (200, {}, b"")
    code = f"""{NO_THREADS}
import atexit
make(3)
atexit.register(setattr, threading, "_start_new_thread", refuse)
"""
    result = run_program(
        START + code, OTEL_EXPORTER_OTLP_ENDPOINT=hanging.endpoint, NODESPAN_JOURNAL=journal
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert len(hanging.spans) == 3
