"""A journal that a test writes into."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from nodespan.telemetry._diagnostics import Diagnostics
from nodespan.telemetry._journal.processor import JournalProcessor, Queue
from nodespan.telemetry._journal.retention import Retention
from nodespan.telemetry._journal.store import Store
from nodespan.telemetry._journal.writer import Writer
from nodespan.telemetry.journal import Journal

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.trace import Tracer

    from nodespan.telemetry._spool.destinations import Destination


@dataclass
class Recording:
    """A journal that this process writes into."""

    path: Path
    retention: Retention = field(default_factory=Retention)
    destination: Destination | None = None

    def __post_init__(self) -> None:
        self.diagnostics = Diagnostics()
        self.queue = Queue()
        self.store = Store(self.path, self.diagnostics)
        self.writer = Writer(
            self.store, self.queue, self.diagnostics, self.retention, self.destination
        )
        self.writer.begin()
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
