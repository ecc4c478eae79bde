"""The viewer's page needs no build step, reads no text as markup, loads nothing from elsewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from nodespan.telemetry._viewer.files import FOLDER as PAGE
from nodespan.telemetry._viewer.saved_files import saved_script, saved_style

if TYPE_CHECKING:
    from pathlib import Path

MODULES = sorted(path for path in PAGE.glob("*.js") if path.name != "dagre.js")
SHEETS = sorted(PAGE.glob("*.css"))
MARKUP = (
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "DOMParser",
    "eval(",
    "new Function",
)


def name_of(path: Path) -> str:
    """Return what a test is named after."""
    return path.name


def test_a_saved_page_is_whole() -> None:
    """Its script imports and exports nothing, has each module once, after those that it needs."""
    script = saved_script()
    assert re.findall(r"^(?:import|export)\b.*$", script, re.MULTILINE) == []
    made = re.findall(r"^const (in_\w+) = \(\(\) => \{$", script, re.MULTILINE)
    assert len(made) == len(set(made)) > 5
    assert made[-1] == "in_file_page"
    for at, name in enumerate(made):
        used = set(re.findall(r"= (in_\w+);$", script.split(f"const {name} = ")[0], re.MULTILINE))
        assert used <= set(made[:at])
    assert saved_style().count("{") == saved_style().count("}") > 50
    assert ".row { position: absolute;" in saved_style()


def test_the_page_asks_for_all_its_modules_at_once() -> None:
    """Each module is announced in the markup, so that none waits for what imports it."""
    announced = re.findall(
        r'rel="modulepreload" href="/static/([^"]+)"', (PAGE / "index.html").read_text()
    )
    assert announced == [
        path.name for path in MODULES if path.name not in ("main.js", "file-page.js")
    ]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_is_read_as_markup(path: Path) -> None:
    """No module has a way to make elements, or code, out of a text."""
    source = path.read_text()
    assert [way for way in MARKUP if way in source] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_small_and_imports_only_its_neighbours(path: Path) -> None:
    """A module has less than 400 lines, and imports files that are there, in the same folder."""
    source = path.read_text()
    imported = re.findall(r'from "([^"]*)"', source)
    assert [name for name in imported if not (PAGE / name).is_file() or name[:2] != "./"] == []
    assert len(source.splitlines()) < 400


@pytest.mark.parametrize("path", [*MODULES, *SHEETS, PAGE / "index.html"], ids=name_of)
def test_nothing_comes_from_another_host(path: Path) -> None:
    """Nothing is loaded from elsewhere: the only address with a host is the namespace of SVG."""
    addresses = re.findall(r"https?://[^\s\"'`)]+", path.read_text())
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}


def test_the_page_has_no_script_or_style_in_its_markup() -> None:
    """What a strict Content-Security-Policy refuses is not there."""
    page = (PAGE / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page) == []


def test_the_layout_library_brings_its_licence() -> None:
    """The one library that is shipped has its licence beside it."""
    licence = (PAGE / "dagre.LICENSE.txt").read_text()
    assert "Permission is hereby granted, free of charge" in licence
