"""A disk that fills up: the application runs on, and all is written when there is room again."""

from __future__ import annotations

import subprocess
import sys
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING

import pytest

from nodespan.telemetry.journal import Journal
from support.processes import environment_of_programs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = """
import sys, time
from nodespan.telemetry import configure

telemetry = configure()
tracer = telemetry.tracer_provider.get_tracer("application")
for number in range(3_000):
    tracer.start_span(f"span {number}", attributes={"text": "Meow" * 50}).end()
print(telemetry.flush(5), flush=True)
sys.stdin.readline()
print(telemetry.flush(60), telemetry.dropped, flush=True)
"""


def mount(*arguments: str) -> bool:
    """Mount something, where that is allowed here."""
    try:
        done = subprocess.run(["mount", *arguments], capture_output=True, check=False)  # noqa: S607 - where it lies differs
    except OSError:
        return False
    return done.returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 500 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=500k", "tmpfs", str(folder)):
        pytest.skip("only root may mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)  # noqa: S607 - as above


@pytest.mark.end_to_end
def test_a_full_disk_loses_nothing(small_disk: Path) -> None:
    """What finds no room waits in memory, and that is said; the file is sound all the while."""
    path = small_disk / "journal.db"
    with Popen(
        [sys.executable, "-c", PROGRAM],
        env=environment_of_programs(NODESPAN_JOURNAL=str(path)),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        text=True,
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline() == "False\n"
        with Journal(path) as journal:
            assert journal.is_sound()
        assert mount("-o", "remount,size=50m", str(small_disk))
        program.stdin.write("there is room\n")
        program.stdin.flush()
        assert program.stdout.readline() == "True 0\n"
        assert program.wait(60) == 0
        assert "the journal could not be written; spans wait in memory" in program.stderr.read()
    with Journal(path) as journal:
        assert journal.is_sound()
        assert len(journal.traces(limit=10_000)) == 3_000
