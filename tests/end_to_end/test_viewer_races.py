"""The page of `nodespan ui` takes what people do while answers are late and a run goes on."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context

from support.headless_chromium import IN_CHROMIUM
from support.recording import Recording

pytest.importorskip("playwright", reason="playwright is not installed")
from playwright.sync_api import expect

from support.viewing import ROW, TRACE, Held, Visit, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Span
    from playwright.sync_api import Page

pytestmark = IN_CHROMIUM


@dataclass
class Agent:
    """An agent whose run goes on for as long as a test wants.

    Attributes:
        recording: what it is written into.
        name: of the agent, its conversation and its trace.
        spans: those that are open, the root first.
    """

    recording: Recording
    name: str
    spans: list[Span] = field(default_factory=list)
    began: int = 0

    def begin(
        self, name: str = "", at: int | None = None, *, flushes: bool = True, **attributes: Any
    ) -> Agent:
        """Begin its run, or one within it."""
        about = {"gen_ai.agent.name": self.name, "gen_ai.conversation.id": self.name}
        above = trace.set_span_in_context(self.spans[0]) if self.spans else Context()
        named = name or f"invoke_agent {self.name}"
        kind = {} if self.spans else {"gen_ai.operation.name": "invoke_agent"}
        told = kind | about | {key.replace("__", "."): value for key, value in attributes.items()}
        made = self.recording.tracer.start_span(named, above, attributes=told, start_time=at)
        self.began = self.began or made.start_time  # type: ignore[attr-defined]  # the SDK's
        self.spans.append(made)
        if flushes:
            self.recording.flush()
        return self

    def end(self, attributes: dict[str, Any] | None = None) -> None:
        """End all that is open, the root last."""
        while self.spans:
            span = self.spans.pop()
            span.set_attributes(attributes or {})
            span.end()
        self.recording.flush()

    @property
    def id(self) -> str:
        """The id of its trace."""
        return format(self.spans[0].get_span_context().trace_id, "032x")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    """A journal that nobody but a test writes into."""
    made = Recording(tmp_path_factory.mktemp("races") / "journal.db")
    yield made
    made.writer.stop(10)


@pytest.fixture(scope="module")
def address(recording: Recording) -> Iterator[str]:
    """Its viewer."""
    Agent(recording, "first").begin().end()
    with serving(recording.path) as url:
        yield url


@pytest.fixture
def agent(recording: Recording, request: pytest.FixtureRequest) -> Iterator[Agent]:
    """An agent that runs, and that no other test has."""
    running = Agent(recording, re.sub(r"\W+", " ", request.node.name).strip()).begin()
    yield running
    running.end()


def seen(visit: Visit, agent: Agent) -> Page:
    """Open an agent's trace, with its root's row."""
    return visit.open(f"/traces/{agent.id}", f"{ROW}.running")


def test_a_running_trace_grows(visit: Visit, agent: Agent) -> None:
    """An open span is marked as one, its time goes on, and the trace is whole when it has ended."""
    page = visit.open(f"/?outcome=running&agent={agent.name}", f"{TRACE} .dot.running")
    page.click(TRACE)
    page.wait_for_selector(f"{ROW}.running")
    page.wait_for_selector(".trace-head .fact:nth-child(2):text-is('running')")
    took = page.locator(f"{ROW} .took")
    expect(took).not_to_have_text(took.inner_text())
    agent.begin("node model")
    page.wait_for_selector(f"{ROW}.running:has-text('model')")
    agent.end()
    expect(page.locator(f"{ROW}.running")).to_have_count(0)
    expect(page.locator(".trace-head .fact").nth(1)).not_to_have_text("running")
    expect(page.locator(".trace-head .fact").nth(2)).to_have_text("2 spans")


def test_what_a_filter_no_longer_lets_through_leaves(visit: Visit, agent: Agent) -> None:
    """A run that ends is none of the running ones any more."""
    page = visit.open(f"/?outcome=running&agent={agent.name}", f"{TRACE} .dot.running")
    agent.end()
    page.wait_for_selector("h1:text-is('No trace is like that')")
    expect(page.locator(TRACE)).to_have_count(0)


def test_what_ends_before_changes_are_told_is_seen_to_end(visit: Visit, agent: Agent) -> None:
    """Between the list's first answer and the first change that is told, nothing is lost."""
    told = Held(visit.page, "**/api/live?*", is_asked=False)
    page = visit.open(f"/?agent={agent.name}", f"{TRACE} .dot.running")
    told.wait()
    agent.end()
    told.end()
    page.wait_for_selector(f"{TRACE} .dot.ok")


def test_an_answer_does_not_undo_what_was_told_since(visit: Visit, agent: Agent) -> None:
    """An answer that was read before a trace ended does not let it run again."""
    Agent(agent.recording, agent.name).begin(at=agent.began - 10**12).end()
    page = visit.open(f"/?agent={agent.name}", f"{TRACE} .dot.running")
    expect(page.locator(TRACE)).to_have_count(2)
    held = Held(page, "**/api/traces?*order=time*")
    page.click(".order:text-is('Time')")
    held.wait()
    agent.end()
    page.wait_for_selector(f"{TRACE}[aria-rowindex='2'] .dot.ok")
    held.let_through()
    expect(page.locator(f"{TRACE}[aria-rowindex='3'] .dot.ok")).to_have_count(1)
    expect(page.locator(".dot.running")).to_have_count(0)
    held.end()


