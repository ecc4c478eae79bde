"""The viewer as people have it: its command in a process, its page in a windowless browser."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import axe_core_python
from playwright.sync_api import sync_playwright

from support.headless_chromium import find_chromium
from support.processes import PROGRAMS, TESTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page

VIEWED: Final = PROGRAMS / "viewed.py"
_SECONDS: Final = 120
_MILLISECONDS: Final = 60_000
_AXE: Final = Path(axe_core_python.__file__).parent / "axe.min.js"
_GRAVE: Final = ("serious", "critical")


@contextmanager
def serving(journal: Path) -> Iterator[str]:
    """Serve the viewer of a journal; the address of its page."""
    with served(journal) as (address, _):
        yield address


@contextmanager
def served(journal: Path) -> Iterator[tuple[str, int]]:
    """Serve the viewer of a journal; the address of its page, and the number of its process."""
    command = [sys.executable, "-m", "nodespan.graph.cli", "ui", "--port", "0", "--no-open"]
    server = subprocess.Popen(
        [*command, "--journal", journal], cwd=TESTS, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        first = server.stdout.readline().split()
        assert first[:1] == ["viewer"], "the viewer did not start"
        yield first[1], server.pid
    finally:
        server.terminate()
        server.communicate(timeout=_SECONDS)


@contextmanager
def recording(journal: Path, what: str, number: float) -> Iterator[None]:
    """Let `viewed.py` write into a journal meanwhile."""
    writer = start(journal, what, number)
    try:
        yield
    finally:
        writer.terminate()
        writer.wait(_SECONDS)


def record(journal: Path, *what: str) -> None:
    """Let `viewed.py` write into a journal, to its end."""
    assert start(journal, *what).wait(5 * _SECONDS) == 0


def start(journal: Path, *what: object) -> subprocess.Popen[bytes]:
    """Start `viewed.py`."""
    return subprocess.Popen([sys.executable, VIEWED, journal, *map(str, what)], cwd=TESTS)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Debian's Chromium, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """A page of the viewer, and what went wrong in it.

    Args:
        browser: that shows it.
        address: of the viewer.
        theme: `light` or `dark`.
        width: of the window, in pixels.
        reads_strictly: whether the page's own Content-Security-Policy holds for the tests too.
    """

    def __init__(
        self,
        browser: Browser,
        address: str,
        theme: Any = "light",
        width: int = 1280,
        *,
        reads_strictly: bool = True,
    ) -> None:
        self.address = address
        self.context = browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme=theme,
            reduced_motion="reduce",
            bypass_csp=not reads_strictly,
        )
        self.context.set_default_timeout(_MILLISECONDS)
        self.page: Page = self.context.new_page()
        self.troubles: list[str] = []
        self.clicks = 0
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))

    def open(self, path: str, shows: str) -> Page:
        """Open an address of the page, and wait until it shows an element."""
        self.page.goto(self.address + path)
        self.page.wait_for_selector(shows)
        return self.page

    def click(self, what: str) -> None:
        """Click on an element, as a person would, and count that."""
        self.page.click(what)
        self.clicks += 1

    def violations(self) -> list[str]:
        """Return what axe-core finds serious in the page as it is."""
        self.page.evaluate(_AXE.read_text())
        found = self.page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
        return [
            f"{one['id']}: {one['nodes'][0]['html'][:200]}"
            for one in found
            if one["impact"] in _GRAVE
        ]

    def close(self) -> None:
        """Close the window."""
        self.context.close()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(message.text)
