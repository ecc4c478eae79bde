"""Each view of `nodespan ui` shows a journal that is being written, in Chromium, without error."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from support.headless_chromium import IN_CHROMIUM

pytest.importorskip("playwright", reason="playwright is not installed")
from playwright.sync_api import expect

from support.viewing import ROW, TRACE, Visit, record, recording, serving, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = IN_CHROMIUM


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A viewer of a journal that has every scene, and that goes on being written."""
    journal = tmp_path_factory.mktemp("viewer") / "journal.db"
    start(journal, "crash").wait()
    record(journal, "scenes")
    with recording(journal, "live", 3_600), serving(journal) as url:
        yield url


def only_these(page: Page, has: str) -> None:
    """Wait until each row of the list has this: rows are elements that are used again."""
    page.wait_for_selector(f"{TRACE}:not(:has({has}))", state="hidden")
    page.wait_for_selector(f"{TRACE}:has({has})")


def test_a_planted_stall_is_found_in_three_clicks(visit: Visit) -> None:
    """The list's filter leads to the trace, and that shows where the stream stopped, how long."""
    page = visit.open("/", TRACE)
    visit.click("button:has-text('Stalled')")
    only_these(page, ".badge.stalled:not([hidden])")
    visit.click(f"{TRACE} a:text-is('newsreader')")
    page.wait_for_selector(f"{ROW}:has-text('stall')")
    visit.click("button.badge.stalled")
    page.wait_for_selector(".panel .stream-chart[aria-label*='1 stalls']")
    assert visit.clicks < 5


def test_a_planted_failure_in_a_tool_is_found_in_three_clicks(visit: Visit) -> None:
    """From the list by its outcome, to the trace, to the deepest span that failed, and its text."""
    page = visit.open("/", TRACE)
    page.select_option("select[aria-label=Outcome]", "error")
    only_these(page, ".badge.error")
    visit.clicks += 1
    visit.click(f"{TRACE} a:text-is('orders')")
    visit.click("button.badge.error:text-is('1 error')")
    failure = page.inner_text(".failure")
    assert "no connection to orders-db:5432 while looking for A-1007" in failure
    expect(page.locator(".panel h2")).to_have_text("execute_tool find_order")
    assert visit.clicks < 5


def test_a_planted_expensive_call_is_found_in_three_clicks(visit: Visit) -> None:
    """The list has what each trace of a model cost, and the trace's rows what each call did."""
    page = visit.open("/", TRACE)
    page.select_option("select[aria-label=Model]", "reader-huge")
    only_these(page, ".model:has-text('reader-huge')")
    visit.clicks += 1
    visit.click(f"{TRACE}:has(.cost:has-text('$2.'))")
    page.wait_for_selector(ROW)
    visit.click(f"{ROW}:has(.used:has-text('$2.'))")
    page.wait_for_selector(".panel .facts:has-text('$2.90')")
    expect(page.locator(".panel h2")).to_have_text("chat reader-huge")
    assert visit.clicks < 5


def test_hostile_texts_are_texts_in_every_view(visit: Visit) -> None:
    """Markup in names, models, conversations and content is shown, and neither built nor run."""
    page = visit.open("/?text=hacked", TRACE)
    page.click("a:has-text('<img src=x')")
    page.wait_for_selector(ROW)
    page.click(f"{ROW}:has(.glyph.chat)")
    page.wait_for_selector(".panel .message")
    assert "<img src=x onerror=" in page.inner_text(".panel")
    page.click("a:text-is('Conversation')")
    page.wait_for_selector(".turn .message")
    page.goto(f"{visit.address}/conversations")
    page.wait_for_selector("td a:has-text('<img')")
    page.goto(f"{visit.address}/?text=<script>window.hacked=3</script>")
    page.wait_for_selector(".filters")
    assert page.query_selector_all("img, script:not([src])") == []
    assert page.evaluate("window.hacked") is None


def test_the_list_is_live(visit: Visit) -> None:
    """A trace that begins appears without a reload, and one that runs says so."""
    page = visit.open("/", TRACE)
    newest = page.get_attribute(f"{TRACE}[aria-rowindex='2'] a", "href")
    page.wait_for_function(
        "href => document.querySelector(\".list-row[aria-rowindex='2'] a\")"
        "?.getAttribute('href') !== href",
        arg=newest,
    )
    page.wait_for_selector(f"{TRACE} .dot.running")


