"""The viewer's page needs no build step, reads no text as markup, loads nothing from elsewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from nodespan.telemetry._viewer.files import FOLDER as PAGE
from nodespan.telemetry._viewer.joined import page_script, saved_script, saved_style

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.testclient import TestClient

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


@pytest.mark.parametrize(
    ("script", "entry"), [(page_script, "in_main"), (saved_script, "in_file_page")]
)
def test_a_script_is_whole(script: Callable[[], str], entry: str) -> None:
    """It imports and exports nothing, has each module once, after those that it needs."""
    text = script()
    assert re.findall(r"^(?:import|export)\b.*$", text, re.MULTILINE) == []
    made = re.findall(r"^const (in_\w+) = \(\(\) => \{$", text, re.MULTILINE)
    assert len(made) == len(set(made)) > 5
    assert made[-1] == entry
    for at, name in enumerate(made):
        used = set(re.findall(r"= (in_\w+);$", text.split(f"const {name} = ")[0], re.MULTILINE))
        assert used <= set(made[:at])


def test_the_two_scripts_have_all_modules_between_them() -> None:
    """A module that neither the page nor a saved trace has would be shipped for nothing."""
    text = page_script() + saved_script()
    assert [it for it in MODULES if f"const in_{it.stem.replace('-', '_')} = " not in text] == []


def test_a_saved_page_has_its_style() -> None:
    """The sheets of the trace are joined whole."""
    assert saved_style().count("{") == saved_style().count("}") > 50
    assert ".row { position: absolute;" in saved_style()


def test_the_page_is_one_script_and_one_sheet(viewer: TestClient) -> None:
    """A browser asks for each once, and keeps them until they change: none of it is data."""
    asked = re.findall(r'(?:src|href)="(/static/page[^"]+)"', viewer.get("/").text)
    assert [address.partition("?")[0] for address in asked] == [
        "/static/page.css",
        "/static/page.js",
    ]
    for address in asked:
        answer = viewer.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert re.fullmatch(r"[^?]+\?[0-9a-f]{16}", address)
        unversioned = viewer.get(address.partition("?")[0])
        assert (unversioned.text, unversioned.headers["cache-control"]) == (answer.text, "no-store")


@pytest.mark.parametrize(
    ("address", "first"),
    [
        ("/", "/api/traces?order=started&offset=0&limit=200"),
        ("/traces/last", "/api/traces/last?max_spans=2000"),
        (
            "/traces/0af7651916cd43dd8448eb211c80319c?span=1",
            "/api/traces/0af7651916cd43dd8448eb211c80319c?max_spans=2000",
        ),
        ("/traces/0af7/spans/00f067aa0ba902b7", "/api/traces/0af7?max_spans=2000"),
        ("/?outcome=error", None),
        ("/traces/%3E%0D%0ASet-Cookie:%20a=b", None),
        ("/live", None),
    ],
)
def test_a_view_tells_the_browser_what_it_asks_for_first(
    viewer: TestClient, address: str, first: str | None
) -> None:
    """So that it comes while the script does; nothing of an address but an id is repeated."""
    link = f"<{first}>; rel=preload; as=fetch; crossorigin=anonymous" if first else None
    assert viewer.get(address).headers.get("link") == link


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
