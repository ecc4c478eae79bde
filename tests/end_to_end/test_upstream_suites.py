"""LangChain's own tests give the same results with telemetry switched on, content too."""

from __future__ import annotations

import json
import subprocess
import tarfile
import tomllib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import pytest

from support.environments import install, uv
from support.processes import PROGRAMS, environment_of_programs

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.end_to_end

SECONDS: Final = 900
# A test that differs, and why that is no fault: what it looks at is the telemetry itself.
DIFFERENT: Final[dict[str, dict[str, str]]] = {
    "langchain": {},
    "langchain-core": {
        "language_models/chat_models/test_benchmark.py::test_benchmark_model": "measures time",
        "runnables/test_config.py::test_merge_config_callbacks": "counts the handlers of a manager",
    },
}
# Their tests use the same few ids, again while a run that an earlier test left has not been
# collected: whether any meet is a matter of time.
REPEATED_IDS: Final[dict[str, set[str]]] = {
    "langchain": set(),
    "langchain-core": {"two calls at once were given the same run_id; each has a span"},
}


@pytest.fixture(scope="module", params=DIFFERENT)
def suite(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, Path]:
    """The tests of the release that is installed here, and a Python in which they can run."""
    name: str = request.param
    folder = tmp_path_factory.mktemp(name)
    asked = f"{name}=={version(name)}"
    programs = install(folder / "environment", wheel, asked, "pip")
    python = programs / "python"
    download = (python, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", asked)
    subprocess.run(download, check=True, cwd=folder, timeout=SECONDS)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as packed:
        packed.extractall(folder, filter="data")
    sources = next(each.parent for each in folder.glob("*/pyproject.toml"))
    declared = tomllib.loads((sources / "pyproject.toml").read_text("utf-8"))
    uv("pip", "install", "--python", python, asked, *declared["dependency-groups"]["test"])
    return name, sources, python


def outcomes(sources: Path, python: Path, switched: str) -> dict[str, Any]:
    """What became of the suite's tests, with telemetry on or off."""
    written = sources / f"{switched}.json"
    variables = {
        "NODESPAN_SWITCHED": switched,
        "NODESPAN_OUTCOMES": str(written),
        "PYTHONPATH": str(PROGRAMS),
    }
    command = (python, "-m", "pytest", "-q", "-p", "switched_on", "tests/unit_tests")
    environment = environment_of_programs(**variables)
    ended = subprocess.run(
        command, cwd=sources, env=environment, capture_output=True, timeout=SECONDS, check=False
    )
    assert written.is_file(), ended.stdout[-4000:] + ended.stderr[-4000:]
    found: dict[str, Any] = json.loads(written.read_text("utf-8"))
    return found


def test_gives_the_same_results(suite: tuple[str, Path, Path]) -> None:
    """No test ends otherwise with us than without; all spans end, and nothing is in trouble."""
    name, sources, python = suite
    bare, traced = (outcomes(sources, python, each) for each in ("off", "on"))
    without, with_us = bare["outcomes"], traced["outcomes"]
    different = {test for test in without if without[test] != with_us.get(test)}
    known = {f"tests/unit_tests/{test}" for test in DIFFERENT[name]}
    assert different <= known
    assert len(without) > 1000
    assert with_us.keys() == without.keys()
    assert traced["open"] == 0
    assert traced["diagnostics"].keys() <= REPEATED_IDS[name]
    assert traced["spans"] > 1000
