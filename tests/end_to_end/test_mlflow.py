"""A trace arrives in MLflow, whose list shows what was asked, what was answered, and its tokens."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from support.environments import run, uv
from support.processes import PROGRAMS
from support.serving import free_port, started, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.end_to_end, pytest.mark.flaky(reruns=1)]

IN_EXPERIMENT: Final = {
    "locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}]
}


@pytest.fixture
def mlflow(tmp_path: Path) -> Iterator[str]:
    """The address of an MLflow that knows of nothing yet."""
    folder = tmp_path / "environment"
    uv("venv", "--python", sys.executable, folder)
    uv("pip", "install", "--python", folder / "bin" / "python", "mlflow>=3.17,<4")
    port = free_port()
    command = (
        *(folder / "bin" / "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", "1", "--backend-store-uri", f"sqlite:///{tmp_path / 'mlflow.db'}"),
        *("--default-artifact-root", str(tmp_path / "artifacts")),
    )
    address = f"http://127.0.0.1:{port}"
    variables = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    with started(*command, log=tmp_path / "mlflow.log", folder=tmp_path, **variables):
        until(lambda: is_ready(address), "MLflow answers", 240)
        yield address


def is_ready(address: str) -> bool:
    """Whether it answers."""
    try:
        return httpx.get(f"{address}/health", timeout=10).is_success
    except httpx.TransportError:
        return False


def traces(address: str) -> list[dict[str, Any]]:
    """Return what its list of traces shows of each."""
    found = httpx.post(
        f"{address}/api/3.0/mlflow/traces/search", json=IN_EXPERIMENT, timeout=60
    ).raise_for_status()
    listed: list[dict[str, Any]] = found.json().get("traces", [])
    return listed


def test_the_list_shows_what_people_look_for(mlflow: str) -> None:
    """Input, output, conversation and tokens stand in the list, with content on."""
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": mlflow,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-mlflow-experiment-id=0",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "60",  # the first trace makes it import what it needs
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY",
    }
    run(sys.executable, PROGRAMS / "librarian.py", "Meow", "thread-1", **variables)
    until(lambda: traces(mlflow), "the trace arrives")
    (listed,) = traces(mlflow)
    metadata = listed["trace_metadata"]
    assert listed["state"] == "OK"
    assert json.loads(listed["request_preview"]) == "What is Meow?"
    assert json.loads(listed["response_preview"]) == "It is woeM."
    assert metadata["mlflow.trace.session"] == "thread-1"
    assert json.loads(metadata["mlflow.trace.tokenUsage"]) == {
        "input_tokens": 1511 + 1521,
        "output_tokens": 7 + 5,
        "total_tokens": 1518 + 1526,
    }
