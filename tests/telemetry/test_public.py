"""The public face of telemetry: what is there, and when it is imported."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from nodespan import telemetry

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    RunPython = Callable[..., subprocess.CompletedProcess[str]]

# What takes a part of a millisecond each of every program's start, by the room that makes it.
PATTERNS = {"_translation": 1}
DATACLASSES = {
    "_context": 2,
    "_metrics": 2,
    "_runs": 4,
    "_settings": 3,
    "_stream": 2,
    "_traces": 4,
    "_translation": 3,
}
LATE = ("_settings.config.", "_settings.price_file.", "_setup.", "_journal.", "_console.")


@pytest.mark.parametrize("name", telemetry.__all__)
def test_every_public_name_is_there(name: str) -> None:
    """Each is found, says that it is telemetry's own, and survives a pickle."""
    found = getattr(telemetry, name)
    assert found.__module__ == "nodespan.telemetry"
    assert pickle.loads(pickle.dumps(found)) is found  # noqa: S301 - our own
    assert name in dir(telemetry)


def test_another_name_is_an_error() -> None:
    """What is not there is told as Python tells it."""
    with pytest.raises(AttributeError, match=r"'nodespan\.telemetry' has no attribute 'Handler'"):
        telemetry.Handler  # type: ignore[attr-defined]  # noqa: B018 - that is what is tried


def test_without_its_extra_the_viewer_says_what_to_install(run_python: RunPython) -> None:
    """Who has a clone is told too: an index may not have the package."""
    code = """
import sys
sys.modules["starlette"] = None
from nodespan.telemetry._errors import ViewerError
try:
    import nodespan.telemetry.viewer
except ViewerError as error:
    print(error)
"""
    said = (
        "the viewer needs starlette.applications, which is not installed; install the extra with: "
    )
    way = "pip install 'nodespan[ui]', or '.[ui]' in a clone"
    assert run_python(code).stdout == f"{said}{way}\n"


def test_who_only_reads_needs_no_langchain(run_python: RunPython) -> None:
    """LangChain and LangGraph, which take seconds, are imported by what needs them."""
    code = """
import sys
import nodespan.telemetry, nodespan.telemetry.journal
print({"langchain_core", "langgraph"} & sys.modules.keys())
from nodespan.telemetry import *
print({"langchain_core", "langgraph"} <= sys.modules.keys())
"""
    result = run_python(code)
    assert (result.stdout, result.stderr) == ("set()\nTrue\n", "")


@pytest.mark.slow
def test_who_reads_settings_needs_no_langchain(run_python: RunPython) -> None:
    """So with a variable that may be a slip for one of ours, and where a config is checked."""
    code = """
import os, sys
from nodespan.telemetry import TelemetryConfig
from nodespan.telemetry.checkup import settings_in_force
from nodespan.telemetry.journal import Journal, JournalMissingError
try:
    Journal("missing.db")
except JournalMissingError:
    print(len(settings_in_force(TelemetryConfig(service_name="shop"))) > 0)
print({"langchain_core", "langgraph"} & sys.modules.keys())
"""
    variables = {"NODESPAN_JOURNAL": "off", "NODE_PATH": "modules"}
    assert run_python(code, **variables).stdout == "True\nset()\n"


@pytest.mark.slow
def test_a_handler_is_imported_without_what_takes_long(run_python: RunPython) -> None:
    """Patterns are compiled and dataclasses made where they are needed, but for those known."""
    code = """
import json, re, sys
from nodespan.telemetry import OpenTelemetryCallbackHandler, instrument
found = []
for name, module in list(sys.modules.items()):
    if name.startswith("nodespan.telemetry."):
        values = list(vars(module).values())
        own = [vars(each) for each in values if getattr(each, "__module__", "") == name
               and isinstance(each, type)]
        patterns = sum(isinstance(each, re.Pattern) for each in values)
        records = sum("__dataclass_params__" in each for each in own)
        found.append((name.removeprefix("nodespan.telemetry."), patterns, records))
print(json.dumps(found))
"""
    patterns: Counter[str] = Counter()
    dataclasses: Counter[str] = Counter()
    found = json.loads(run_python(code).stdout)
    for module, *counts in found:
        patterns[module.partition(".")[0]] += counts[0]
        dataclasses[module.partition(".")[0]] += counts[1]
    assert patterns <= Counter(PATTERNS)
    assert dataclasses <= Counter(DATACLASSES)
    assert not [module for module, *_ in found if f"{module}.".startswith(LATE)]
