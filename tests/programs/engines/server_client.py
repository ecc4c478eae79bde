"""A client of a LangGraph server, which asks its agent in every way.

Usage: `python server_client.py URL`.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from langgraph.graph import START, MessagesState, StateGraph
from langgraph.pregel.remote import RemoteGraph
from langgraph_sdk import get_client
from opentelemetry import trace

AGENT = "agent"
SAID: Any = {"messages": [{"role": "user", "content": "Meow!"}]}

tracer = trace.get_tracer("client")


async def by_remote_graph(remote: RemoteGraph) -> None:
    """Ask the graph as if it were here, and as a node of one that is."""
    with tracer.start_as_current_span("invoke"):
        remote.invoke(SAID)
    with tracer.start_as_current_span("ainvoke"):
        await remote.ainvoke(SAID)
    with tracer.start_as_current_span("stream"):
        list(remote.stream(SAID))
    local = StateGraph(MessagesState)
    local.add_node("remote", remote)
    local.add_edge(START, "remote")
    with tracer.start_as_current_span("as a node"):
        await local.compile(name="local").ainvoke(SAID)


async def by_the_sdk(url: str) -> None:
    """Ask by runs: wait for one, stream one, and join one that runs in the background."""
    client = get_client(url=url)
    with tracer.start_as_current_span("runs.wait"):
        await client.runs.wait(None, AGENT, input=SAID)
    with tracer.start_as_current_span("runs.stream"):
        async for _ in client.runs.stream(None, AGENT, input=SAID, stream_mode="messages-tuple"):
            pass
    with tracer.start_as_current_span("runs.join"):
        thread = (await client.threads.create())["thread_id"]
        run = await client.runs.create(thread, AGENT, input=SAID)
        await client.runs.join(thread, run["run_id"])


async def main(url: str) -> None:
    """Ask in every way."""
    await by_remote_graph(RemoteGraph(AGENT, url=url))
    await by_the_sdk(url)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
