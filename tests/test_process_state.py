"""A test that leaves loggers, globals or variables changed is failed, and the next starts clean."""

from __future__ import annotations

import io
import logging
import os
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from opentelemetry import trace

from nodespan.telemetry import configure_logging
from support.process_state import LoggerState, ProcessState

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS = logging.getLogger("nodespan.telemetry.runs")
CHANGES: dict[str, Callable[[], Any]] = {
    "logger 'root'": lambda: logging.root.setLevel(logging.INFO),
    "level=20": lambda: RUNS.setLevel(logging.INFO),
    "disabled=True": lambda: setattr(RUNS, "disabled", True),
    "propagate=False": lambda: setattr(RUNS, "propagate", False),
    "handlers=": lambda: RUNS.addHandler(logging.StreamHandler()),
    "logger 'opentelemetry.fresh'": lambda: logging.getLogger("opentelemetry.fresh").setLevel(1),
    "logging.disable(50)": lambda: logging.disable(logging.CRITICAL),
    "configure_logging was called": lambda: configure_logging(stream=io.StringIO()),
    "structlog is set up": structlog.configure,
    "_TRACER_PROVIDER": lambda: setattr(trace, "_TRACER_PROVIDER", trace.NoOpTracerProvider()),
    "the variable OTEL_NEW": lambda: os.environ.update(OTEL_NEW="1"),
    "the variable NODESPAN_JOURNAL": lambda: os.environ.pop("NODESPAN_JOURNAL"),
}


@pytest.mark.parametrize(("said", "change"), CHANGES.items(), ids=CHANGES.keys())
def test_what_was_changed_is_said_and_put_back(said: str, change: Callable[[], Any]) -> None:
    """Whatever a test has changed for the others, it is named, once."""
    before = ProcessState()
    change()
    assert said in "; ".join(before.put_back())
    assert before.put_back() == []


def test_what_says_nothing_is_let_be() -> None:
    """A handler that writes nothing changes nothing for anybody."""
    before, handler = ProcessState(), logging.NullHandler()
    RUNS.addHandler(handler)
    assert before.put_back() == []
    assert handler not in LoggerState.of(RUNS).handlers
    RUNS.removeHandler(handler)
