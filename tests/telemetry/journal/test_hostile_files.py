"""Whatever lies at the journal's place, or becomes of it: the application runs on."""

from __future__ import annotations

import marshal
import os
import resource
import sqlite3
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodespan.telemetry._journal.file import open_journal, open_to_read
from nodespan.telemetry._journal.place import check_place
from nodespan.telemetry._journal.schema import (
    APPLICATION_ID,
    MIGRATIONS,
    VERSION,
    is_foreign,
    migrate,
)
from nodespan.telemetry._settings.place import looks_foreign, network_filesystem
from nodespan.telemetry.journal import Journal, JournalError, repair
from support.receiving import PlayingReceiver

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from subprocess import CompletedProcess

    from support.recording import Recording

    RunProgram = Callable[..., CompletedProcess[str]]

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:30 / /home rw,relatime shared:2 - nfs4 server:/home rw
31 30 0:31 / /home/me/local rw,relatime shared:3 - xfs /dev/sdb1 rw
32 22 0:32 / /mnt/with\\040space rw - fuse.sshfs server:/ rw
broken line
"""
RUNS_ON = """
from nodespan.telemetry import configure

telemetry = configure()
tracer = telemetry.tracer_provider.get_tracer("application")
tracer.start_span("mine").end()
telemetry.flush(2)
print("runs on")
"""


def said(result: CompletedProcess[str]) -> str:
    """Return what telemetry said, of an application that ran on."""
    assert (result.returncode, result.stdout) == (0, "runs on\n"), result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


def names(path: Path) -> set[str]:
    """Return the names of the traces in a journal."""
    with Journal(path) as journal:
        return {trace.name for trace in journal.traces(limit=10_000)}


def test_a_missing_folder_is_made(run_program: RunProgram, tmp_path: Path) -> None:
    """With those above it."""
    path = tmp_path / "a" / "b" / "journal.db"
    assert said(run_program(RUNS_ON, NODESPAN_JOURNAL=str(path))) == ""
    assert names(path) == {"mine"}


FOREIGN = {
    "a diary": b"Dear diary, today I met a cat.\n",
    "a picture": b"\x89PNG\r\n" * 50,
    "a note on nodespan": b"pip install nodespan\n",
    "a program": b"from nodespan.graph import chat_node\n" * 1_000,
    "a compiled program": b"\xa7\r\r\n" + marshal.dumps(compile("import nodespan", "a", "exec")),
    "spans as JSON": b'{"gen_ai.agent.name": "cat", "telemetry.sdk.name": "x"}\n' * 1_000,
    "lines, and nothing in them": b"nodespan" + b"\n" * 50_000,
    "noughts": b"nodespan" + b"\0" * 50_000,
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_a_file_that_never_was_a_journal_is_foreign(tmp_path: Path, content: bytes) -> None:
    """Whatever words it has: a journal that has lost its beginning still has its pages."""
    path = tmp_path / "theirs"
    path.write_bytes(content)
    for touch in (check_place, open_journal, open_to_read, repair):
        with pytest.raises(JournalError, match="is no journal of nodespan's and is left alone"):
            touch(path)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [content]


@given(size=st.integers(1, 4_096 * 4), start=st.binary(max_size=100))
def test_a_journal_that_has_lost_its_beginning_is_one(
    whole: bytes, size: int, start: bytes
) -> None:
    """Whatever stands there now: it is moved aside, and what can be read is recovered."""
    assert not looks_foreign(start.ljust(size, b"\0")[:size] + whole[size:])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a journal without a span."""
    path = tmp_path_factory.mktemp("whole") / "journal.db"
    open_journal(path).close()
    return path.read_bytes()


@pytest.mark.parametrize("content", [FOREIGN["a diary"], FOREIGN["a program"]])
def test_a_foreign_file_is_left_alone(
    run_program: RunProgram, tmp_path: Path, content: bytes
) -> None:
    """What is no journal is not touched; one line has its path and the way out."""
    path = tmp_path / "diary.txt"
    path.write_bytes(content)
    told = said(run_program(RUNS_ON, NODESPAN_JOURNAL=str(path)))
    assert told.count("\n") == 1
    assert f"{path} is no journal of nodespan's and is left alone; set NODESPAN_JOURNAL" in told
    assert path.read_bytes() == content
    with pytest.raises(JournalError, match="left alone"):
        Journal(path)