def test_filters_are_in_the_address(visit: Visit) -> None:
    """A filtered list can be sent as a link, and the totals are those of what it shows."""
    page = visit.open("/?agent=forecaster", TRACE)
    page.wait_for_selector(".totals div:has(dt:text-is('Runs')) dd:text-is('3')")
    expect(page.locator(TRACE)).to_have_count(3)
    page.fill("input.search", "you are welcome")
    page.wait_for_selector(".totals div:has(dt:text-is('Runs')) dd:text-is('1')")
    assert "text=you+are+welcome" in page.url
    page.click("button:text-is('Clear')")
    page.wait_for_selector(f"{TRACE} a:text-is('narrator')")


def test_retries_and_repeats_are_drawn_as_such(visit: Visit) -> None:
    """Attempts are numbered, and what a loop repeats is one row, which opens."""
    page = visit.open("/?text=stubborn", TRACE)
    page.click(f"{TRACE} a:text-is('stubborn')")
    page.wait_for_selector(f"{ROW} .badge.retry:text-is('try 3')")
    page.click("button:text-is('Errors only')")
    expect(page.locator(f"{ROW}:has-text('try 3')")).to_have_count(0)
    page.goto(f"{visit.address}/?agent=page+turner")
    page.click(f"{TRACE} a:text-is('page turner')")
    page.click(f"{ROW}.fold:has-text('model → tools')")
    page.wait_for_selector(f"{ROW}:has-text('next_page')")


def test_interrupts_and_resumptions_lead_to_each_other(visit: Visit) -> None:
    """The run that waited for a person leads to the one that went on, and back."""
    page = visit.open("/?outcome=interrupted", TRACE)
    page.click(TRACE)
    page.click(f"{ROW} a:has-text('resumed')")
    page.wait_for_selector(f"{ROW} a:has-text('resumes')")
    page.click(f"{ROW} a:has-text('resumes')")
    page.wait_for_selector(f"{ROW} a:has-text('resumed')")


