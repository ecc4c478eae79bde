"""A damaged journal: whoever reads it is told so, and its repair says what it has recovered."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import fields, is_dataclass
from types import NoneType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.trace import StatusCode, set_span_in_context

from nodespan.telemetry._journal.schema import migrate
from nodespan.telemetry._viewer.reads import Reads
from nodespan.telemetry._views.listing import Window
from nodespan.telemetry.journal import (
    Journal,
    JournalError,
    JournalMissingError,
    TraceFilter,
    TraceNotFoundError,
    TraceRecord,
    repair,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.recording import Recording

MODEL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "cat",
    "gen_ai.usage.input_tokens": 3,
    "gen_ai.usage.output_tokens": 4,
    "nodespan.cost": 0.5,
    "nodespan.cost.currency": "USD",
    "gen_ai.response.time_to_first_chunk": 0.1,
    "nodespan.stream.chunks": 4,
    "gen_ai.conversation.id": "talk",
}


def columns() -> list[tuple[str, str]]:
    """Return each column of each table, but for the keys that SQLite keeps right itself."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh)
        tables = fresh.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return [
            (table, name)
            for (table,) in tables
            for _, name, kind, _, _, is_key in fresh.execute(f"PRAGMA table_info({table})")
            if not (is_key and kind == "INTEGER")
        ]


# SQLite takes any of these in any column; what is right somewhere is wrong elsewhere.
VALUES = ["'text'", "x'00'", "x''", "1.5", "7", "NULL", "CAST(x'ff' AS TEXT)", "9e999", "-9", "'7'"]


def record(recording: Recording) -> None:
    """Record what fills each table: models, failures, open runs, conversations."""
    tracer = recording.tracer
    root = tracer.start_span("root", attributes={"gen_ai.agent.name": "tom"})
    context = set_span_in_context(root)
    tracer.start_span("chat cat", context, attributes=MODEL).end()
    failed = tracer.start_span("failed", context)
    failed.set_status(StatusCode.ERROR)
    failed.end()
    root.end()
    tracer.start_span("open", attributes=MODEL)
    recording.flush()
    recording.writer.stop(10)
    with closing(sqlite3.connect(recording.path, isolation_level=None)) as connection:
        connection.execute("INSERT OR REPLACE INTO counts VALUES ('dropped', 1)")
        connection.execute("INSERT INTO destinations (url, key) VALUES ('http://a', x'00')")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.fixture
def whole(recording: Recording) -> Path:
    """A journal in which nothing is wrong, and which nobody writes."""
    record(recording)
    return recording.path


READS: dict[str, Callable[[Journal], Any]] = {
    "traces": lambda journal: journal.traces(),
    "with text": lambda journal: journal.traces(TraceFilter(text="cat")),
    "slow": lambda journal: journal.traces(TraceFilter(slower_than=0, stalled=False)),
    "trace": lambda journal: journal.trace("last"),
    "otlp": lambda journal: journal.otlp("last"),
    "otlp_json": lambda journal: journal.otlp_json("last"),
    "open_runs": lambda journal: journal.open_runs(),
    "totals": lambda journal: journal.totals(),
    "activity": lambda journal: journal.activity(),
    "status": lambda journal: journal.status(),
    **{what: lambda journal, what=what: journal.known(what) for what in ("agent", "model")},
}
VIEWS: dict[str, Callable[[Reads], Any]] = {
    "traces": lambda reads: reads.traces(TraceFilter(), None, Window(0, 50)),
    "searched": lambda reads: reads.traces(TraceFilter(text="cat"), None, Window(0, 50, "cost")),
    "totals": lambda reads: reads.totals(TraceFilter(), None),
    "choices": lambda reads: reads.choices(),
    "trace": lambda reads: reads.trace("last", 100),
    "evaluations": lambda reads: reads.evaluations("last"),
    "conversations": lambda reads: reads.conversations(0, 50),
    "conversation": lambda reads: reads.conversation("talk"),
    "graph": lambda reads: reads.graph("last"),
    "open_runs": lambda reads: reads.open_runs(),
    "comparison": lambda reads: reads.comparison("last", "last"),
    "chrome": lambda reads: reads.chrome("last"),
    "saved": lambda reads: reads.saved("last"),
    "status": lambda reads: reads.status(),
}


