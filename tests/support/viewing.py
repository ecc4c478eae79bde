"""The viewer as people have it: its command in a process, its page in a windowless browser."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import axe_core_python
from playwright.sync_api import expect, sync_playwright

from support.headless_chromium import find_chromium
from support.processes import PROGRAMS, TESTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import APIResponse, Browser, ConsoleMessage, Page, Route

# A row of a trace's tree, and one of the list, which shows a trace.
ROW: Final = ".tree-row:not([hidden])"
TRACE: Final = ".list-row:not([hidden]):not(.waiting)"

VIEWED: Final = PROGRAMS / "viewed.py"
_SECONDS: Final = 120
_MILLISECONDS: Final = 60_000
expect.set_options(timeout=_MILLISECONDS)
_AXE: Final = Path(axe_core_python.__file__).parent / "axe.min.js"
_GRAVE: Final = ("serious", "critical")
# An answer is read in a few turns of the page's loop, and what it says drawn in a frame.
_SETTLED: Final = """async () => {
    for (let turn = 0; turn < 5; turn += 1) {
        await new Promise((done) => setTimeout(done));
        await new Promise(requestAnimationFrame);
    }
}"""


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


class Held:
    """Answers to a page that a test lets through when it wants to, each as old as its question.

    Args:
        page: that asks.
        pattern: of the addresses.
        is_asked: whether the server is asked at once; else when the answer is let through.
    """

    def __init__(self, page: Page, pattern: str, *, is_asked: bool = True) -> None:
        self._page = page
        self._pattern = pattern
        self._is_asked = is_asked
        self._has_ended = False
        self._waiting: list[tuple[Route, APIResponse | None]] = []
        page.route(pattern, self._hold)

    def wait(self, count: int = 1) -> None:
        """Wait until so many are held."""
        deadline = time.monotonic() + _SECONDS
        while len(self._waiting) < count:
            assert time.monotonic() < deadline, f"nobody has asked for {self._pattern}"
            self._page.wait_for_timeout(20)

    def let_through(self, place: int = 0) -> None:
        """Let one of them through, and wait until the page has taken it."""
        route, response = self._waiting.pop(place)
        if response is None:
            route.continue_()
            return
        with self._page.expect_event("requestfinished", lambda it: it == route.request):
            route.fulfill(response=response)
        self._page.evaluate(_SETTLED)

    def end(self) -> None:
        """Hold nothing any more."""
        self._has_ended = True
        while self._waiting:
            self.let_through()

    def _hold(self, route: Route) -> None:
        if self._has_ended:
            route.continue_()
        else:
            self._waiting.append((route, route.fetch() if self._is_asked else None))


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
