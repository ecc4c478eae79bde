"""A client of Temporal's that has a graph asked on whatever worker there is.

Usage: `python temporal_client.py ADDRESS GRAPH`.
"""

from __future__ import annotations

import asyncio
import sys
import uuid

from opentelemetry import trace
from temporal_worker import QUEUE, Ask, trace_runs
from temporalio.client import Client
from temporalio.contrib.opentelemetry import OpenTelemetryPlugin
from temporalio.contrib.pydantic import pydantic_data_converter


async def main(address: str, name: str) -> None:
    """Ask, beneath a span of one's own."""
    trace_runs("client")
    plugins = [OpenTelemetryPlugin(add_temporal_spans=True)]
    client = await Client.connect(address, plugins=plugins, data_converter=pydantic_data_converter)
    with trace.get_tracer("client").start_as_current_span(f"ask {name}"):
        answer = await client.execute_workflow(
            Ask.run, args=[name, "Meow!"], id=str(uuid.uuid4()), task_queue=QUEUE
        )
    print(answer)  # noqa: T201 - a program prints


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
