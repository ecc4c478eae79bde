"""What else a process does with a journal that it writes ends none of SQLite's locks on it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from nodespan.telemetry._journal.file import open_journal
from nodespan.telemetry._journal.place import check_place
from nodespan.telemetry.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.recording import Recording

# The last to close a journal writes its log into the file, and deletes the log.
READ_AND_CLOSE: Final = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
for (name,) in connection.execute("SELECT name FROM spans ORDER BY id"):
    print(name)
connection.close()
"""


def read_elsewhere(path: Path) -> list[str]:
    """Return the names of the spans as another process sees them, which then closes the file."""
    command = (sys.executable, "-S", "-c", READ_AND_CLOSE, str(path))
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def read(path: Path) -> None:
    """Read it, as a viewer in the same process does."""
    with Journal(path) as journal:
        assert len(journal.traces()) == 1


def open_twice(path: Path) -> None:
    """Write into it a second time."""
    open_journal(path).close()


def copy(path: Path) -> None:
    """Copy it, as an application may that offers it to download."""
    assert path.read_bytes()


@pytest.mark.parametrize("do", [read, check_place, open_twice, copy])
def test_nothing_is_lost_after(do: Callable[[Path], None], recording: Recording) -> None:
    """What is written after that, and after another process has closed the file, can be read."""
    recording.tracer.start_span("before").end()
    recording.flush()
    do(recording.path)
    assert read_elsewhere(recording.path) == ["before"]
    recording.tracer.start_span("after").end()
    recording.flush()
    assert read_elsewhere(recording.path) == ["before", "after"]


def test_a_linked_journal_stays_open(recording: Recording, tmp_path: Path) -> None:
    """Where a link leads to the file, it is one journal, which is not opened again each time."""
    recording.tracer.start_span("before").end()
    recording.flush()
    linked = tmp_path / "linked.db"
    linked.symlink_to(recording.path)
    read(linked)
    assert read_elsewhere(linked) == ["before"]
    recording.tracer.start_span("after").end()
    recording.flush()
    assert read_elsewhere(linked) == ["before", "after"]
