"""The public face of telemetry: what is there, and when it is imported."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from nodespan import telemetry

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    RunPython = Callable[..., subprocess.CompletedProcess[str]]


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
