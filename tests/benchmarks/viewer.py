"""What the viewer's page takes, in Chromium without a window: `python -m tests.benchmarks.viewer`.

A time is from the beginning of the navigation, or of the filter's change, until rows are in the
page. With a folder as its argument, it keeps its journals there, to use them again.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.large_journal import write_large

from support.viewing import Visit, chromium, record, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROUNDS: Final = 5
ROW: Final = ".tree-row:not([hidden]) .took:not(:empty)"
WHOLE: Final = ".trace-head:has(.fact):not(:has([data-key=dropped]))"
EMPTY: Final = ".empty:not([hidden]) button"
TRACE: Final = ".list-row:not([hidden]):not(.waiting) a"
SCROLLING: Final = """async selector => {
    const box = document.querySelector(selector);
    const frames = [];
    let last = performance.now();
    for (let at = 0; at < 60; at += 1) {
        box.scrollTop += 3000;
        await new Promise(requestAnimationFrame);
        frames.push(performance.now() - last);
        last = performance.now();
    }
    return frames.sort((a, b) => a - b)[57];
}"""
FILTERING: Final = """async () => {
    const begun = performance.now();
    const menu = document.querySelector("select[aria-label=Outcome]");
    const first = document.querySelector(".list-row:not([hidden]) a").href;
    menu.value = "error";
    menu.dispatchEvent(new Event("change"));
    while (document.querySelector(".list-row:not([hidden]) a").href === first) {
        await new Promise(requestAnimationFrame);
    }
    return performance.now() - begun;
}"""


def shown_after(browser: Browser, address: str, path: str, selector: str) -> float:
    """Return after how many ms an address shows an element, the median of several times."""
    times = []
    for _ in range(ROUNDS):
        visit = Visit(browser, address)
        visit.page.goto(address + path, wait_until="commit")
        shown = visit.page.wait_for_function(
            f'() => document.querySelector("{selector}") && performance.now()'
        )
        times.append(shown.json_value())
        visit.close()
    return median(times)


def of_trace(browser: Browser, folder: Path, spans: int) -> None:
    """Measure a trace of so many spans."""
    journal = folder / f"spans-{spans}.db"
    if not journal.exists():
        record(journal, "spans", str(spans))
    with serving(journal) as address:
        say(
            f"a trace of {spans:,} spans on the screen",
            shown_after(browser, address, "/traces/last", ROW),
        )
        say("  all of them", shown_after(browser, address, "/traces/last", WHOLE))
        visit = Visit(browser, address)
        page = visit.open("/traces/last", WHOLE)
        say("  a frame of its scrolling, 95th percentile", page.evaluate(SCROLLING, ".tree"))
        visit.close()


def of_list(browser: Browser, folder: Path, traces: int) -> None:
    """Measure a list of so many traces."""
    journal = folder / f"traces-{traces}.db"
    if not journal.exists():
        record(journal, "traces", str(traces))
    with serving(journal) as address:
        say(f"a list of {traces:,} traces", shown_after(browser, address, "/", TRACE))
        times = []
        for _ in range(ROUNDS):
            visit = Visit(browser, address)
            page = visit.open("/", TRACE)
            times.append(page.evaluate(FILTERING))
            visit.close()
        say("  a filter of it", median(times))
        visit = Visit(browser, address)
        page = visit.open("/", TRACE)
        say("  a frame of its scrolling, 95th percentile", page.evaluate(SCROLLING, ".list"))
        visit.close()


def of_large(browser: Browser, folder: Path, traces: int) -> None:
    """Measure a journal of so many large traces: a gigabyte of 900."""
    journal = folder / f"large-{traces}.db"
    if not journal.exists():
        write_large(journal, traces)
    size = f"a journal of {journal.stat().st_size / 1e9:.1f} GB"
    with serving(journal) as address:
        say(f"{size}: its list", shown_after(browser, address, "/", TRACE))
        say(f"{size}: a trace of 51 spans", shown_after(browser, address, "/traces/last", ROW))
        rare = "/?conversation=talk+3"
        say(f"{size}: a conversation's", shown_after(browser, address, rare, TRACE))
        said = "/?text=no+such+text"
        say(f"{size}: a text in all of it", shown_after(browser, address, said, EMPTY))


def say(what: str, milliseconds: float) -> None:
    """Print a measurement."""
    sys.stdout.write(f"{what:<50} {milliseconds:8.0f} ms\n")
    sys.stdout.flush()


def main(folder: Path) -> None:
    """Measure all."""
    with chromium() as browser:
        of_trace(browser, folder, 2_000)
        of_trace(browser, folder, 50_000)
        of_list(browser, folder, 100_000)
        of_large(browser, folder, 900)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with TemporaryDirectory() as made:
            main(Path(made))
