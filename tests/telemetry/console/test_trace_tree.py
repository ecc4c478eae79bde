"""The trace as a tree: which lines there are, and how they look."""

import io
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from nodespan.telemetry import EventRecord, SpanRecord
from nodespan.telemetry._console.span_tree import LINES, branches, by_trace
from nodespan.telemetry.console import TraceTree

MS = 1_000_000


def span(  # noqa: PLR0913 - each is a field of the record
    name: str,
    *,
    of: str | None = None,
    start: int = 0,
    ms: float | None = 1,
    trace: str = "a" * 32,
    status: str = "unset",
    span_id: str | None = None,
    events: tuple[EventRecord, ...] = (),
    **attributes: Any,
) -> SpanRecord:
    """A span whose id is its name, unless said otherwise."""
    return SpanRecord(
        trace_id=trace,
        span_id=span_id or name,
        parent_id=of,
        name=name,
        kind="internal",
        start_ns=start,
        end_ns=None if ms is None else start + round(ms * MS),
        status=status,
        status_description=None,
        attributes={key.replace("__", "."): value for key, value in attributes.items()},
        events=events,
        links=(),
    )


def rendered(spans: Sequence[SpanRecord], width: int = 100, **console: Any) -> str:
    """What is shown, without the spaces at the ends of lines."""
    file = io.StringIO()
    Console(file=file, width=width, **console).print(TraceTree(spans))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


TOOL_LOOP = [
    span("invoke_agent sums", ms=1_523.4),
    span("node model", of="invoke_agent sums", start=1, ms=1_204),
    span(
        "chat tiny",
        of="node model",
        start=2,
        ms=1_203.1,
        gen_ai__response__time_to_first_chunk=0.2104,
        nodespan__stream__chunks=12_345,
        gen_ai__usage__input_tokens=35,
        gen_ai__usage__output_tokens=12_344,
    ),
    span("node tools", of="invoke_agent sums", start=3, ms=0.8504),
    span("execute_tool add", of="node tools", start=4, ms=0.0123),
]


class TestTable:
    """The whole of it."""

    def test_tool_loop(self) -> None:
        """Names are a tree, numbers are aligned to the right, each with its unit."""
        assert rendered(TOOL_LOOP) == (
            f"trace {'a' * 32}\n"
            "span                       time  first chunk  chunks  tokens in     out  outcome\n"
            "invoke_agent sums        1.52 s                                          ok\n"
            "├─ node model            1.20 s                                          ok\n"
            "│  └─ chat tiny          1.20 s       210 ms  12,345         35  12,344  ok\n"
            "└─ node tools            850 µs                                          ok\n"
            "   └─ execute_tool add  12.3 µs                                          ok"
        )

    def test_without_a_model(self) -> None:
        """A column that no span has a number for is left out."""
        assert rendered([span("invoke_workflow sums")]) == (
            f"trace {'a' * 32}\n"
            "span                     time  outcome\n"
            "invoke_workflow sums  1.00 ms  ok"
        )

    def test_estimated_tokens(self) -> None:
        """Tokens that the model has not counted are shown as an estimate."""
        told = {"gen_ai__usage__input_tokens": 3, "nodespan__usage__is_estimated": True}
        assert rendered([span("chat tiny", **told)]).splitlines()[1:] == [
            "span             time  tokens in  outcome",
            "chat tiny     1.00 ms         ~3  ok",
        ]

    def test_outcomes(self) -> None:
        """A run that did not simply end says how, and a failed one with which type of error."""
        spans = [
            span("a", nodespan__outcome="cancelled"),
            span("b", start=1, status="error", nodespan__outcome="error", error__type="x.y.Oops"),
            span("c", start=2, status="error"),
            span("d", start=3, ms=None),
            span("e", start=4, nodespan__outcome="interrupted"),
        ]

        lines = rendered(spans).splitlines()[2:]

        assert [line[13:].strip().removeprefix("1.00 ms  ") for line in lines] == [
            "cancelled",
            "error Oops",
            "error",
            "running",
            "interrupted",
        ]

    def test_speed_stalls_and_cost(self) -> None:
        """A model has its speed, its stalls and its cost, and a root the cost of all beneath it."""
        model = {
            "nodespan__stream__tokens_per_second": 41.7,
            "nodespan__stream__duration": 3.0,
            "nodespan__stream__stalls": 2,
            "nodespan__cost": 0.0000123456,
            "nodespan__currency": "CHF",
        }
        sums = {"nodespan__total__cost__CHF": 0.0000123456, "nodespan__total__cost__USD": 1.5}
        lines = rendered([span("root", **sums), span("chat tiny", of="root", start=1, **model)])

        assert lines.splitlines()[1:] == [
            "span             time  tokens/s  stalls                     cost  outcome",
            "root          1.00 ms                    0.0000123 CHF + 1.5 USD  ok",
            "└─ chat tiny  1.00 ms        42       2            0.0000123 CHF  ok",
        ]

    def test_a_stream_that_was_over_at_once(self) -> None:
        """Its speed is a number of thousands that nobody could see: it is left out."""
        told = {"nodespan__stream__tokens_per_second": 12_000.0, "nodespan__stream__duration": 0.01}

        assert "tokens/s" not in rendered([span("chat tiny", **told)])

    @pytest.mark.parametrize(
        ("attributes", "outcome"),
        [
            ({"gen_ai.response.finish_reasons": ("stop",)}, "ok"),
            ({"gen_ai.response.finish_reasons": ["tool_calls"]}, "ok"),
            ({"gen_ai.response.finish_reasons": ("length",)}, "ok, cut off (length)"),
            ({"gen_ai.response.finish_reasons": ("MAX_TOKENS",)}, "ok, cut off (MAX_TOKENS)"),
            (
                {"gen_ai.response.finish_reasons": ("content_filter",)},
                "ok, ended by content_filter",
            ),
            ({"gen_ai.response.finish_reasons": 3}, "ok"),
            (
                {"nodespan.http.resend_reasons": ("503", "429"), "http.request.resend_count": 2},
                "ok, sent again 2x (503, 429)",
            ),
        ],
        ids=str,
    )
    def test_ends_that_are_worth_a_word(self, attributes: dict[str, Any], outcome: str) -> None:
        """An answer that was cut off, or a request that was sent again, says so."""
        line = rendered([span("chat tiny", **attributes)]).splitlines()[2]

        assert line.removeprefix("chat tiny     1.00 ms  ") == outcome

    def test_what_a_tool_was_given(self) -> None:
        """A tool's arguments, where they were recorded, stand beside its name, in short."""
        short = span("execute_tool add", **{"gen_ai.tool.call.arguments": '{"a":1}'})
        arguments = '{"text":"' + "x" * 500 + '\x1b"}'
        long = span("execute_tool say", start=1, **{"gen_ai.tool.call.arguments": arguments})
        judged = span("evaluation tone", start=2, **{"gen_ai.evaluation.score.value": 0.5})
        lines = rendered([short, long, judged], width=200).splitlines()[2:]

        assert lines[0].startswith('execute_tool add {"a":1} ')
        assert lines[1].startswith('execute_tool say {"text":"xxx')
        assert "xxx... " in lines[1]
        assert "\x1b" not in lines[1]
        assert lines[2].startswith("evaluation tone 0.5 ")

    def test_what_an_exception_said(self) -> None:
        """Where an exception's message was recorded, it stands beside the type."""
        event = EventRecord("exception", 0, {"exception.message": "the cable\nis out"})
        failed = span("a", status="error", events=(event,), error__type="builtins.OSError")

        assert rendered([failed]).splitlines()[2].endswith("error OSError, the cable␊is out")

    def test_several_traces(self) -> None:
        """Each trace has its own tree, in the order in which they started."""
        spans = [span("second", trace="b" * 32, start=9), span("first", start=5)]

        lines = rendered(spans).splitlines()

        assert [line.split()[:2] for line in lines if line.startswith("trace")] == [
            ["trace", "a" * 32],
            ["trace", "b" * 32],
        ]

    def test_nothing(self) -> None:
        """No span is no tree."""
        assert rendered([]) == ""


