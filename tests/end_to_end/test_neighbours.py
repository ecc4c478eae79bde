"""Beside what people already run: one environment each, resolved and installed anew."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from support.processes import PROGRAMS, environment_of_programs

pytestmark = pytest.mark.end_to_end

ROOT: Final = Path(__file__).parents[2]
SECONDS: Final = 300

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


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built of a copy: a build leaves folders behind."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("graph", "model", "telemetry", "pyproject.toml", "README.md", "LICENSE"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    uv("build", "--wheel", "--out-dir", folder / "dist", folder)
    return next((folder / "dist").glob("*.whl"))


def uv(*arguments: str | Path) -> None:
    """Run uv, which must succeed; what it says is why it could not."""
    command = (sys.executable, "-m", "uv", "--quiet", *arguments)
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert result.returncode == 0, result.stderr


def run(*command: str | Path, **variables: str) -> str:
    """Run a program that must succeed, and return what it has printed."""
    # A variable of the tests' own environment is none of the other's.
    environment = environment_of_programs(**variables)
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=SECONDS, env=environment
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    return result.stdout


def install(folder: Path, wheel: Path, *requirements: str) -> Path:
    """Make an environment with the wheel and its neighbours; return where its programs are."""
    uv("venv", "--python", sys.executable, folder)
    bin_ = folder / ("Scripts" if os.name == "nt" else "bin")
    uv("pip", "install", "--python", bin_ / "python", f"nodespan @ {wheel.as_uri()}", *requirements)
    return bin_


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
