"""A web application with several workers: answers are streamed, people leave, Prometheus sums."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import httpx
import pytest

from support.distributed import tree
from support.environments import install
from support.processes import PROGRAMS
from support.serving import free_port, listens, started, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.otlp import OtlpReceiver

pytestmark = pytest.mark.end_to_end

ANSWERS: Final = 6
LEFT: Final = 3
WORKERS: Final = 2
WORDS: Final = " ".join(["word"] * 5)
ANSWERED: Final = ["GET /answer", "invoke_agent clerk", "node model", "chat slow"]


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with a web framework and its instrumentation."""
    folder = tmp_path_factory.mktemp("web") / "environment"
    beside = ("fastapi", "uvicorn", "opentelemetry-instrumentation-fastapi", "httpx")
    return install(folder, wheel, *beside)


@pytest.fixture
def served(programs: Path, otlp_receiver: OtlpReceiver, tmp_path: Path) -> Iterator[str]:
    """The address of the application, served by two workers that send to the receiver."""
    port = free_port()
    command = (programs / "uvicorn", "web_app:app", "--workers", str(WORKERS), "--port", str(port))
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_receiver.endpoint,
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_METRIC_EXPORT_INTERVAL": "300",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_SERVICE_NAME": "web",
    }
    folder = PROGRAMS / "engines"
    with started(*command, log=tmp_path / "server.log", folder=folder, **variables):
        until(lambda: listens(port), "the application listens")
        yield f"http://127.0.0.1:{port}/answer"


def ask(url: str, said: str) -> str:
    """Read the whole of a streamed answer."""
    answer = httpx.get(url, params={"said": said}, timeout=60)
    return "".join(line.removeprefix("data: ").strip('"') for line in answer.text.splitlines())


def leave(url: str) -> None:
    """Read the beginning of a long answer, and close the connection."""
    with httpx.stream("GET", url, params={"said": "word " * 400}, timeout=60) as answer:
        next(answer.iter_lines())


def outcomes(receiver: OtlpReceiver) -> Counter[str]:
    """How the agent's runs ended."""
    return Counter(
        next((a.value.string_value for a in span.attributes if a.key == "nodespan.outcome"), "ok")
        for group in receiver.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
        if span.name == "invoke_agent clerk"
    )


def names(receiver: OtlpReceiver) -> Counter[str]:
    """How many spans have each name."""
    return Counter(
        span.name
        for group in receiver.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    )


def calls(receiver: OtlpReceiver) -> dict[str, int]:
    """How many calls of models each worker has counted last."""
    counted: dict[str, int] = {}
    for request in receiver.metric_requests:
        for group in request.resource_metrics:
            named = {each.key: each.value.string_value for each in group.resource.attributes}
            for scope in group.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == "gen_ai.client.operation.duration":
                        counted[named["service.instance.id"]] = sum(
                            point.count for point in metric.histogram.data_points
                        )
    return counted


def test_answers_are_streamed_and_people_leave(served: str, otlp_receiver: OtlpReceiver) -> None:
    """An answer is one trace without a span a chunk; who leaves has cancelled or abandoned it."""
    assert [ask(served, WORDS).strip() for _ in range(ANSWERS)] == [WORDS] * ANSWERS
    for _ in range(LEFT):
        leave(served)
    until(lambda: outcomes(otlp_receiver).total() == ANSWERS + LEFT, "all runs have ended", 60)
    found = outcomes(otlp_receiver)
    assert found["ok"] == ANSWERS
    assert found["cancelled"] + found["abandoned"] == LEFT
    until(lambda: names(otlp_receiver)[ANSWERED[0]] == ANSWERS + LEFT, "the roots have come", 20)
    assert names(otlp_receiver) == dict.fromkeys(ANSWERED, ANSWERS + LEFT)
    every = ANSWERS + LEFT
    until(lambda: sum(calls(otlp_receiver).values()) == every, "all calls are counted", 20)
    assert len(calls(otlp_receiver)) <= WORKERS
    blocks = "".join(tree(otlp_receiver.resource_spans)).split("web: GET /answer")[1:]
    assert {block.count("web: ") for block in blocks} == {len(ANSWERED) - 1}
