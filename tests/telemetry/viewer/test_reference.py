"""The reference of the viewer names each address that there is, and no limit but the real ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from nodespan.telemetry._receiving import endpoint
from nodespan.telemetry._receiving.body import Bounds
from nodespan.telemetry._viewer import routes
from nodespan.telemetry._viewer.files import FOLDER as PAGE
from nodespan.telemetry._viewer.reads import MOST_SPANS
from nodespan.telemetry.viewer import viewer_app

README: Final = Path(__file__).parents[3] / "graph" / "README.md"
TEXT: Final = README.read_text().split("### The viewer\n")[1].split("\n### ")[0]
FILES: Final = ("otlp.json", "chrome.json", "trace.html")


def addresses_told() -> set[str]:
    """Return the addresses that the reference names, without their queries."""
    told = re.findall(r"`(/[^`?]*)(?:\?[^`]*)?`", TEXT)
    return {each for each in told if each != "/v1/traces"}


def served(path: str) -> str:
    """Return a route as the reference writes it."""
    return path.replace("{name}", "ID").replace("{span}", "SPAN")


def test_each_address_of_the_api_is_told(tmp_path: Path) -> None:
    """The reference has each address that the server answers, and none besides."""
    paths = {served(route.path) for route in viewer_app(4319, tmp_path / "journal.db").routes}  # type: ignore[attr-defined]  # starlette's routes have one
    api = {path for path in paths if path.startswith("/api/") and "{" not in path}
    downloads = {f"/api/traces/ID/download/{file}" for file in FILES}
    assert downloads < api
    told = {each for each in addresses_told() if each.startswith("/api/")}
    assert told == api - downloads | {"/api/traces/ID/download/FILE"}
    assert all(f"`{file}`" in TEXT for file in FILES)


def test_each_view_of_the_page_is_told() -> None:
    """The reference has each view that the page opens, and none besides."""
    opened = re.findall(r"^route\(/\^\\/(\w*)", (PAGE / "main.js").read_text(), re.MULTILINE)
    told = {each for each in addresses_told() if not each.startswith("/api/")}
    named = {f"/{each}" for each in opened if each} - {"/traces"} | {"/", "/traces/ID"}
    assert told == named


def test_limits_are_told_as_they_are() -> None:
    """The numbers in the reference are those that hold."""
    bounds = Bounds()
    for limit in (
        f"{bounds.sent >> 20} MiB",
        f"{bounds.whole >> 20} MiB",
        f"{endpoint._REQUESTS_A_SECOND:.0f} requests",
        f"{endpoint._BYTES_A_SECOND / 1e6:.0f} MB a second",
        f"{routes._MOST_TRACES:,} at a time",
        f"{routes._MOST_PAGES} pages",
        f"at most {MOST_SPANS:,}",
    ):
        assert limit in TEXT.replace("\n", " ")
