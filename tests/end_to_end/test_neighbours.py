"""Beside what people already run: one environment each, resolved and installed anew."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest

from support.environments import install, run
from support.processes import PROGRAMS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.end_to_end, pytest.mark.flaky(reruns=1)]

TREE: Final = """\
invoke_agent forecaster
  node model
    chat scripted
  node tools
    execute_tool weather
  node model
    chat scripted
{} 0
"""
# These make spans of runs too, current ones: in one trace ours may be beneath theirs.
WITH_SPANS: Final = ("traceloop", "langfuse")
INSTRUMENTATIONS: Final = (
    *("httpx", "requests", "starlette", "fastapi", "asgi", "sqlalchemy", "logging"),
)

# What is installed beside nodespan, the newest but where theirs do not go together: the adapters
# 0.3.1 import names that mcp 2 has not, and SQLAlchemy 2.1 is beyond its instrumentation's range.
NEIGHBOURS: Final = {
    "langgraph_server": ("langgraph-cli[inmem]", "langgraph-api"),
    "langchain": ("langchain", "langchain-openai", "langchain-anthropic", "deepagents"),
    "langfuse": ("langfuse", "langchain"),
    "langsmith": ("langsmith[otel]",),
    "openinference": ("arize-phoenix-otel", "openinference-instrumentation-langchain"),
    "opentelemetry": (
        "opentelemetry-distro",
        *(f"opentelemetry-instrumentation-{each}" for each in INSTRUMENTATIONS),
        *("httpx", "requests", "fastapi", "sqlalchemy<2.1"),
    ),
    "mlflow": ("mlflow-skinny",),
    "traceloop": ("traceloop-sdk",),
    "mcp": ("mcp<2", "langchain-mcp-adapters"),
    "temporal": ("temporalio[opentelemetry]", "temporalio-langgraph"),
}


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_stands_beside(name: str, wheel: Path, tmp_path: Path) -> None:
    """It installs beside the neighbour's newest release; the command and a traced agent work."""
    programs = install(tmp_path / name, wheel, *NEIGHBOURS[name])
    answered = run(programs / "nodespan", "chat", "Meow!")
    assert answered.startswith("Meow!\n")
    assert "└─ node model" in answered
    start: tuple[str | Path, ...] = (programs / "python",)
    variables = {}
    if name == "opentelemetry":
        start = (programs / "opentelemetry-instrument", *start)
        variables = {f"OTEL_{each}_EXPORTER": "none" for each in ("TRACES", "METRICS", "LOGS")}
    arguments = (name, "--all") if name in WITH_SPANS else (name,)
    printed = run(*start, PROGRAMS / "neighbours.py", *arguments, **variables)
    if name in WITH_SPANS:
        assert_one_trace_with_all(printed)
    else:
        assert printed.endswith(TREE)


def assert_one_trace_with_all(printed: str) -> None:
    """Fail unless all of our spans are in one trace, and nothing is open or in trouble."""
    *lines, last = printed.splitlines()
    tree = lines[max(at for at, line in enumerate(lines) if not line.startswith(" ")) :]
    found = Counter(line.strip() for line in tree)
    assert last == "{} 0"
    assert Counter(line.strip() for line in TREE.splitlines()[:-1]) <= found
