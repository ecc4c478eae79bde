"""The recipes: what they name is there, and what they install is what the checks install."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from nodespan.telemetry._semconv import names as semconv
from nodespan.telemetry._translation.outcome import Outcome

ROOT: Final = Path(__file__).parent.parent
RECIPES: Final = (ROOT / "telemetry" / "RECIPES.md").read_text("utf-8")
CHECKS: Final = "".join(
    (ROOT / "tests" / "end_to_end" / f"test_{name}.py").read_text("utf-8")
    for name in ("engines", "web_servers")
)
COLLECTOR: Final[dict[str, Any]] = yaml.safe_load(
    (ROOT / "telemetry" / "collector.yaml").read_text("utf-8")
)


def test_programs_that_are_started_are_there() -> None:
    """Each program of a command is a file of the repository."""
    named = re.findall(r"python (?:\.\./)?(tests/\S+\.py)", RECIPES)
    assert len(named) >= 5
    assert [path for path in named if not (ROOT / path).is_file()] == []


INSTALLED: Final = re.findall(r"^pip install (?!'nodespan)(.*)$", RECIPES, re.MULTILINE)


@pytest.mark.parametrize("line", INSTALLED)
def test_what_is_installed_is_what_the_checks_install(line: str) -> None:
    """No recipe asks for other packages than those with which it was seen to work."""
    for package in line.replace("'", "").split():
        name = package.removeprefix("opentelemetry-instrumentation-")
        assert f'"{package}"' in CHECKS or f'"{name}"' in CHECKS


def test_the_collector_looks_for_what_spans_carry() -> None:
    """Its policies name attributes and outcomes that nodespan writes."""
    policies = COLLECTOR["processors"]["tail_sampling"]["policies"]
    text, number = (policies[at] for at in (1, 2))
    assert text["string_attribute"]["key"] == semconv.OUTCOME
    assert set(text["string_attribute"]["values"]) <= {each.value for each in Outcome}
    assert number["numeric_attribute"]["key"] == semconv.STREAM_STALLS


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_the_collector_has_what_it_uses(signal: str) -> None:
    """Each part of a pipeline is set up."""
    pipeline = COLLECTOR["service"]["pipelines"][signal]
    for kind, names in pipeline.items():
        assert set(names) <= COLLECTOR[kind].keys()
    assert pipeline["processors"][0] == "memory_limiter"
