"""A worker of Temporal's that runs two graphs, whose nodes are activities.

Usage: `python temporal_worker.py ADDRESS SLOW`. Where SLOW is a file that is there, the model of
the chat node takes it away, says in SLOW.taken which process that was, and does not answer: the
worker is to be killed.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temporalio import workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.contrib.opentelemetry import OpenTelemetryPlugin, create_tracer_provider
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from langchain_core.messages import AIMessage
    from langgraph.graph import START, MessagesState, StateGraph
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from temporalio.langgraph import LangGraphPlugin, graph

    from nodespan.graph import build_agent, chat_node
    from nodespan.model import CustomChatModel, ScriptedChatModel
    from nodespan.telemetry import configure, instrument

if TYPE_CHECKING:
    from collections.abc import Iterator

QUEUE = "graphs"
AS_ACTIVITY: dict[str, Any] = {
    "execute_in": "activity",
    "start_to_close_timeout": timedelta(seconds=8),
    "retry_policy": RetryPolicy(initial_interval=timedelta(milliseconds=100)),
}


def weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"Sunny in {city}."


class Slow(CustomChatModel):
    """Answers, but where a file is there takes it away and does not."""

    slow: str

    def respond(self, messages: list[Any]) -> Iterator[str]:
        """Answer with what was said last."""
        path = Path(self.slow)
        if path.exists():
            path.unlink()
            Path(f"{path}.taken").write_text(str(os.getpid()))
            time.sleep(600)
        yield messages[-1].text


def forecaster() -> StateGraph[Any]:
    """The graph of an agent with a tool."""
    call = {"name": "weather", "args": {"city": "Bern"}, "id": "call-1"}
    model = ScriptedChatModel([AIMessage("", tool_calls=[call]), "It is sunny."] * 8)
    built = build_agent(model, tools=[weather], name="forecaster").builder
    for node in built.nodes.values():
        node.metadata = {**(node.metadata or {}), **AS_ACTIVITY}
    return built


def talk(slow: str) -> StateGraph[Any]:
    """A graph with one chat node."""
    built = StateGraph(MessagesState)
    built.add_node("model", chat_node(Slow(slow=slow)), metadata=dict(AS_ACTIVITY))
    built.add_edge(START, "model")
    return built


@workflow.defn
class Ask:
    """Asks one of the graphs."""

    @workflow.run
    async def run(self, name: str, question: str) -> str:
        """Return the last message's text."""
        asked = graph(name).compile(name=name)
        state = await asked.ainvoke({"messages": [("user", question)]})
        return str(state["messages"][-1].text)


def trace_runs(service: str) -> None:
    """Set up the provider that Temporal's plugin asks for, and trace every run."""
    resource = Resource.create({"service.name": service})
    trace.set_tracer_provider(create_tracer_provider(resource=resource))
    configure()  # the journal, which keeps the runs of a worker that is killed
    instrument()


async def main(address: str, slow: str) -> None:
    """Work until the process is ended."""
    trace_runs("worker")
    graphs = LangGraphPlugin({"forecaster": forecaster(), "talk": talk(slow)})
    plugins = [OpenTelemetryPlugin(add_temporal_spans=True), graphs]
    client = await Client.connect(address, plugins=plugins, data_converter=pydantic_data_converter)
    async with Worker(client, task_queue=QUEUE, workflows=[Ask]):
        print("ready", flush=True)  # noqa: T201 - a program prints
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
