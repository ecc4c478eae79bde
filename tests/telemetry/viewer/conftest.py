"""A viewer on a journal that a test writes into."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from nodespan.telemetry.viewer import viewer_app
from support.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PORT = 4319


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    """A journal that this process writes into."""
    made = Recording(tmp_path / "journal.db")
    yield made
    made.writer.stop(10)


@pytest.fixture
def viewer(tmp_path: Path) -> Iterator[TestClient]:
    """A client of the viewer, from this machine."""
    with TestClient(
        viewer_app(PORT, tmp_path / "journal.db"), base_url=f"http://127.0.0.1:{PORT}"
    ) as client:
        yield client


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Return what waits until something holds."""

    def wait(holds: Callable[[], bool], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, "it has not come true"
            time.sleep(0.02)

    return wait
