"""Pages as Chromium shows them, without a window."""

from __future__ import annotations

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Without animations, of which the picture would show the middle.
    "--force-prefers-reduced-motion",
    "--window-size=1600,1000",
    # The page's own clock stands still while it waits for an answer of the server.
    "--virtual-time-budget=10000",
    "--dump-dom",
)
_SECONDS: Final = 120


def find_chromium() -> Path | None:
    """Return the Chromium of this machine, if it has one."""
    found = (shutil.which(name) for name in _NAMES)
    return next((Path(path) for path in found if path), None)


# What a module of tests in a browser is marked with.
IN_CHROMIUM: Final = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(find_chromium() is None, reason="there is no Chromium here"),
]


def render(chromium: Path, url: str, picture: Path) -> list[str]:
    """Show the page at *url*, and take its *picture*, a PNG file.

    Returns:
        All that the page says, in order; each is the text of one element.

    Raises:
        subprocess.CalledProcessError: Chromium has failed.
        subprocess.TimeoutExpired: the page does not come to rest.
    """
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        own = (f"--user-data-dir={profile}", f"--screenshot={picture}")
        command = [str(chromium), *_FLAGS, *own, url]
        result = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=True)
    reader = _TextReader()
    reader.feed(result.stdout.decode())
    return reader.texts


class _TextReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def handle_data(self, data: str) -> None:
        if text := data.strip():
            self.texts.append(text)