@pytest.mark.parametrize("mode", ["delete", "wal"])
@pytest.mark.parametrize("application", [0, 7])
def test_another_programs_database_keeps_its_mode(
    tmp_path: Path, application: int, mode: str
) -> None:
    """Others may have to read it; while it is written, too, when all of it is in its log."""
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as theirs:
        path.chmod(0o644)
        theirs.execute(f"PRAGMA journal_mode = {mode}")
        theirs.execute("CREATE TABLE cats (name TEXT)")
        theirs.execute(f"PRAGMA application_id = {application}")
        theirs.commit()
        before = {file.name: file.stat().st_mode for file in tmp_path.iterdir()}
        for touch in (open_journal, open_to_read, repair):
            with pytest.raises(JournalError, match="is no journal"):
                touch(path)
        assert {file.name: file.stat().st_mode for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize("application", [0, 7])
def test_another_programs_database_is_left_alone(
    run_program: RunProgram, tmp_path: Path, application: int
) -> None:
    """SQLite files have many owners."""
    path = tmp_path / "theirs.db"
    theirs = sqlite3.connect(path)
    theirs.execute("CREATE TABLE cats (name TEXT)")
    theirs.execute(f"PRAGMA application_id = {application}")
    theirs.commit()
    theirs.close()
    before = path.read_bytes()
    assert "is no journal" in said(run_program(RUNS_ON, NODESPAN_JOURNAL=str(path)))
    assert path.read_bytes() == before


def test_a_journal_that_another_process_makes_meanwhile_is_not_foreign(tmp_path: Path) -> None:
    """Of several processes that start at once on a missing file, none takes it for another's."""
    path = tmp_path / "journal.db"
    ours, theirs = (sqlite3.connect(path, isolation_level=None) for _ in range(2))
    ways = iter([lambda _: None, migrate])
    ours.set_trace_callback(lambda _: next(ways, lambda _: None)(theirs))
    assert not is_foreign(ours)
    ours.set_trace_callback(None)
    assert not is_foreign(ours)
    ours.close()
    theirs.close()


def test_want_of_open_files_passes(recording: Recording) -> None:
    """What is no fault of the place gives nothing up: it is tried again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(OSError, match="open files"), recording.store.transaction():
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    recording.tracer.start_span("mine").end()
    recording.flush()
    assert names(recording.path) == {"mine"}


def test_a_journal_that_is_in_use_is_not_read_as_it_lies(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in the log beside the file would be missing: the reader is told to come again."""
    recording.tracer.start_span("mine").end()
    recording.flush()
    recording.writer.stop(10)
    other = sqlite3.connect(recording.path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr("nodespan.telemetry._journal.file._READER_WAITS", 0.01)
    with pytest.raises(JournalError, match="in use by another process"):
        Journal(recording.path)
    other.close()
    assert names(recording.path) == {"mine"}


def test_a_newer_journal_is_left_alone(run_program: RunProgram, recording: Recording) -> None:
    """Its version, and the one that is known, are told."""
    recording.flush()
    recording.writer.stop(10)
    newer = sqlite3.connect(recording.path)
    newer.execute(f"PRAGMA user_version = {VERSION + 1}")
    newer.close()
    told = said(run_program(RUNS_ON, NODESPAN_JOURNAL=str(recording.path)))
    assert f"is of version {VERSION + 1}, and this nodespan knows {VERSION}" in told
    with pytest.raises(JournalError, match="use a newer nodespan"):
        Journal(recording.path)


def test_an_older_journal_is_brought_up_to_date(tmp_path: Path) -> None:
    """A reader does so as a writer does: what stands in it is read, none of it is lost."""
    path = tmp_path / "journal.db"
    older = sqlite3.connect(path, isolation_level=None)
    for statement in MIGRATIONS[1].split(";"):
        older.execute(statement)
    older.execute("PRAGMA user_version = 1")
    older.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    older.execute("INSERT INTO destinations (url) VALUES ('http://a/v1/traces')")
    older.execute("INSERT INTO traces (trace_id, started_at, name) VALUES (zeroblob(16), 1, 'old')")
    older.close()
    assert names(path) == {"old"}
    with Journal(path) as journal:
        status = journal.status()
    assert (status.version, [each.url for each in status.backlogs]) == (
        VERSION,
        ["http://a/v1/traces"],
    )


def test_without_a_journal_spans_take_the_other_way(
    run_program: RunProgram, tmp_path: Path, otlp_receiver: object
) -> None:
    """Where durability was asked for and cannot be had, the endpoint has the spans all the same."""
    path = tmp_path / "diary.txt"
    path.write_text("Dear diary")
    result = run_program(
        RUNS_ON,
        NODESPAN_JOURNAL=str(path),
        OTEL_EXPORTER_OTLP_ENDPOINT=otlp_receiver.endpoint,  # type: ignore[attr-defined]
    )
    assert "is no journal" in said(result)
    assert [span.name for span in otlp_receiver.spans] == ["mine"]  # type: ignore[attr-defined]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_said(run_program: RunProgram, tmp_path: Path) -> None:
    """One line has the path and the way out."""
    tmp_path.chmod(0o500)
    told = said(run_program(RUNS_ON, NODESPAN_JOURNAL=str(tmp_path / "journal.db")))
    tmp_path.chmod(0o700)
    assert "cannot be" in told


def test_a_path_through_a_file_is_said(run_program: RunProgram, tmp_path: Path) -> None:
    """What can never be a folder is refused by name."""
    (tmp_path / "file").write_text("x")
    told = said(run_program(RUNS_ON, NODESPAN_JOURNAL=str(tmp_path / "file" / "journal.db")))
    assert "cannot be opened (File exists); set NODESPAN_JOURNAL to a file" in told
    assert told.count("\n") == 1


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    """Who records into it is told at once, and who reads from it."""
    pipe = tmp_path / "journal.db"
    os.mkfifo(pipe)
    for use in (check_place, Journal):
        with pytest.raises(JournalError, match=r"cannot be opened \(it is no file\); set"):
            use(pipe)


@pytest.mark.parametrize("place", [0, 0.3, 0.6])
def test_a_damaged_journal_is_moved_aside_and_read(
    run_program: RunProgram, recording: Recording, place: float
) -> None:
    """What can still be read of it is in the new one, with what is recorded now."""
    kept = {f"span {number}" for number in range(3_000)}
    for name in sorted(kept):
        recording.tracer.start_span(name, attributes={"text": "Meow" * 50}).end()
    recording.flush()
    recording.writer.stop(10)
    size = recording.path.stat().st_size
    with recording.path.open("r+b") as file:
        file.seek(int(size * place))
        file.write(b"\xaa" * 20_000)
    told = said(run_program(RUNS_ON, NODESPAN_JOURNAL=str(recording.path)))
    with Journal(recording.path) as journal:
        is_sound = journal.is_sound()
        with suppress(JournalError):
            journal.traces(limit=10_000)
    if not is_sound:  # the damage lies where nothing was written
        repair(recording.path)
    else:
        assert "was damaged and is now" in told
        assert told.count("\n") == 1
    found = names(recording.path)
    assert "mine" in found
    if place:
        assert len(found & kept) > 500
    (aside,) = recording.path.parent.glob("*.broken-*[0-9]")
    assert aside.stat().st_size >= size * 0.9


@pytest.mark.parametrize("page", [2, 3, 8])
def test_a_damage_that_is_met_while_writing_is_said_alone(
    start_recording: Callable[..., Recording], tmp_path: Path, page: int
) -> None:
    """What could not be written at first is in the new journal: no line says otherwise."""
    first = start_recording(path=tmp_path / "first.db")
    for number in range(300):
        first.tracer.start_span(f"span {number}").end()
    first.flush()
    first.writer.stop(10)
    whole = bytearray(first.path.read_bytes())
    whole[page * 4096 : (page + 1) * 4096] = b"\xaa" * 4096
    (tmp_path / "journal.db").write_bytes(whole)
    recording = start_recording()
    recording.tracer.start_span("mine").end()
    recording.flush()
    (told,) = recording.diagnostics.counts
    assert told.startswith("the journal was damaged and is now")
    assert "mine" in names(recording.path)


def test_a_truncated_journal_does_not_stop_a_start(
    run_program: RunProgram, recording: Recording
) -> None:
    """As a power loss or a full disk may leave it."""
    for number in range(500):
        recording.tracer.start_span(f"span {number}").end()
    recording.flush()
    recording.writer.stop(10)
    with recording.path.open("r+b") as file:
        file.truncate(10_000)
    told = said(run_program(RUNS_ON, NODESPAN_JOURNAL=str(recording.path)))
    assert "was damaged and is now" in told
    assert told.count("\n") == 1
    assert "mine" in names(recording.path)


def test_a_journal_that_is_deleted_is_made_anew(recording: Recording) -> None:
    """Also while it is being written."""
    recording.tracer.start_span("before").end()
    recording.flush()
    for file in list(recording.path.parent.glob("journal.db*")):
        file.unlink()
    recording.tracer.start_span("after").end()
    recording.flush()
    assert names(recording.path) == {"after"}


@pytest.mark.end_to_end  # it takes as long as SQLite waits for a lock
def test_a_lock_that_is_held_for_long_is_waited_for(
    recording: Recording, eventually: Callable[..., None]
) -> None:
    """Spans wait in memory, that is said, and then they are all written."""
    recording.flush()
    other = sqlite3.connect(recording.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    expected = {f"span {number}" for number in range(100)}
    for name in expected:
        recording.tracer.start_span(name).end()
    busy = "the journal is in use by another process; spans wait in memory"
    eventually(lambda: busy in recording.diagnostics.counts)
    other.execute("ROLLBACK")
    other.close()
    with recording.read() as journal:
        assert {trace.name for trace in journal.traces(limit=200)} == expected
        assert journal.status().dropped == 0


FULL = """
import resource, signal
from nodespan.telemetry import configure

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
telemetry = configure()
tracer = telemetry.tracer_provider.get_tracer("application")
for number in range(3_000):
    tracer.start_span(f"span {number}", attributes={"text": "Meow" * 50}).end()
full = telemetry.flush(2)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(full, telemetry.flush(30))
"""


def test_a_full_disk_is_waited_out(run_program: RunProgram, tmp_path: Path) -> None:
    """The application runs on, telemetry says so, and writes all when there is room again."""
    path = tmp_path / "journal.db"
    result = run_program(FULL, NODESPAN_JOURNAL=str(path))
    assert (result.returncode, result.stdout) == (0, "False True\n"), result.stderr
    assert "the journal could not be written; spans wait in memory" in result.stderr
    assert len(names(path)) == 3_000


def test_a_clock_that_is_set_back_confuses_nothing(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is recorded then is listed by its own time, and nobody is taken for dead."""
    recording.tracer.start_span("before").end()
    open_span = recording.tracer.start_span("open")
    recording.flush()
    now = time.time_ns
    monkeypatch.setattr("time.time_ns", lambda: now() - 3_600 * 10**9)
    for module in ("store", "recovery", "owners", "retention"):
        monkeypatch.setattr(
            f"nodespan.telemetry._journal.{module}.time_ns", lambda: now() - 3_600 * 10**9
        )
    recording.tracer.start_span("after").end()
    with recording.read() as journal:
        assert {trace.name: trace.outcome for trace in journal.traces()} == {
            "before": "ok",
            "open": "running",
            "after": "ok",
        }
    open_span.end()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/journal.db", None),
        ("/home/me/journal.db", "nfs4"),
        ("/home/me/local/journal.db", None),
        ("/homes/journal.db", None),
        ("/mnt/with space/journal.db", "fuse.sshfs"),
    ],
)
def test_a_network_file_system_is_known(tmp_path: Path, path: str, kind: str | None) -> None:
    """The longest mount point above the file decides."""
    assert network_filesystem(type(tmp_path)(path), MOUNTS) == kind


@given(st.text(max_size=200))
def test_any_list_of_mounts_can_be_read(mounts: str) -> None:
    """What Linux may write there stops nothing."""
    from pathlib import Path as AnyPath  # noqa: PLC0415

    network_filesystem(AnyPath("/var/journal.db"), mounts)


def test_a_network_file_system_is_refused(run_program: RunProgram, tmp_path: Path) -> None:
    """With the reason, and the way out."""
    code = f"""
from pathlib import Path
from nodespan.telemetry._settings import place
place._MOUNTS = Path({str(tmp_path / "mounts")!r})
"""
    (tmp_path / "mounts").write_text("22 1 8:1 / / rw - nfs4 server:/ rw\n")
    told = said(run_program(code + RUNS_ON, NODESPAN_JOURNAL=str(tmp_path / "journal.db")))
    assert "would lie on a network file system (nfs4), where SQLite loses data; set" in told
    assert not (tmp_path / "journal.db").exists()


GONE = """
import shutil, sys
from pathlib import Path
from opentelemetry._logs import SeverityNumber
from nodespan.telemetry import TelemetryConfig, configure

folder = Path(sys.argv[1])
telemetry = configure(TelemetryConfig(log_events=True))
tracer = telemetry.tracer_provider.get_tracer("application")
logger = telemetry.logger_provider.get_logger("application")

def make(name):
    tracer.start_span(name).end()
    logger.emit(body=name, severity_number=SeverityNumber.INFO)

make("before")
print(telemetry.flush(30))
shutil.rmtree(folder)
folder.write_text("no folder any longer")
make("as it fails")
print(telemetry.flush(30))
make("afterwards")
print(telemetry.flush(30), telemetry.unsent, telemetry.unsent_log_records, telemetry.journal_path)
telemetry.shutdown()
print("runs on")
"""


def test_a_journal_that_fails_late_loses_neither_spans_nor_log_records(
    run_program: RunProgram, tmp_path: Path
) -> None:
    """They are sent without one: those that waited, and those that come."""
    receiver = PlayingReceiver()
    folder = tmp_path / "folder"
    result = run_program(
        GONE,
        str(folder),
        NODESPAN_JOURNAL=str(folder / "journal.db"),
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
        OTEL_METRICS_EXPORTER="none",
    )
    receiver.close()
    assert (result.returncode, result.stdout) == (0, "True\n" * 2 + "True 0 0 None\nruns on\n"), (
        result.stderr
    )
    assert "cannot be opened" in result.stderr
    expected = ["before", "as it fails", "afterwards"]
    assert receiver.names == expected
    assert [record.body.string_value for record in receiver.log_records] == expected
