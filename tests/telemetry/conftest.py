"""What the tests of telemetry share: the ways in, and what must be true after every test."""

from __future__ import annotations

import gc
import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from nodespan.telemetry import (
    OpenTelemetryCallbackHandler,
    SpanCollector,
    instrument,
    uninstrument,
)
from support.traced import Traced

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# The suite's cases hold for each way in alike, and with content on as with content off.
WAYS_IN = ("handler", "instrument")
IN_TURNS: Final[Mapping[str, tuple[str, ...]]] = {
    "traced": WAYS_IN,
    "mode": ("NO_CONTENT", "SPAN_ONLY"),
}
# The SDK asks each detector in a thread, for each provider that is given none.
RESOURCE = Resource.create()


@pytest.hookimpl(tryfirst=True)  # before what is marked is left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Take one way in, or one mode, for each case of a test that has two, in turns.

    The other is slow.
    """
    cases: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for item in items:
        parameters: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
        test, _, ids = item.nodeid.partition("[")
        for name, turns in IN_TURNS.items():
            value = parameters.get(name)
            if value in turns and len(parameters) > 1:
                numbers = cases[test, name]
                number = numbers.setdefault(ids.replace(value, "", 1), len(numbers))
                if turns[number % len(turns)] != value:
                    item.add_marker(pytest.mark.slow)


@pytest.fixture(params=WAYS_IN)
def traced(request: pytest.FixtureRequest) -> Iterator[Traced]:
    """Trace by each way in, with spans kept in memory, and with nothing swallowed."""
    collector = SpanCollector()
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    provider.add_span_processor(collector)
    make = instrument if request.param == "instrument" else OpenTelemetryCallbackHandler
    handler = make(tracer_provider=provider)
    handler.raise_error = True
    yield Traced(handler, provider, collector, request.param)
    uninstrument()
    if handler.open_runs:
        gc.collect()
    assert handler.open_runs == 0, "a run is open"
    assert handler.diagnostics.counts == {}, "telemetry has met trouble"
    provider.shutdown()


@pytest.fixture(autouse=True)
def _context_is_what_it_was(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail where a test leaves another span current, or a context could not be detached."""
    before = trace.get_current_span()
    with caplog.at_level(logging.DEBUG, logger="opentelemetry"):
        yield
    assert trace.get_current_span() is before, "another span is current than before"
    records = caplog.get_records("call")
    assert not [
        record.getMessage()
        for record in records
        if record.name.startswith("opentelemetry") and record.levelno >= logging.WARNING
    ]
    told = [record.getMessage() for record in records]
    assert not [text for text in told if "Failed to detach context" in text]
    assert not [text for text in told if "OpenTelemetryCallbackHandler" in text]