def test_no_row_moves_under_a_hand_as_an_answer_comes(visit: Visit, agent: Agent) -> None:
    """What a click opens is what was there when the hand came, however late the answer is."""
    page = visit.open(f"/?agent={agent.name}", f"{TRACE} .dot.running")
    first = page.get_attribute(f"{TRACE}[aria-rowindex='2'] a", "href")
    held = Held(page, "**/api/traces?*")
    other = Agent(agent.recording, agent.name).begin()
    held.wait()
    box = page.locator(f"{TRACE}[aria-rowindex='2']").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 20, box["y"] + 10)
    held.let_through()
    page.mouse.down()
    page.mouse.up()
    page.wait_for_selector(ROW)
    assert page.url == f"{visit.address}{first}"
    held.end()
    other.end()


def test_what_is_typed_last_changes_no_other_views_address(visit: Visit, agent: Agent) -> None:
    """A text that waits for the next letter is that of the view that it was typed in."""
    page = visit.open(f"/?agent={agent.name}", TRACE)
    page.clock.install()
    page.clock.pause_at(time.time() + 60)
    page.type("input.search", "miaow")
    page.click("#places a:text-is('Live')")
    page.clock.run_for(1_000)
    assert page.url == f"{visit.address}/live"
    page.goto(f"{visit.address}/traces/{agent.id}")
    page.wait_for_selector(ROW)
    page.type("input.find", "miaow")
    page.click("#places a:text-is('Live')")
    page.clock.run_for(1_000)
    assert page.url == f"{visit.address}/live"


def test_keys_and_buttons_count_before_the_trace_is_there(visit: Visit, agent: Agent) -> None:
    """What is pressed while a trace is read is done when it has been."""
    agent.begin("node model").begin("node tools")
    page = visit.open(f"/?agent={agent.name}", TRACE)
    held = Held(page, f"**/api/traces/{agent.id}?*")
    page.focus(".list")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    held.wait()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("c")
    page.click("button:text-is('Collapse all')")
    held.end()
    page.wait_for_selector(f"{ROW}.chosen:has-text('tools')")
    page.wait_for_selector(f"{ROW}.critical")
    page.click("button:text-is('Critical path')")
    held = Held(page, f"**/api/traces/{agent.id}?*")
    page.reload(wait_until="commit")
    page.fill("input.find", "model")
    page.click("button:text-is('Errors only')")
    held.end()
    page.wait_for_selector(".nothing-found")
    page.click("button:text-is('Errors only')")
    page.wait_for_selector(f"{ROW}:has-text('model')")


def test_a_large_trace_is_seen_and_used_before_all_of_it_is_read(
    visit: Visit, recording: Recording
) -> None:
    """Its first spans come at once; what asks for one of the others waits for them."""
    large = Agent(recording, "walker").begin()
    for place in range(2_100):
        large.begin(f"node {place}", flushes=False)
    large.begin("execute_tool broken", nodespan__outcome="error", error__type="KeyError")
    trace_id = large.id
    large.end()
    held = Held(visit.page, f"**/api/traces/{trace_id}")
    page = visit.open(
        f"/traces/{trace_id}", ".trace-head:has-text('102 more spans are being read')"
    )
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    page.click("button.badge.error")
    held.wait()
    expect(page.locator(f"{ROW}.chosen")).to_have_count(0)
    held.end()
    page.wait_for_selector(f"{ROW}.chosen:has-text('broken')")
    page.wait_for_selector(".panel h2:has-text('broken')")
    expect(page.locator(".trace-head [data-key=dropped]")).to_have_count(0)
    assert page.get_attribute(".tree", "aria-rowcount") == "2103"


def test_two_keys_that_lead_elsewhere_do_nothing_in_a_view(visit: Visit, agent: Agent) -> None:
    """`g c` leads to the conversations, and does not also show the critical path."""
    page = seen(visit, agent)
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_selector(".talks")
    page.go_back()
    page.wait_for_selector(ROW)
    assert page.url == f"{visit.address}/traces/{agent.id}"


def test_a_view_that_was_left_does_nothing(visit: Visit, agent: Agent) -> None:
    """Until the next view has its answer, the keys and rows of the one before are gone."""
    page = seen(visit, agent)
    held = Held(page, "**/api/traces?*")
    page.click("a:text-is('Compare')")
    held.wait()
    expect(page.locator(ROW)).to_have_count(0)
    page.keyboard.press("e")
    assert page.url == f"{visit.address}/compare?left={agent.id}"
    held.end()
    page.wait_for_selector("h1:has-text('with …')")