def test_the_tree_goes_by_keyboard(visit: Visit) -> None:
    """Arrows move, close and open as in an ARIA treegrid; `/` searches; `Escape` leads back."""
    page = visit.open("/?agent=forecaster", TRACE)
    page.focus(".list")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(".tree-row[aria-level='3']")
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    page.wait_for_selector(f"{ROW}[aria-selected=true][aria-level='2']")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector(f"{ROW}[aria-selected=true][aria-expanded=false]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(f"{ROW}[aria-selected=true][aria-level='3']")
    page.wait_for_selector(".panel h2")
    page.keyboard.press("/")
    page.keyboard.type("no such span")
    page.wait_for_selector(".nothing-found")
    page.keyboard.press("?")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.wait_for_selector(".list")


def test_keys_open_what_is_shown_while_the_list_is_read_anew(visit: Visit) -> None:
    """What is in the list can be chosen and opened before the answer with what is new is there."""
    page = visit.open("/?agent=forecaster", TRACE)
    with page.expect_request("**/api/traces?*"):
        page.route("**/api/traces?*", lambda _: None)
    page.focus(".list")
    page.keyboard.press("ArrowDown")
    shown = page.get_attribute(f"{TRACE}.chosen a", "href")
    page.keyboard.press("Enter")
    page.wait_for_selector(ROW)
    assert page.url.startswith(f"{visit.address}{shown}")
    page.unroute_all(behavior="ignoreErrors")


def test_the_chosen_trace_stays_the_chosen_one_when_new_ones_come(visit: Visit) -> None:
    """What is chosen is a trace, and not a place in the list; Enter opens that one."""
    page = visit.open("/", TRACE)
    page.focus(".list")
    page.keyboard.press("ArrowDown")
    chosen = page.get_attribute(f"{TRACE}.chosen a", "href")
    page.wait_for_selector(f"{TRACE}:not([aria-rowindex='2']).chosen")
    assert page.get_attribute(f"{TRACE}.chosen a", "href") == chosen
    page.keyboard.press("Enter")
    page.wait_for_selector(ROW)
    assert page.url.startswith(f"{visit.address}{chosen}")


def test_enter_on_a_heading_orders_and_opens_nothing(visit: Visit) -> None:
    """A key that a button of the list takes is not one for its rows too."""
    page = visit.open("/?agent=forecaster", TRACE)
    page.focus(".list")
    page.keyboard.press("ArrowDown")
    page.focus("button.order:text-is('Time')")
    page.keyboard.press("Enter")
    page.wait_for_selector("[aria-sort]:has-text('Time')")
    assert "order=time" in page.url


def test_a_conversation_is_a_chat(visit: Visit) -> None:
    """Its runs are in order, with what was said and how long the person took."""
    page = visit.open("/conversation?id=trip-to-bern", ".turn")
    said = page.inner_text(".chat")
    words = ["Will it be dry in Bern today?", "Sunny in Bern", "And in Zürich?", "Thanks!"]
    assert sorted(words, key=said.index) == words
    assert len(re.findall(r"s later\n", said)) == 2


def test_the_graph_is_the_one_that_was_compiled(visit: Visit) -> None:
    """The drawing has LangGraph's own nodes and edges, with the visits that the trace made."""
    page = visit.open("/?conversation=trip-to-bern", TRACE)
    page.locator(f"{TRACE} a").last.click()
    page.click("a:text-is('Graph')")
    page.wait_for_selector(".graph svg")
    assert sorted(page.locator(".node-name").all_text_contents()) == [
        "end",
        "model",
        "start",
        "tools",
    ]
    expect(page.locator(".edge")).to_have_count(4)
    expect(page.locator(".edge.conditional")).to_have_count(2)
    page.wait_for_selector(".visits tr:has-text('model') td.number:text-is('2')")
    page.click(".graph svg a:has-text('tools')")
    page.wait_for_selector(f"{ROW}.chosen:has-text('tools')")


def test_open_streams_show_their_speed_and_text(visit: Visit) -> None:
    """The live view has the stream that is open, with its speed, and what it says as it comes."""
    page = visit.open("/live", ".card .badge:text-is('streaming')")
    page.wait_for_function("/^~[1-9]/.test(document.querySelector('.card .speed')?.textContent)")
    page.wait_for_selector(".card .live-text:has-text('Bern is sunny')")


@pytest.mark.parametrize(
    ("agent", "outcome", "rows"), [("mayfly", "lost", 3), ("storyteller", "abandoned", 1)]
)
def test_runs_that_did_not_end_look_so(visit: Visit, agent: str, outcome: str, rows: int) -> None:
    """What its process has lost, and what its consumer has left, differ from what has ended."""
    page = visit.open(f"/?outcome={outcome}", f"{TRACE} .badge.{outcome}")
    page.click(f"{TRACE} a:text-is('{agent}')")
    page.wait_for_selector(f"{ROW}.{outcome} .badge.{outcome}")
    expect(page.locator(f"{ROW}.{outcome}")).to_have_count(rows)
    expect(page.locator(".trace-head .badge").first).to_have_text(outcome)


def test_the_list_is_ordered_by_its_headings(visit: Visit) -> None:
    """What cost most comes first, and the address says so."""
    page = visit.open("/", TRACE)
    page.click(".order:text-is('Cost')")
    page.wait_for_selector(f"{TRACE}[aria-rowindex='2']:has(.cost:text-is('$2.90'))")
    page.wait_for_selector("[role=columnheader][aria-sort=descending]:has-text('Cost')")
    assert "order=cost" in page.url


@pytest.mark.parametrize("width", [480, 800])
def test_a_narrow_list_is_ordered_by_a_menu(browser: Browser, address: str, width: int) -> None:
    """Where there is no room for each heading, a menu that the keyboard reaches has all orders."""
    visit = Visit(browser, address, width=width)
    page = visit.open("/", TRACE)
    menu = page.get_by_role("combobox", name="Order", exact=True)
    menu.focus()
    assert menu.input_value() == "started"
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("[role=columnheader][aria-sort=descending]:has-text('Time')")
    assert "order=time" in page.url
    page.keyboard.press("End")
    page.wait_for_selector(f"{TRACE}[aria-rowindex='2']:has(.cost:text-is('$2.90'))")
    assert "order=cost" in page.url
    page.reload()
    page.wait_for_selector(f"{TRACE}[aria-rowindex='2']:has-text('book club')")
    assert menu.input_value() == "cost"
    page.set_viewport_size({"width": 1280, "height": 800})
    assert not menu.is_visible()
    assert visit.troubles == []
    visit.close()


def test_two_runs_are_compared(visit: Visit) -> None:
    """The other run is chosen from a list; what differs is marked, in structure and figures."""
    page = visit.open("/?conversation=trip-to-bern", TRACE)
    page.locator(f"{TRACE} a").last.click()
    page.click("a:text-is('Compare')")
    page.click(".pick li:last-child a")
    page.wait_for_selector(".compare-row.left_only:has-text('get_alerts')")
    page.click("button:text-is('Differences only')")
    page.wait_for_selector(".compare-row.changed")
    expect(page.locator(".compare-row.same:not([hidden])")).to_have_count(0)


def test_a_saved_trace_is_a_page_of_its_own(visit: Visit, tmp_path: Path) -> None:
    """The file shows the tree and the messages without a server."""
    page = visit.open("/traces/last", ROW)
    page.goto(f"{visit.address}/?agent=orders")
    page.click(f"{TRACE} a:text-is('orders')")
    page.click("summary:text-is('Save as')")
    with page.expect_download() as saving:
        page.click("a:text-is('HTML page')")
    saved = tmp_path / "trace.html"
    saving.value.save_as(saved)
    page.goto(saved.as_uri())
    page.wait_for_selector(ROW)
    tops = [row.bounding_box() or {} for row in page.locator(ROW).all()]
    apart = {round(below["y"] - above["y"]) for above, below in pairwise(tops)}
    assert apart == {28}, "the rows do not stand beside their bars"
    page.click("button.badge.error")
    assert "no connection to orders-db:5432" in page.inner_text(".failure")


def test_traces_are_saved_for_other_tools(visit: Visit) -> None:
    """The other two files are JSON, of OTLP and of Chrome's tracing page."""
    page = visit.open("/?agent=orders", TRACE)
    page.click(f"{TRACE} a:text-is('orders')")
    page.click("summary:text-is('Save as')")
    texts = {}
    for name in ("OTLP JSON", "Perfetto trace"):
        with page.expect_download() as saving:
            page.click(f"a:text-is('{name}')")
        texts[name] = json.loads(saving.value.path().read_text())
    assert "resourceSpans" in texts["OTLP JSON"]
    assert texts["Perfetto trace"]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 480])
