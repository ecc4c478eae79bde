"""A journal of several programs: which trace is of which service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    set_span_in_context,
)

from nodespan.telemetry.journal import Journal, TraceFilter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.recording import Recording

    Nodespan = Callable[..., Any]


@pytest.fixture(scope="module")
def journal(nodespan: Nodespan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal with two traces of a shop, and one of a worker in between."""
    path = tmp_path_factory.mktemp("state") / "journal.db"
    for service in ("shop", "worker", "shop"):
        told = {"NODESPAN_JOURNAL": str(path), "OTEL_SERVICE_NAME": service}
        assert nodespan("chat", service, **told).code == 0
    return path


def test_the_list_says_whose_each_trace_is(nodespan: Nodespan, journal: Path) -> None:
    """Beside its name, and to programs."""
    header, *lines = nodespan("traces", "--journal", str(journal)).out.splitlines()
    assert header.split()[:4] == ["trace", "started", "name", "service"]
    assert [line.split()[5] for line in lines] == ["shop", "worker", "shop"]
    told = nodespan("traces", "--json", "--journal", str(journal)).out.splitlines()
    assert [json.loads(line)["service"] for line in told] == ["shop", "worker", "shop"]


def test_a_list_of_one_service_has_no_column_of_it(nodespan: Nodespan, journal: Path) -> None:
    """There is nothing to tell apart."""
    shown = nodespan("traces", "--service", "shop", "--journal", str(journal)).out
    header, *lines = shown.splitlines()
    assert len(lines) == 2
    assert "service" not in header


@pytest.mark.parametrize("beside", [(), ("--text", "chat echo"), ("--outcome", "ok")], ids=str)
def test_the_traces_of_a_service_alone(
    nodespan: Nodespan, journal: Path, beside: tuple[str, ...]
) -> None:
    """With other filters, too; where there is none of that name, those there are."""
    options = ("--json", "--journal", str(journal), *beside)
    lines = nodespan("traces", "--service", "worker", *options).out.splitlines()
    assert [json.loads(line)["service"] for line in lines] == ["worker"]
    none = nodespan("traces", "--service", "workers", "--journal", str(journal))
    assert none.out.splitlines() == [
        "no traces with --service workers",
        "the services there are: shop, worker",
    ]


def test_the_doctor_names_the_services(nodespan: Nodespan, journal: Path, tmp_path: Path) -> None:
    """Where there are several; to programs always."""
    lines = nodespan("doctor", "--journal", str(journal)).out.splitlines()
    assert "services  shop, worker" in lines
    document = json.loads(nodespan("doctor", "--json", "--journal", str(journal)).out)
    assert document["services"] == ["shop", "worker"]
    alone = str(tmp_path / "journal.db")
    assert nodespan("chat", "hi", NODESPAN_JOURNAL=alone).code == 0
    told = nodespan("doctor", "--journal", alone).out
    assert "services" not in told
    assert "holds     1 trace, 3 spans, 0 open\n" in told


def test_a_trace_whose_root_is_elsewhere_is_of_the_service_of_its_first_span(
    recording: Recording,
) -> None:
    """A worker's part of what another process has begun."""
    elsewhere = SpanContext(7, 7, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    recording.tracer.start_span("work", set_span_in_context(NonRecordingSpan(elsewhere))).end()
    recording.writer.flush(10)
    with Journal(recording.path) as journal:
        assert [trace.service for trace in journal.traces()] == ["cats"]
        assert len(journal.traces(TraceFilter(service="cats"))) == 1
        assert journal.known("service") == ["cats"]