PLAIN: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "int | None": (int, NoneType),
    "str": (str,),
    "str | None": (str, NoneType),
    "float": (float, int),
    "float | None": (float, int, NoneType),
}


def wrong_fields(found: Any) -> Iterator[str]:
    """Give the fields of records that are not of the type that they say."""
    if isinstance(found, list | tuple):
        for each in found:
            yield from wrong_fields(each)
    elif is_dataclass(found):
        for field in fields(found):
            value = getattr(found, field.name)
            if not isinstance(value, PLAIN.get(str(field.type), object)):
                yield f"{type(found).__name__}.{field.name} is {value!r}"
            yield from wrong_fields(value)


def failures(path: Path) -> list[str]:
    """Return what reads of a journal give that is neither right nor told as damage."""
    found = []
    said = f"the journal {path} is damaged; `nodespan doctor --repair` makes a new one"
    reads = Reads(path)
    with suppress(JournalError), Journal(path) as journal:
        asked = {f"journal {name}": (read, journal) for name, read in READS.items()}
        asked |= {f"view {name}": (read, reads) for name, read in VIEWS.items()}
        for name, (read, reader) in asked.items():
            try:
                found += [f"{name}: {wrong}" for wrong in wrong_fields(read(reader))]
            except (TraceNotFoundError, JournalMissingError):
                pass
            except JournalError as error:
                found += [] if str(error).startswith(said) else [f"{name}: {error}"]
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told
                found.append(f"{name}: {error!r}")
    reads.close()
    return found


def damage(path: Path, column: tuple[str, str], value: str) -> bool:
    """Put a value into a column of each row, and say whether SQLite takes it."""
    table, name = column
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with suppress(sqlite3.IntegrityError):
            connection.execute(f"UPDATE {table} SET {name} = {value}")  # noqa: S608 - ours
            return True
        return False


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(column=st.sampled_from(columns()), value=st.sampled_from(VALUES))
def test_a_value_of_another_type_is_told_as_damage(
    whole: Path, column: tuple[str, str], value: str
) -> None:
    """Whatever stands where something else belongs: each read is right, or says what to do."""
    path = whole.with_name("damaged.db")
    shutil.copy(whole, path)
    damage(path, column, value)
    assert failures(path) == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (("spans", "started_at"), "'text'"),
        (("spans", "run_id"), "x'00'"),
        (("spans", "chunks"), "'text'"),
        (("spans", "span"), "x'ff'"),
        (("spans", "name"), "CAST(x'ff' AS TEXT)"),
        (("traces", "open"), "'text'"),
        (("traces", "trace_id"), "'text'"),
        (("traces", "spans"), "1.5"),
        (("models", "model"), "x'00'"),
        (("origins", "resource"), "x'ff'"),
        (("counts", "count"), "'text'"),
        (("spans", "ended_at"), "7"),
    ],
    ids=str,
)
def test_known_kinds_are_found_by_the_repair(
    whole: Path, column: tuple[str, str], value: str
) -> None:
    """What a reader is told is damaged, the repair mends: then all of it can be read."""
    with closing(sqlite3.connect(whole, isolation_level=None)) as connection:
        table, name = column
        last = f"(SELECT max(rowid) FROM {table})"  # noqa: S608 - ours
        connection.execute(f"UPDATE {table} SET {name} = {value} WHERE rowid = {last}")  # noqa: S608 - ours
    assert failures(whole) == []
    repaired = repair(whole)
    assert repaired is not None
    assert repaired.aside.exists()
    assert failures(whole) == []
    with Journal(whole) as journal:
        assert journal.is_sound()
        assert sum(trace.spans for trace in journal.traces()) == repaired.recovered
    assert repair(whole) is None


def test_a_missing_table_is_damage(whole: Path) -> None:
    """So it may be after a page of the schema was lost."""
    with closing(sqlite3.connect(whole, isolation_level=None)) as connection:
        connection.execute("DROP TABLE models")
    with Journal(whole) as journal, pytest.raises(JournalError, match="is damaged"):
        journal.traces()
    assert repair(whole) is not None
    with Journal(whole) as journal:
        assert journal.traces() != []


