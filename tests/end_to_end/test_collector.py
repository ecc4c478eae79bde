"""Through a Collector's engine: traces, metrics and logs arrive behind it as they were sent."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

from support.environments import run, uv
from support.processes import PROGRAMS
from support.serving import free_port, listens, started, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.otlp import OtlpReceiver

pytestmark = [pytest.mark.end_to_end, pytest.mark.flaky(reruns=1)]

SPANS: Final = [
    "invoke_agent librarian",
    *("node model", "chat scripted", "node tools", "execute_tool look_up"),
    *("node model", "chat scripted"),
]


@pytest.fixture
def collector(tmp_path: Path, otlp_receiver: OtlpReceiver) -> Iterator[str]:
    """The endpoint of a Collector that hands everything on."""
    folder = tmp_path / "environment"
    uv("venv", "--python", sys.executable, folder)
    uv("pip", "install", "--python", folder / "bin" / "python", "rotel")
    (agent,) = folder.glob("lib/python3*/site-packages/rotel/rotel-agent")
    ports = {name: f"127.0.0.1:{free_port()}" for name in ("grpc", "http")}
    command = (
        *(agent, "start", "--exporter", "otlp"),
        *("--otlp-grpc-endpoint", ports["grpc"], "--otlp-http-endpoint", ports["http"]),
        *("--otlp-exporter-endpoint", otlp_receiver.endpoint, "--otlp-exporter-protocol", "http"),
        *("--otlp-exporter-compression", "none", "--batch-timeout", "100ms"),
    )
    with started(*command, log=tmp_path / "collector.log"):
        until(lambda: listens(int(ports["http"].split(":")[1])), "the Collector listens")
        yield f"http://{ports['http']}"


def test_all_three_signals_arrive(collector: str, otlp_receiver: OtlpReceiver) -> None:
    """What a program sends by OTLP is whole behind a Collector."""
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "NODESPAN_LOG_EVENTS": "true",
    }
    run(sys.executable, PROGRAMS / "librarian.py", "Meow", "thread-1", **variables)
    until(lambda: len(names(otlp_receiver)) >= len(SPANS), "the spans arrive", 20)
    until(lambda: otlp_receiver.metrics and otlp_receiver.log_records, "the rest arrives", 20)
    assert sorted(names(otlp_receiver)) == sorted(SPANS)
    assert "gen_ai.client.operation.duration" in otlp_receiver.metrics
    trace_ids = {span.trace_id for span in spans(otlp_receiver)}
    assert {record.trace_id for record in otlp_receiver.log_records} == trace_ids
    assert len(trace_ids) == 1


def spans(receiver: OtlpReceiver) -> list[Any]:
    """The spans that have arrived."""
    groups = receiver.resource_spans
    return [span for group in groups for scope in group.scope_spans for span in scope.spans]


def names(receiver: OtlpReceiver) -> list[str]:
    """Their names."""
    return [span.name for span in spans(receiver)]
