"""LangGraph's store: what a node looks up and keeps, as the newest conventions' spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from opentelemetry.sdk.trace import TracerProvider

from nodespan.telemetry import SpanCollector, instrument, uninstrument
from nodespan.telemetry.testing import span_tree
from support.strangers import State

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMESPACE = ("people", "ann")


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[SpanCollector]:
    """Collects the spans of a process that is instrumented, with the newest names."""
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental")
    yield from _instrumented()


def _instrumented(**settings: Any) -> Iterator[SpanCollector]:
    collector = SpanCollector()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(collector)
    instrument(tracer_provider=provider, **settings)
    try:
        yield collector
    finally:
        uninstrument()
        provider.shutdown()


def remember(_: State, *, store: BaseStore) -> dict[str, Any]:
    """Keep, look for, read and drop a memory."""
    store.put(NAMESPACE, "tea", {"likes": "tea"})
    assert len(store.search(NAMESPACE, limit=5)) == 1
    item = store.get(NAMESPACE, "tea")
    assert item is not None
    assert item.value == {"likes": "tea"}
    store.delete(NAMESPACE, "tea")
    return {}


async def aremember(_: State, *, store: BaseStore) -> dict[str, Any]:
    """Do the same on an event loop."""
    await store.aput(NAMESPACE, "tea", {"likes": "tea"})
    assert len(await store.asearch(NAMESPACE, limit=5)) == 1
    assert await store.aget(NAMESPACE, "tea") is not None
    await store.adelete(NAMESPACE, "tea")
    return {}


def graph_of(node: Any) -> Any:
    """Return a graph of a node that has a store."""
    graph = StateGraph(State).add_node("remember", node).add_edge(START, "remember")
    return graph.compile(store=InMemoryStore())


TREE = [
    "invoke_workflow LangGraph",
    "  node remember",
    "    upsert_memory [gen_ai.memory.record.id=tea]",
    "    search_memory [gen_ai.memory.record.count=1]",
    "    search_memory [gen_ai.memory.record.id=tea, gen_ai.memory.record.count=1]",
    "    delete_memory [gen_ai.memory.record.id=tea]",
]
SHOWN = ("gen_ai.memory.record.id", "gen_ai.memory.record.count")


def test_a_node_remembers(collector: SpanCollector) -> None:
    """Each call of the store has a span in the node's, without what it holds."""
    graph_of(remember).invoke({"messages": []})
    assert span_tree(collector, *SHOWN) == TREE
    assert "likes" not in str([dict(span.attributes) for span in collector.records()])


async def test_a_node_remembers_on_an_event_loop(collector: SpanCollector) -> None:
    """The same with the store's async methods."""
    await graph_of(aremember).ainvoke({"messages": []})
    assert span_tree(collector, *SHOWN) == TREE


def test_what_is_kept_is_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records are on the spans where content is asked for, as the conventions' JSON."""
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental")
    for collector in _instrumented(capture_content="SPAN_ONLY"):
        graph_of(remember).invoke({"messages": []})
        records = [span.attributes.get("gen_ai.memory.records") for span in collector.records()]
        kept = '[{"id":"tea","content":{"likes":"tea"}}]'
        assert records[:4] == [kept, kept, kept, None]


def test_a_store_that_fails_is_an_error(collector: SpanCollector) -> None:
    """The span has the type of the error, and the application its exception."""

    def fail(_: State, *, store: BaseStore) -> dict[str, Any]:
        store.put((), "tea", {})
        return {}

    with pytest.raises(ValueError, match="empty"):
        graph_of(fail).invoke({"messages": []})
    (put,) = [span for span in collector.records() if span.name == "upsert_memory"]
    assert put.status == "error"
    assert str(put.attributes["error.type"]).endswith("InvalidNamespaceError")


def test_the_released_names_have_no_memory() -> None:
    """Spans of memory are of the newest edition alone; outside of runs there are none."""
    for collector in _instrumented():
        graph_of(remember).invoke({"messages": []})
        assert span_tree(collector) == ["invoke_workflow LangGraph", "  node remember"]


def test_outside_of_runs_there_is_nothing(collector: SpanCollector) -> None:
    """A store that is filled by no run makes no trace of its own."""
    InMemoryStore().put(NAMESPACE, "tea", {"likes": "tea"})
    assert collector.records() == []


def test_afterwards_it_is_as_it_was() -> None:
    """`uninstrument` puts the store's methods back."""
    before = [vars(BaseStore)[name] for name in ("get", "aget", "put", "asearch")]
    for _ in _instrumented():
        assert vars(BaseStore)["get"] is not before[0]
    assert [vars(BaseStore)[name] for name in ("get", "aget", "put", "asearch")] == before