def test_a_mistake_of_the_caller_is_no_damage(whole: Path) -> None:
    """An error that comes of an argument is the caller's, as ever."""
    with Journal(whole) as journal:
        with pytest.raises(KeyError):
            journal.known("weather")
        with pytest.raises(TypeError):
            journal.totals("long")  # type: ignore[arg-type]


def test_the_repair_says_what_is_recovered_and_what_is_not(recording: Recording) -> None:
    """Each span is in the new journal, or counted."""
    for number in range(300):
        recording.tracer.start_span(f"span {number}", attributes={"a": "x" * 500}).end()
    recording.flush()
    recording.writer.stop(10)
    with closing(sqlite3.connect(recording.path, isolation_level=None)) as connection:
        connection.execute("UPDATE spans SET span = x'ff' WHERE id % 10 = 0")
    repaired = repair(recording.path)
    assert repaired is not None
    assert (repaired.recovered, repaired.lost) == (270, 30)
    with Journal(recording.path) as journal:
        assert len(journal.traces(limit=1_000)) == 270


def test_a_damaged_schema_leaves_the_spans(whole: Path) -> None:
    """The text that makes a table is read with what it no longer makes left out."""
    content = whole.read_bytes()
    index = b" traces_by_agent ON"
    broken = content.replace(b"INDEX" + index, b"IND\xd8X" + index)
    assert broken != content
    whole.write_bytes(broken)
    assert failures(whole) == []
    repaired = repair(whole)
    assert repaired is not None
    assert repaired.recovered == 3
    with Journal(whole) as journal:
        assert journal.trace("last").spans != ()


def test_times_and_numbers_beyond_all_bounds_are_passed_over(whole: Path) -> None:
    """Such a number makes the repair neither wait nor fail: the rest is recovered."""
    with closing(sqlite3.connect(whole, isolation_level=None)) as connection:
        connection.execute("UPDATE spans SET id = 9223372036854775807 WHERE name = 'failed'")
        connection.execute(
            "UPDATE spans SET span = span || x'41ffffffffffffffff' WHERE name = 'chat cat'"
        )  # a second end, after the first: the last holds
        connection.execute("UPDATE spans SET started_at = 'x'")
    repaired = repair(whole)
    assert repaired is not None
    assert repaired.recovered == 1
    assert repaired.lost == 3


def test_a_sound_journal_is_left_as_it_is(whole: Path) -> None:
    """What it owes, and who writes it, must not be lost for nothing."""
    before = whole.read_bytes()
    assert repair(whole) is None
    assert whole.read_bytes() == before
    assert list(whole.parent.glob("*.broken-*")) == []


@pytest.mark.parametrize("content", ["Dear diary", "sqlite"])
def test_what_is_no_journal_is_not_repaired(tmp_path: Path, content: str) -> None:
    """A file of somebody else's lies afterwards where it lay, as it was."""
    path = tmp_path / "diary"
    if content == "sqlite":
        with closing(sqlite3.connect(path)) as theirs:
            theirs.execute("CREATE TABLE cats (name TEXT)")
    else:
        path.write_text(content)
    before = path.read_bytes()
    with pytest.raises(JournalError, match="is no journal of nodespan's and is left alone"):
        repair(path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir() if "broken" in each.name] == []


def test_what_is_not_there_is_not_repaired(tmp_path: Path) -> None:
    """Nothing is made at its place either."""
    with pytest.raises(JournalMissingError, match="there is nothing to repair"):
        repair(tmp_path / "journal.db")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_that_of_the_journal(whole: Path) -> None:
    """Whoever names an existing folder means `journal.db` in it; the folder is never moved."""
    folder = whole.parent
    (folder / "diary.txt").write_text("Dear diary")
    with Journal(folder) as by_folder, Journal(whole) as by_file:
        found = by_folder.traces()
        assert isinstance(found[0], TraceRecord)
        assert found == by_file.traces()
    assert repair(folder) is None
    with closing(sqlite3.connect(whole, isolation_level=None)) as connection:
        connection.execute("UPDATE spans SET name = x'00'")
    repaired = repair(folder)
    assert repaired is not None
    assert repaired.aside.parent == folder
    assert (folder / "diary.txt").read_text() == "Dear diary"
