"""What the viewer takes over time: `python -m tests.benchmarks.viewer_left_open [SECONDS]`.

First its server's CPU in a minute without a page, and with one, on a journal that nobody writes.
Then, for so many seconds (600, unless said otherwise), runs are recorded as fast as they come while
the list and the view of open runs are open: the pages' heap after garbage was collected, and the
memory and the CPU of the server. Nothing of it may grow with the number of runs.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.viewing import Visit, chromium, record, recording, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MINUTE: Final = 60
BETWEEN: Final = 30
TRACE: Final = ".list-row:not([hidden]):not(.waiting)"


def of_rest(browser: Browser, journal: Path) -> None:
    """Measure what the server does where nothing happens."""
    with served(journal) as (address, server):
        say("a minute without a page, CPU of the server", f"{_spent(server, MINUTE):.2f} s")
        visit = Visit(browser, address)
        visit.open("/", TRACE)
        say("a minute with the list open", f"{_spent(server, MINUTE):.2f} s")
        visit.close()


def of_runs(browser: Browser, journal: Path, seconds: float) -> None:
    """Measure what two pages and the server hold while runs are recorded."""
    with recording(journal, "runs", seconds), served(journal) as (address, server):
        visits = [Visit(browser, address) for _ in range(2)]
        visits[0].open("/", TRACE)
        visits[1].open("/live", "main")
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            spent = _spent(server, min(BETWEEN, max(until - time.monotonic(), 0)))
            runs = visits[0].page.inner_text(".totals dd >> nth=0")
            heaps = ", ".join(f"{_heap(visit) / 1e6:.2f} MB" for visit in visits)
            resident = f"server {_resident(server):.0f} MB"
            say(f"after {runs} runs", f"{heaps}; {resident}, CPU {spent:.2f} s")
        for visit in visits:
            visit.close()


def _spent(server: int, seconds: float) -> float:
    """Return the CPU time, in seconds, that a process takes in so many seconds."""
    before = _taken(server)
    time.sleep(seconds)
    return _taken(server) - before


def _taken(server: int) -> float:
    fields = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _resident(server: int) -> float:
    """Return the memory that a process has, in MB."""
    pages = int(Path(f"/proc/{server}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _heap(visit: Visit) -> float:
    """Return what a page's script holds, in bytes, after garbage was collected."""
    session: Any = visit.context.new_cdp_session(visit.page)
    session.send("HeapProfiler.enable")
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"]
    session.detach()
    return float(used)


def say(what: str, figure: str) -> None:
    """Print a measurement."""
    sys.stdout.write(f"{what:<50} {figure}\n")
    sys.stdout.flush()


def main(seconds: float) -> None:
    """Measure all."""
    with TemporaryDirectory() as made, chromium() as browser:
        rest = Path(made) / "rest.db"
        record(rest, "traces", "1000")
        of_rest(browser, rest)
        of_runs(browser, Path(made) / "runs.db", seconds)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 600)
