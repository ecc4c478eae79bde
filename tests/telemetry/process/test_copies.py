"""A handler that is copied or pickled, by itself or in what holds it, or has no provider."""

from __future__ import annotations

import copy
import logging
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from langgraph.graph import START, MessagesState, StateGraph
from opentelemetry.trace import NoOpTracerProvider

from nodespan.model import EchoChatModel
from nodespan.telemetry import OpenTelemetryCallbackHandler, TelemetryError
from nodespan.telemetry.testing import capture_spans

if TYPE_CHECKING:
    from collections.abc import Callable

WAYS: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),  # noqa: S301 - ours
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_copy_works(way: Callable[[Any], Any]) -> None:
    """It traces to the same provider, and a call that is given both is told once."""
    with capture_spans() as captured:
        same = way(captured.handler)
        EchoChatModel().invoke("Hi", {"callbacks": [same]})
        EchoChatModel().invoke("Hi", {"callbacks": [captured.handler, same]})
    assert captured.tree == ["chat echo", "chat echo"]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_model_that_holds_one_is_copied(way: Callable[[Any], Any]) -> None:
    """In its callbacks, also where it is bound or in a list of configs."""
    with capture_spans() as captured:
        way(EchoChatModel(callbacks=[captured.handler])).invoke("Hi")
        bound = EchoChatModel().with_config(callbacks=[captured.handler])
        way(bound).invoke("Hi")
        way({"configs": [{"callbacks": [captured.handler]}]})
    assert captured.tree == ["chat echo", "chat echo"]


def test_a_graph_that_holds_one_is_copied() -> None:
    """Deeply, as tests and servers do."""

    def look(_state: MessagesState) -> dict[str, Any]:
        return {"messages": [("ai", "x")]}

    graph: Any = StateGraph(MessagesState)
    compiled = graph.add_node(look).add_edge(START, "look").compile()
    with capture_spans() as captured:
        held = compiled.with_config(callbacks=[captured.handler])
        copy.deepcopy(held.config)
        held.invoke({"messages": []}, copy.deepcopy({"callbacks": [captured.handler]}))
    assert captured.tree == ["invoke_workflow LangGraph", "  node look"]


def test_another_process_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pickle that has gone to where the handler is not says so, and says what works there."""
    pickled = pickle.dumps(OpenTelemetryCallbackHandler(tracer_provider=NoOpTracerProvider()))
    monkeypatch.setattr("nodespan.telemetry._process._only", {})
    with pytest.raises(TelemetryError, match=r"call instrument\(\), or give"):
        pickle.loads(pickled)  # noqa: S301 - ours


@pytest.mark.parametrize(
    ("variables", "lines"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, 1),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9"}, 1),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}, 0),
        ({}, 0),
    ],
)
def test_a_handler_without_a_provider_says_so_once(
    variables: dict[str, str],
    lines: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where the variables say where spans are to go: one line, however many runs there are."""
    monkeypatch.setattr("nodespan.telemetry._diagnostics._OFF", {})
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with caplog.at_level(logging.WARNING, logger="nodespan.telemetry"):
        for _ in range(3):
            handler = OpenTelemetryCallbackHandler(tracer_provider=NoOpTracerProvider())
            assert EchoChatModel().invoke("Hi", {"callbacks": [handler]}).content == "Hi"
    told = [record for record in caplog.records if "no tracer provider" in record.getMessage()]
    assert len(told) == lines
    assert all("configure()" in record.getMessage() for record in told)
