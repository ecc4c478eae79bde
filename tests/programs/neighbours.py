"""An agent with a tool, traced by `instrument()` beside what somebody else has switched on.

Usage: `python neighbours.py NAME`. It prints the tree of nodespan's spans, with `--all` also that
of the neighbour's, where they are in one trace. Nobody listens where the neighbours send theirs.
"""

from __future__ import annotations

import os
import sys
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from nodespan.graph import build_agent, chat_node
from nodespan.model import EchoChatModel, ScriptedChatModel
from nodespan.telemetry import SpanCollector, instrument
from nodespan.telemetry.testing import span_tree

if TYPE_CHECKING:
    from collections.abc import Callable

NOWHERE = "http://127.0.0.1:9"


def weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"Sunny in {city}."


def model() -> ScriptedChatModel:
    """Make a model that asks for the weather once, and then answers."""
    call = {"name": "weather", "args": {"city": "Bern"}, "id": "call-1"}
    return ScriptedChatModel([AIMessage("", tool_calls=[call]), "It is sunny."])


def agent() -> Any:
    """Make the agent that most neighbours stand beside."""
    return build_agent(model(), tools=[weather], name="forecaster")


def langgraph_server() -> Any:
    """LangGraph's command and its server."""
    import langgraph_cli.cli  # noqa: F401, PLC0415 - only here is it installed; so below

    return agent()


def langchain() -> Any:
    """LangChain's own agent, in an environment with its providers' packages."""
    import deepagents  # noqa: F401, PLC0415
    import langchain_anthropic  # noqa: F401, PLC0415
    import langchain_openai  # noqa: F401, PLC0415
    from langchain.agents import create_agent  # noqa: PLC0415

    return create_agent(model(), [weather], name="forecaster")


def langfuse() -> Any:
    """Langfuse's client and its handler."""
    from langfuse import Langfuse  # noqa: PLC0415
    from langfuse.langchain import CallbackHandler  # noqa: PLC0415

    provider = TracerProvider()
    trace.set_tracer_provider(provider)
    Langfuse(public_key="pk", secret_key="sk", host=NOWHERE, tracer_provider=provider)  # noqa: S106 - none
    return agent().with_config(callbacks=[CallbackHandler()])


def langsmith() -> Any:
    """LangSmith's tracer, which sends by OpenTelemetry."""
    os.environ |= {
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_OTEL_ENABLED": "true",
        "LANGSMITH_API_KEY": "key",
        "LANGSMITH_ENDPOINT": NOWHERE,
    }
    return agent()


def openinference() -> Any:
    """Phoenix's set-up with OpenInference's instrumentor."""
    from openinference.instrumentation.langchain import LangChainInstrumentor  # noqa: PLC0415
    from phoenix.otel import register  # noqa: PLC0415

    provider = register(endpoint=f"{NOWHERE}/v1/traces", verbose=False, batch=True)
    LangChainInstrumentor().instrument(tracer_provider=provider)
    return agent()


def opentelemetry() -> Any:
    """Everything that `opentelemetry-instrument` has switched on before."""
    return agent()


def mlflow() -> Any:
    """MLflow's tracing."""
    import mlflow  # noqa: PLC0415

    mlflow.set_tracking_uri(f"sqlite:///{mkdtemp()}/mlflow.db")
    traced = mlflow.trace(weather)
    return build_agent(model(), tools=[traced], name="forecaster")


def traceloop() -> Any:
    """Traceloop's set-up, which instruments LangChain."""
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import (  # noqa: PLC0415
        InMemorySpanExporter,
    )
    from traceloop.sdk import Traceloop  # noqa: PLC0415

    Traceloop.init(app_name="app", exporter=InMemorySpanExporter(), telemetry_enabled=False)
    return agent()


def mcp() -> Any:
    """An agent's tools by the Model Context Protocol."""
    import langchain_mcp_adapters.client  # noqa: F401, PLC0415

    return agent()


def temporal() -> Any:
    """Temporal's plugin, which takes the nodes' functions."""
    from datetime import timedelta  # noqa: PLC0415

    from langgraph.graph import START, MessagesState, StateGraph  # noqa: PLC0415
    from temporalio.langgraph import LangGraphPlugin  # noqa: PLC0415

    elsewhere = {"execute_in": "activity", "start_to_close_timeout": timedelta(seconds=9)}
    graph = StateGraph(MessagesState)
    graph.add_node("model", chat_node(EchoChatModel()), metadata=elsewhere)
    graph.add_edge(START, "model")
    plugin = LangGraphPlugin(graphs={"talk": graph})
    assert len(plugin.activities) == 1, plugin.activities
    return agent()


NEIGHBOURS: dict[str, Callable[[], Any]] = {
    each.__name__: each
    for each in (
        *(langgraph_server, langchain, langfuse, langsmith, openinference),
        *(opentelemetry, mlflow, traceloop, mcp, temporal),
    )
}


def main(name: str) -> None:
    """Switch the neighbour on, and us, and run its agent."""
    asked = NEIGHBOURS[name]()
    own, others = SpanCollector(), SpanCollector()
    theirs = trace.get_tracer_provider()
    is_set = isinstance(theirs, TracerProvider)
    provider = TracerProvider(shutdown_on_exit=False)
    if name == "opentelemetry" and is_set:
        provider = theirs
    elif is_set:
        theirs.add_span_processor(others)
    # `opentelemetry-instrument` has switched us on already, as it does everybody.
    handler = instrument() if provider is theirs else instrument(tracer_provider=provider)
    provider.add_span_processor(own)
    asked.invoke({"messages": [("user", "Weather?")]})
    tree = span_tree([*own.records(), *others.records()] if "--all" in sys.argv else own)
    print("\n".join(tree))  # noqa: T201 - a program prints
    print(dict(handler.diagnostics.counts), handler.open_runs)  # noqa: T201 - as above


if __name__ == "__main__":
    main(sys.argv[1])
