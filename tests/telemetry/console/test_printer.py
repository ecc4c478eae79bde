"""Traces printed as trees, each when its last span has ended."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import pytest
from langgraph.graph import START, StateGraph
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from nodespan.telemetry import OpenTelemetryCallbackHandler, TelemetryConfig, configure
from nodespan.telemetry._console import printer
from nodespan.telemetry._console.printer import TracePrinter
from support.strangers import State, Talker

if TYPE_CHECKING:
    from collections.abc import Iterator


class Printing:
    """A provider whose traces are printed, and what is printed so far."""

    def __init__(self, encoding: str = "utf-8", **options: Any) -> None:
        self.raw = io.BytesIO()
        self.out = io.TextIOWrapper(self.raw, encoding=encoding)
        self.provider = TracerProvider(shutdown_on_exit=False, **options)
        self.provider.add_span_processor(TracePrinter(self.out))
        self.tracer = self.provider.get_tracer("application")

    def config(self, **settings: Any) -> Any:
        """Return a call's config with a handler."""
        handler = OpenTelemetryCallbackHandler(tracer_provider=self.provider, **settings)
        return {"callbacks": [handler]}

    @property
    def lines(self) -> list[str]:
        """What is printed so far, without times."""
        return self.raw.getvalue().decode(self.out.encoding).splitlines()

    @property
    def names(self) -> list[str]:
        """The first column of it."""
        found = (re.match(r" *\S+(?: \S+)*", line) for line in self.lines)
        return [one[0] for one in found if one is not None]


@pytest.fixture
def printing() -> Iterator[Printing]:
    """Prints."""
    printing = Printing()
    yield printing
    printing.provider.shutdown()


def asking() -> Any:
    """Return a graph of one node that asks a model."""
    graph = StateGraph(State)
    graph.add_node("ask", lambda state: {"messages": [Talker().invoke(state["messages"])]})
    return graph.add_edge(START, "ask").compile()


def test_a_trace_is_printed_when_it_has_ended(printing: Printing) -> None:
    """With spans of the application's around and inside; nothing before, and each trace once."""
    with printing.tracer.start_as_current_span("request"):
        asking().invoke({"messages": [("user", "hi")]}, printing.config())
        assert printing.lines == []
    first, *names = printing.names
    assert first.startswith("trace ")
    assert names == [
        "span",
        "request",
        "└─ invoke_workflow LangGraph",
        "   └─ node ask",
        "      └─ chat talker",
    ]
    Talker().invoke("hi", printing.config())
    assert printing.names[-1] == "chat talker"
    assert sum(line.startswith("trace ") for line in printing.lines) == 2


@pytest.mark.parametrize("mode", ["NO_CONTENT", "SPAN_ONLY"])
def test_an_error_says_where_its_message_is(printing: Printing, mode: str) -> None:
    """Without content a line says which setting shows it; with content it is there."""
    with pytest.raises(ValueError, match="planted"):
        Talker(fails_with=ValueError("planted")).invoke("hi", printing.config(capture_content=mode))
    text = "\n".join(printing.lines)
    assert "error ValueError" in text
    assert ("planted" in text) is (mode == "SPAN_ONLY")
    assert ("capture_content" in text) is (mode == "NO_CONTENT")


def test_what_is_not_sampled_is_not_printed() -> None:
    """A trace that goes nowhere is not on the console either."""
    printing = Printing(sampler=ALWAYS_OFF)
    Talker().invoke("hi", printing.config())
    printing.provider.shutdown()
    assert printing.lines == []


def test_a_trace_that_never_ends_is_printed_at_the_end(printing: Printing) -> None:
    """What has ended of it is shown when the provider is shut down."""
    above = printing.tracer.start_span("open")
    from opentelemetry.trace import use_span  # noqa: PLC0415 - of this test alone

    with use_span(above):
        Talker().invoke("hi", printing.config())
    assert printing.lines == []
    printing.provider.shutdown()
    assert printing.names[-1] == "chat talker"


def test_it_is_bounded(printing: Printing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large trace some spans are shown, and of too many open ones the oldest goes first."""
    monkeypatch.setattr(printer, "_MOST_SPANS", 3)
    monkeypatch.setattr(printer, "_MOST_TRACES", 2)
    with printing.tracer.start_as_current_span("large"):
        for number in range(5):
            printing.tracer.start_span(f"step {number}").end()
    assert printing.lines[-1] == "and 3 more spans"
    kept = [printing.tracer.start_span(f"root {number}") for number in range(10)]
    for span in kept:
        span.end()
    assert {f"root {number}" for number in range(8, 10)} <= set(printing.names)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_it_writes_what_the_stream_can_take(encoding: str) -> None:
    """Where the stream knows few characters, the others are written out."""
    printing = Printing(encoding)
    printing.tracer.start_span("Grüezi 猫").end()
    assert "\\u732b" in printing.lines[-1]


def test_a_stream_that_was_closed_does_no_harm(printing: Printing) -> None:
    """The application goes on where nobody reads what is printed."""
    printing.out.close()
    assert Talker().invoke("hi", printing.config()).text


@pytest.mark.usefixtures("providers_put_back")
@pytest.mark.parametrize(
    ("variables", "setting", "is_printed"),
    [
        ({"OTEL_TRACES_EXPORTER": "console"}, None, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, False, False),
        ({"NODESPAN_PRINT_TRACES": "on"}, None, True),
        ({}, True, True),
        ({}, None, False),
    ],
    ids=str,
)
def test_configure_prints_where_it_is_asked_to(
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    setting: bool | None,
    is_printed: bool,
) -> None:
    """By the standard variable, by one of ours, or by the setting, which goes before both."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    out = io.StringIO()
    with configure(TelemetryConfig(print_traces=setting), console=out) as telemetry:
        Talker().invoke("hi", {"callbacks": [telemetry.handler()]})
    assert ("chat talker" in out.getvalue()) is is_printed
