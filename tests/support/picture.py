"""Makes README's picture of a trace, from a real run: `python -m tests.support.picture`."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.viewing import Visit, chromium, record, serving

PICTURE: Final = Path(__file__).parents[2] / ".github" / "trace.png"
_SIZE: Final = {"width": 1240, "height": 560}
_ROW: Final = ".tree-row:not([hidden])"


def take_picture(picture: Path) -> None:
    """Run an agent, open its trace in the viewer, choose its last answer, and take a picture."""
    with TemporaryDirectory() as folder:
        journal = Path(folder) / "journal.db"
        record(journal, "trip")
        with serving(journal) as address, chromium() as browser:
            visit = Visit(browser, address)
            visit.page.set_viewport_size(_SIZE)
            page = visit.open("/traces/last", f"{_ROW} .badge.stalled")
            page.click("button.badge.stalled")
            page.wait_for_selector(".panel .stream-chart")
            page.mouse.move(0, 0)
            page.evaluate("document.activeElement.blur()")
            page.wait_for_timeout(500)
            page.screenshot(path=picture)
            visit.close()


if __name__ == "__main__":
    take_picture(PICTURE)
    sys.stdout.write(f"{PICTURE}: {PICTURE.stat().st_size:,} bytes\n")
