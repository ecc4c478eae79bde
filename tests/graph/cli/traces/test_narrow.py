"""On a narrow terminal the list and the tree leave out what matters least, and cut no number."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from nodespan.graph.cli._traces.listing import TraceList
from nodespan.graph.cli._traces.spans import tree
from nodespan.telemetry.console import left_out

if TYPE_CHECKING:
    from rich.console import RenderableType

    from support.recording import Recording

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "cat-1",
    "gen_ai.conversation.id": "thread-1",
    "gen_ai.usage.input_tokens": 1_234_567,
    "gen_ai.usage.output_tokens": 1_234_567,
    "nodespan.cost": 0.25,
    "nodespan.currency": "USD",
    "gen_ai.response.time_to_first_chunk": 0.5,
    "nodespan.stream.stalls": 2,
    "nodespan.stream.chunks": 7_000,
    "nodespan.stream.gap.max": 0.25,
}


def rendered(shown: RenderableType, columns: int) -> list[str]:
    """Return the lines of what is shown on a terminal."""
    file = io.StringIO()
    Console(file=file, width=columns, force_terminal=True, color_system=None).print(shown)
    return file.getvalue().splitlines()


@pytest.mark.parametrize("columns", [80, 100, 120, 200])
def test_no_number_is_cut(recording: Recording, columns: int) -> None:
    """Names are cut, columns left out; what is shown is whole, and outcomes always are."""
    with recording.tracer.start_as_current_span("invoke_agent " + "x" * 100, start_time=10**18):
        recording.tracer.start_span("chat cat-1", attributes=CHAT, start_time=10**18).end()
    with recording.read() as journal:
        listed = rendered(TraceList(journal.traces()), columns)
        shown = rendered(tree(journal.trace("last"), 0), columns)
    for lines, head, row in ((listed, listed[0], listed[1]), (shown, shown[1], shown[2])):
        assert all(len(line.rstrip()) <= columns for line in lines)
        assert "outcome" in head
        assert "time" in head
        assert "ok" in row.split()
        assert row.count("…") == (1 if columns < 200 else row.count("…"))
    if columns in (80, 200):
        assert ("conversation" in listed[0]) == (columns == 200)
        assert ("start" in shown[1].split()) == (columns == 200)


def test_the_least_important_goes_first() -> None:
    """No more is left out than is needed."""
    widths = {"name": 12, "a": 10, "b": 10, "c": 10}
    assert left_out(widths, 40, ("a", "b")) == set()
    assert left_out(widths, 39, ("none", "a", "b")) == {"a"}
    assert left_out(widths, 20, ("a", "b")) == {"a", "b"}