def test_axe_finds_no_serious_fault(browser: Browser, address: str, theme: str, width: int) -> None:
    """Every view can be read and used by everybody, in both themes and two widths."""
    visit = Visit(browser, address, theme, width, reads_strictly=False)
    page = visit.open("/?agent=orders", TRACE)
    faults = {"list": visit.violations()}
    page.click(f"{TRACE} a:text-is('orders')")
    page.click("button.badge.error")
    page.wait_for_selector(".failure")
    faults["trace"] = visit.violations()
    shown = {
        "/conversation?id=trip-to-bern": ".turn",
        "/conversations": "td a",
        "/live": ".card",
        "/graph?trace=last": ".graphs > *",
        "/compare?left=last&right=last": ".compare-row",
        "/status": ".status dd",
    }
    for path, selector in shown.items():
        visit.open(path, selector)
        faults[path] = visit.violations()
    visit.close()
    assert {view: found for view, found in faults.items() if found} == {}
    assert visit.troubles == []


def test_escape_leads_back_to_the_list_as_it_was_filtered(visit: Visit) -> None:
    """Out of a trace, also one that was loaded anew, and by way of another view."""
    page = visit.open("/?agent=forecaster&order=time", TRACE)
    page.locator(f"{TRACE} a").first.click()
    page.wait_for_selector(ROW)
    page.reload()
    page.wait_for_selector(ROW)
    page.keyboard.press("Escape")
    page.wait_for_selector(TRACE)
    assert page.url.endswith("/?agent=forecaster&order=time")
    page.locator(f"{TRACE} a").first.click()
    page.wait_for_selector(ROW)
    page.click("a:text-is('Live')")
    page.keyboard.press("Escape")
    page.wait_for_selector(TRACE)
    assert page.url.endswith("/?agent=forecaster&order=time")


def test_sums_of_tokens_are_not_taken_for_tokens_in_and_out(visit: Visit) -> None:
    """Two runs' tokens stand side by side in a comparison, without the arrow between in and out."""
    page = visit.open("/?conversation=trip-to-bern", TRACE)
    page.locator(f"{TRACE} a").last.click()
    page.click("a:text-is('Compare')")
    page.click(".pick li:last-child a")
    tokens = page.locator(".compare-row:not([hidden]) .cell.number[title*='on the left']").first
    expect(tokens).to_have_text(re.compile(r"\S+ \| \S+"))
    expect(page.locator(".compare-rows")).not_to_contain_text("→ ")


def test_no_heading_is_cut_and_nothing_covers_the_way_to_a_view(
    browser: Browser, address: str
) -> None:
    """All headings of the list can be read, and in a narrow window each view can be chosen."""
    wide = Visit(browser, address)
    headings = wide.open("/", TRACE).locator(".list-head .order")
    cells = "all.map(it => it.parentElement)"
    cut = f"all => {cells}.filter(it => it.scrollWidth > it.clientWidth).length"
    assert headings.evaluate_all(cut) == 0
    wide.close()
    narrow = Visit(browser, address, width=390)
    narrow.open("/", TRACE)
    last = narrow.page.locator("#places a").last.bounding_box()
    button = narrow.page.locator("#theme").bounding_box()
    assert last is not None
    assert button is not None
    assert last["x"] + last["width"] <= button["x"]
    narrow.close()
