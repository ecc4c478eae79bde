"""A pytest plugin for the suites of others: telemetry is on in them, content too, or it is off.

What became of each test, and what telemetry says of itself, is written as JSON to the file that
`NODESPAN_OUTCOMES` names; `NODESPAN_SWITCHED` is `on` or `off`.
"""

from __future__ import annotations

import gc
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from nodespan.telemetry import instrument

if TYPE_CHECKING:
    import pytest


class SwitchedOn:
    """Traces all that a session of pytest runs, and remembers what became of its tests."""

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}
        self.handler: Any = None
        self.exporter = InMemorySpanExporter()
        if os.environ["NODESPAN_SWITCHED"] == "on":
            provider = TracerProvider(shutdown_on_exit=False)
            provider.add_span_processor(SimpleSpanProcessor(self.exporter))
            self.handler = instrument(tracer_provider=provider, capture_content="SPAN_ONLY")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember the worst of a test's three phases."""
        known = self.outcomes.get(report.nodeid, "passed")
        self.outcomes[report.nodeid] = known if report.passed else report.outcome

    def pytest_sessionfinish(self) -> None:
        """Write what became of the tests, and of telemetry."""
        gc.collect()
        found: dict[str, Any] = {
            "outcomes": self.outcomes,
            "spans": len(self.exporter.get_finished_spans()),
        }
        if self.handler is not None:
            found["open"] = self.handler.open_runs
            found["diagnostics"] = dict(self.handler.diagnostics.counts)
        Path(os.environ["NODESPAN_OUTCOMES"]).write_text(json.dumps(found), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Switch telemetry on for the session."""
    config.pluginmanager.register(SwitchedOn())