class TestWherever:
    """On whatever it is shown."""

    def test_narrow(self) -> None:
        """Where the terminal is narrow, names are cut before anything else."""
        lines = rendered(TOOL_LOOP, width=76, force_terminal=True, color_system=None).splitlines()

        assert all(len(line) <= 76 for line in lines)
        assert len(lines) == 7
        assert lines[6].startswith("   └─ execut")
        assert "…" in lines[6]
        assert all(line.endswith("ok") for line in lines[2:])

    def test_without_unicode(self) -> None:
        """Where only ASCII can be shown, all of it is."""
        raw = io.BytesIO()
        file = io.TextIOWrapper(raw, encoding="ascii")
        Console(file=file, width=100).print(TraceTree(TOOL_LOOP))
        file.flush()

        assert "|  `- chat tiny" in raw.getvalue().decode("ascii")
        assert "850 us" in raw.getvalue().decode("ascii")

    def test_colours(self) -> None:
        """In colour, an error is red and what went well is green."""
        spans = [span("a"), span("b", status="error", nodespan__outcome="error")]

        text = rendered(spans, force_terminal=True, color_system="standard")

        assert "\x1b[32mok" in text
        assert "\x1b[1;31merror" in text

    @pytest.mark.parametrize("name", ["chat \x1b[31mred\x07", "chat [bold]x[/bold]", "line\nbreak"])
    def test_names_from_elsewhere(self, name: str) -> None:
        """A name is text: neither its escape codes nor its markup nor its line breaks act."""
        lines = rendered([span(name)]).splitlines()

        assert len(lines) == 3
        assert "\x1b" not in lines[2]
        assert "[bold]" in lines[2] or "bold" not in name

    def test_attributes_from_elsewhere(self) -> None:
        """An attribute of the wrong type is left out."""
        text = rendered([span("a", nodespan__stream__chunks="many", error__type=3)])

        assert "many" not in text
        assert "chunks" not in text


IDS = st.integers(0, 12).map(str)


class TestOrder:
    """Whatever spans there are, in whatever order."""

    @given(st.dictionaries(IDS, st.tuples(st.none() | IDS, st.integers(0, 5)), max_size=13))
    def test_every_span_once(self, parents: dict[str, tuple[str | None, int]]) -> None:
        """Each span has one line, and one whose parent has a line before it hangs beneath it."""
        spans = [span(name, of=of, start=start) for name, (of, start) in parents.items()]

        lines = [line for trace in by_trace(spans) for line in branches(trace)]

        assert sorted(each.span_id for _, each in lines) == sorted(parents)
        depths: dict[str, int] = {}
        for guide, each in lines:
            depth = len(guide) // len(LINES.child)
            if depth:
                assert each.parent_id is not None
                assert depth == depths[each.parent_id] + 1
            depths[each.span_id] = depth

    def test_siblings(self) -> None:
        """Siblings stand in the order of their starts."""
        spans = [span("root"), span("late", of="root", start=2), span("early", of="root", start=1)]

        (trace,) = by_trace(spans)

        assert [each.name for _, each in branches(trace)] == ["root", "early", "late"]

    def test_deep(self) -> None:
        """Depth has no limit."""
        spans = [span(str(i), of=str(i - 1) if i else None, start=i) for i in range(3_000)]

        (trace,) = by_trace(spans)

        assert len(list(branches(trace))) == 3_000