def test_an_older_answer_does_not_take_the_place_of_a_newer_one(visit: Visit, agent: Agent) -> None:
    """The panel says how a span ended, though the answer of before that comes last."""
    page = seen(visit, agent)
    held = Held(page, f"**/api/traces/{agent.id}/spans/*")
    page.click(ROW)
    held.wait()
    agent.end({"cat": "asleep"})
    held.wait(2)
    held.let_through(1)
    page.wait_for_selector(".panel dd:has-text('asleep')")
    held.let_through()
    assert page.locator(".panel dd:has-text('asleep')").count() == 1


def test_a_click_is_for_the_row_that_was_pressed(visit: Visit, agent: Agent) -> None:
    """A span that comes in between while the button is down is not the one that is chosen."""
    agent.begin("node late")
    page = seen(visit, agent)
    box = page.locator(f"{ROW}:has-text('late')").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 150, box["y"] + 12)
    page.mouse.down()
    agent.begin("node early", at=agent.began + 1)
    page.wait_for_selector(f"{ROW}[aria-rowindex='3']:has-text('early')")
    page.mouse.up()
    page.wait_for_selector(f"{ROW}.chosen:has-text('late')")
    page.wait_for_selector(".panel h2:has-text('late')")


def test_a_button_stays_the_same_while_a_run_goes_on(visit: Visit, agent: Agent) -> None:
    """What shows the whole trace again can be clicked, however often the axis is drawn anew."""
    page = seen(visit, agent)
    page.keyboard.press("+")
    unzoom = page.wait_for_selector(".unzoom:not([hidden])")
    assert unzoom is not None
    took = page.inner_text(f"{ROW} .took")
    expect(page.locator(f"{ROW} .took")).not_to_have_text(took)
    assert unzoom.evaluate("it => it.isConnected")
    unzoom.click()
    page.wait_for_selector(".unzoom", state="hidden")


@pytest.mark.parametrize(
    ("path", "focused", "changed"),
    [
        ("/traces/{id}", "a:text-is('Graph')", ".fact:text-is('2 spans')"),
        ("/traces/{id}?span={span}", "summary:has-text('Process')", "dd:has-text('asleep')"),
        ("/conversation?id={name}", ".turn-head a", ".turn + .turn"),
        ("/conversations", "td a:text-is('{name}')", "tr:has-text('{name}') td:text-is('2')"),
        ("/graph?trace={id}", "button:text-is('By outcome')", ".visits tr:has-text('model')"),
    ],
    ids=["head", "panel", "conversation", "conversations", "graph"],
)
def test_the_focus_stays_as_a_run_goes_on(
    visit: Visit,
    agent: Agent,
    path: str,
    focused: str,
    changed: str,
) -> None:
    """Who has reached something by the keyboard stays there when the view is told anew."""
    span = format(agent.spans[0].get_span_context().span_id, "016x")
    about = {"id": agent.id, "span": span, "name": agent.name}
    page = visit.open(path.format(**about), focused.format(**about))
    element = page.query_selector(focused.format(**about))
    page.focus(focused.format(**about))
    if path.startswith("/graph"):
        page.keyboard.press("Enter")
        page.wait_for_selector("[aria-pressed=true]:text-is('By outcome')")
    Agent(agent.recording, agent.name).begin().end()
    agent.begin("node model", langgraph__node="model")
    if "span=" in path:
        agent.end({"cat": "asleep"})
    page.wait_for_selector(changed.format(**about))
    assert page.evaluate("it => document.activeElement === it", element)


def test_the_focus_comes_along_to_another_view(visit: Visit, agent: Agent) -> None:
    """The link to a view keeps it, and `Escape` leads into the list, ready for its arrows."""
    page = seen(visit, agent)
    page.focus("#places a:text-is('Live')")
    page.keyboard.press("Enter")
    page.wait_for_selector("#places a[aria-current]:text-is('Live')")
    assert page.evaluate("document.activeElement.textContent") == "Live"
    page.go_back()
    page.wait_for_selector(ROW)
    page.focus(".tree")
    page.keyboard.press("Escape")
    page.wait_for_selector(TRACE)
    page.keyboard.press("ArrowDown")
    page.wait_for_selector(f"{TRACE}.chosen[aria-rowindex='2']")


@pytest.mark.usefixtures("agent")
def test_nothing_is_said_to_run_only_when_it_is_known(visit: Visit) -> None:
    """The live view says nothing until it has been told."""
    told = Held(visit.page, "**/api/live?*", is_asked=False)
    page = visit.open("/live", "h1:text-is('Live')")
    told.wait()
    assert not page.is_visible(".empty")
    told.end()
    page.wait_for_selector(".card")


def test_there_is_no_such_conversation_until_there_is(
    visit: Visit, recording: Recording, request: pytest.FixtureRequest
) -> None:
    """A name that nothing has is said to be none, and its first run appears by itself."""
    name = request.node.name
    page = visit.open(f"/conversation?id={name}", "h1:text-is('No such conversation')")
    running = Agent(recording, name).begin()
    page.wait_for_selector(".turn")
    expect(page.locator(".empty")).to_have_count(0)
    running.end()
