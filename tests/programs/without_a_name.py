"""A program that is traced though a library lacks a name; it writes what it has seen as JSON.

Its argument is JSON too: the name that is taken away.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from tempfile import TemporaryDirectory
from typing import Any

import renaming

NOWHERE = "http://127.0.0.1:9"


def main() -> None:
    """Take the name away, then import nodespan, run all there is, and tell."""
    gone = json.loads(sys.argv[1])
    kept = vars(sys)["_getframe"]
    if gone:
        renaming.take_away(**gone)
    # What comes before is upstream's own: nothing of nodespan's is imported yet.
    assert not [name for name in sys.modules if name.startswith("nodespan")]
    from nodespan import telemetry  # noqa: PLC0415
    from nodespan.telemetry import configure, instrument, uninstrument  # noqa: PLC0415
    from nodespan.telemetry.testing import capture_spans  # noqa: PLC0415

    for name in telemetry.__all__:
        getattr(telemetry, name)
    sys._getframe = kept  # the libraries themselves cannot do without
    seen: dict[str, Any] = {}
    with capture_spans(log_events=True) as captured:
        handler = captured.handler
        seen["after the import"] = dict(handler.diagnostics.counts)
        for name, run in runs().items():
            captured.collector.clear()
            run({"callbacks": [handler]})
            seen[name] = captured.tree
    with capture_spans() as captured:
        instrument(tracer_provider=captured.tracer_provider)
        invoke_graph({})
        cached_graph().invoke({"messages": ["Hi"]})
        seen["instrument"] = captured.tree
        uninstrument()
        captured.collector.clear()
        invoke_graph({})
        seen["uninstrument"] = captured.tree
    measure()
    log(configure)
    seen["off"] = dict(handler.diagnostics.counts)
    seen["measured"] = measured_troubles()
    sys.stdout.write(json.dumps(seen))
    sys.stdout.flush()
    os._exit(0)  # nothing is listening where telemetry would be sent


def runs() -> dict[str, Any]:
    """Return the plain runs, each by its name."""
    return {
        "invoke": lambda config: model().invoke("Hi", config),
        "ainvoke": lambda config: asyncio.run(model().ainvoke("Hi", config)),
        "stream": lambda config: list(model().stream("Hi", config)),
        "astream": lambda config: asyncio.run(consume(model().astream("Hi", config))),
        "events": lambda config: list(model().stream_events("Hi", config, version="v3")),
        "graph": invoke_graph,
        "agraph": lambda config: asyncio.run(graph().ainvoke({"messages": ["Hi"]}, config)),
        "tool": invoke_tool,
        "retry": lambda config: model().with_retry().invoke("Hi", config),
    }


def model() -> Any:
    """Return a model that streams."""
    from langchain_core.language_models.fake_chat_models import (  # noqa: PLC0415
        FakeListChatModel,
    )

    return FakeListChatModel(responses=["Meow!"])


async def consume(stream: Any) -> None:
    """Read a stream to its end."""
    async for _ in stream:
        pass


def graph(cache: Any = None) -> Any:
    """Return a graph of one node that asks a model."""
    from langgraph.graph import START, MessagesState, StateGraph  # noqa: PLC0415
    from langgraph.types import CachePolicy  # noqa: PLC0415

    def answer(state: Any) -> dict[str, Any]:
        return {"messages": [model().invoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("answer", answer, cache_policy=CachePolicy(key_func=lambda _: "one"))
    return builder.add_edge(START, "answer").compile(cache=cache)


def cached_graph() -> Any:
    """Return a graph whose node a cache answers for."""
    from langgraph.cache.memory import InMemoryCache  # noqa: PLC0415

    cached = graph(InMemoryCache())
    cached.invoke({"messages": ["Hi"]})
    return cached


def invoke_graph(config: Any) -> None:
    """Run the graph."""
    graph().invoke({"messages": ["Hi"]}, config)


def invoke_tool(config: Any) -> None:
    """Run a tool, sync and async."""
    from langchain_core.tools import tool  # noqa: PLC0415

    @tool
    def purr(text: str) -> str:
        """Purr."""
        return text

    purr.invoke({"text": "Hi"}, config)
    asyncio.run(purr.ainvoke({"text": "Hi"}, config))


READERS: list[Any] = []


def measure() -> None:
    """Measure a stream, and read the metrics."""
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: PLC0415

    from nodespan.telemetry import OpenTelemetryCallbackHandler  # noqa: PLC0415

    READERS.append(InMemoryMetricReader())
    provider = MeterProvider(READERS, shutdown_on_exit=False)
    handler = OpenTelemetryCallbackHandler(meter_provider=provider)
    list(model().stream("Hi", {"callbacks": [handler]}))
    assert "gen_ai.client.operation.duration" in metrics()


def metrics() -> dict[str, Any]:
    """Return the metrics, read now."""
    data = READERS[0].get_metrics_data()
    scopes = [scope for of in data.resource_metrics for scope in of.scope_metrics]
    return {metric.name: metric for scope in scopes for metric in scope.metrics}


def measured_troubles() -> dict[str, int]:
    """Return what the metrics say of telemetry's own troubles."""
    told = metrics().get("nodespan.telemetry.errors")
    points = told.data.data_points if told is not None else ()
    return {next(iter(point.attributes.values())): point.value for point in points}


def log(configure: Any) -> None:
    """Have everything sent that can be sent, and a line logged."""
    from nodespan.telemetry import OpenTelemetryLogProcessor, TelemetryConfig  # noqa: PLC0415

    telemetry = configure(TelemetryConfig(endpoint=NOWHERE, log_events=True, journal=False))
    line = OpenTelemetryLogProcessor(telemetry.logger_provider)(None, "info", {"event": "Hi"})
    assert line == {"event": "Hi"}
    telemetry.shutdown(0)
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        config = TelemetryConfig(log_events=True, journal=f"{folder}/journal.db", endpoint=NOWHERE)
        telemetry = configure(config)
        OpenTelemetryLogProcessor(telemetry.logger_provider)(None, "info", {"event": "Hi"})
        telemetry.shutdown(1)


main()
