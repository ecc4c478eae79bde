"""Spans, metrics and log lines of one big mixed program say the same of every run."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest

from support import everything
from support.signals import Signals, record_signals
from support.strangers import ASTREAM, INVOKE

if TYPE_CHECKING:
    from collections.abc import Iterator

PRICES: Final = {name: {"input": 1, "output": 2} for name in ("speaker-1", "tiny-1")}
# Each metric of durations, and the operations whose runs it counts.
DURATIONS: Final = {
    "gen_ai.client.inference.duration": ("chat", "text_completion"),
    "gen_ai.client.operation.duration": ("retrieval",),
    "gen_ai.execute_tool.duration": ("execute_tool",),
    "gen_ai.invoke_agent.duration": ("invoke_agent",),
    "gen_ai.invoke_workflow.duration": ("invoke_workflow",),
}


class Lines(logging.Handler):
    """Keeps the lines that tell an end."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: dict[str, Any] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line of a run's end by its span."""
        if record.getMessage().startswith("run ended"):
            said: Any = record
            assert said.span_id not in self.ends
            self.ends[said.span_id] = said


@pytest.fixture(params=["handler", "instrument"])
def program(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Signals, Lines]]:
    """All signals of agents, workflows, failures, retries, interrupts and streams."""
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental")
    lines, logger = Lines(), logging.getLogger("nodespan.telemetry.runs")
    logger.addHandler(lines)
    logger.setLevel(logging.DEBUG)
    with record_signals(request.param, prices=PRICES, stall_threshold=60) as signals:
        for call in (INVOKE, ASTREAM):
            for scenario in everything.scenarios(call):
                scenario.run(call, everything.config_of(signals.config))
        yield signals, lines
    logger.setLevel(logging.NOTSET)
    logger.removeHandler(lines)


def points(signals: Signals, name: str) -> list[Any]:
    """The points of a metric."""
    (found,) = [metric for metric in signals.metrics if metric.name == name]
    return list(found.data.data_points)


def outcome(attributes: Any) -> tuple[Any, Any]:
    """How a run has ended, and by what."""
    return attributes.get("nodespan.outcome"), attributes.get("error.type")


def test_they_say_the_same(program: tuple[Signals, Lines]) -> None:
    """Outcomes, errors, tokens and costs agree, span by span and in sums."""
    signals, lines = program
    spans = {span.span_id: span for span in signals.spans}
    assert lines.ends.keys() == spans.keys()
    for span_id, span in spans.items():
        line, said = lines.ends[span_id].__dict__, span.attributes
        assert line["outcome"] == said.get("nodespan.outcome", "ok")
        assert line.get("error_type") == said.get("error.type")
        for field, name in (
            ("input_tokens", "gen_ai.usage.input_tokens"),
            ("output_tokens", "gen_ai.usage.output_tokens"),
            ("cost", "nodespan.cost"),
        ):
            assert line.get(field) == said.get(name), (span.name, field)
    for metric, operations in DURATIONS.items():
        counted: Counter[Any] = Counter()
        for point in points(signals, metric):
            counted[outcome(point.attributes)] += point.count
        told = Counter(
            outcome(span.attributes)
            for span in spans.values()
            if span.attributes.get("gen_ai.operation.name") in operations
        )
        assert counted == told, metric


def test_sums_are_those_of_their_parts(program: tuple[Signals, Lines]) -> None:
    """Tokens and costs of metrics and of roots are those of the models' own spans."""
    signals, _ = program
    spans = signals.spans
    chats = [span for span in spans if span.attributes.get("gen_ai.operation.name") == "chat"]
    for kind in ("input", "output"):
        name = f"gen_ai.usage.{kind}_tokens"
        told = sum(int(str(span.attributes.get(name, 0))) for span in chats)
        counted = sum(
            point.value for point in points(signals, f"gen_ai.client.inference.usage.{kind}_tokens")
        )
        assert counted == told > 0
    cost = sum(float(str(span.attributes.get("nodespan.cost", 0))) for span in chats)
    assert sum(point.value for point in points(signals, "nodespan.cost")) == pytest.approx(cost)
    for root in (span for span in spans if span.parent_id is None):
        beneath = [span for span in chats if span.trace_id == root.trace_id and span is not root]
        if total := root.attributes.get("nodespan.total.output_tokens"):
            assert total == sum(
                int(str(span.attributes.get("gen_ai.usage.output_tokens", 0))) for span in beneath
            )
