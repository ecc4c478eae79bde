"""What the tests of the journal share."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from support.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def start_recording(tmp_path: Path) -> Iterator[Callable[..., Recording]]:
    """Return what starts to write a journal, each one its own."""
    started: list[Recording] = []

    def start(**settings: Any) -> Recording:
        started.append(Recording(**{"path": tmp_path / "journal.db"} | settings))
        return started[-1]

    yield start
    for recording in started:
        recording.writer.stop(10)


@pytest.fixture
def recording(start_recording: Callable[..., Recording]) -> Recording:
    """A journal that is written."""
    return start_recording()


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Return what waits until something holds."""

    def wait(holds: Callable[[], bool], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, "it has not come true"
            time.sleep(0.02)

    return wait
