"""What the tests of the journal share: a journal that is written, and programs that write one."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from nodespan.telemetry._diagnostics import Diagnostics
from nodespan.telemetry._journal.processor import JournalProcessor, Queue
from nodespan.telemetry._journal.retention import Retention
from nodespan.telemetry._journal.store import Store
from nodespan.telemetry._journal.writer import Writer
from nodespan.telemetry.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from opentelemetry.trace import Tracer


@dataclass
class Recording:
    """A journal that this process writes into."""

    path: Path
    retention: Retention = field(default_factory=Retention)
    destination: str | None = None

    def __post_init__(self) -> None:
        self.diagnostics = Diagnostics()
        self.queue = Queue()
        self.store = Store(self.path, self.diagnostics)
        self.writer = Writer(
            self.store, self.queue, self.diagnostics, self.retention, self.destination
        )
        self.provider = TracerProvider(
            resource=Resource({"service.name": "cats"}), shutdown_on_exit=False
        )
        self.provider.add_span_processor(JournalProcessor(self.queue))

    @property
    def tracer(self) -> Tracer:
        """The application's."""
        return self.provider.get_tracer("application")

    def flush(self) -> None:
        """Write what waits."""
        assert self.writer.flush(60)

    def read(self) -> Journal:
        """Return the journal, to read, when all is written."""
        self.flush()
        return Journal(self.path)


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
