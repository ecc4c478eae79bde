"""An agent whose tools are those of `mcp_server.py`.

Usage: `python mcp_agent.py stdio`, or `python mcp_agent.py PORT` where it serves HTTP.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage
from langchain_mcp_adapters.client import MultiServerMCPClient

from nodespan.graph import build_agent
from nodespan.model import ScriptedChatModel


def connection(asked: str) -> dict[str, Any]:
    """Where the server is; over stdio it is started, with the variables of this process."""
    if asked != "stdio":
        return {"transport": "streamable_http", "url": f"http://127.0.0.1:{asked}/mcp"}
    program = str(Path(__file__).with_name("mcp_server.py"))
    return {
        "transport": "stdio",
        "command": str(Path(sys.executable).with_name("opentelemetry-instrument")),
        "args": [sys.executable, program, "stdio"],
        "env": {**os.environ, "OTEL_SERVICE_NAME": "almanac"},
    }


async def main(asked: str) -> None:
    """Ask for the weather, and for the tide, which fails."""
    tools = await MultiServerMCPClient({"almanac": connection(asked)}).get_tools()
    calls = [
        {"name": "weather", "args": {"city": "Bern"}, "id": "call-1"},
        {"name": "tide", "args": {"harbour": "Bern"}, "id": "call-2"},
    ]
    model = ScriptedChatModel([*(AIMessage("", tool_calls=[call]) for call in calls), "Sunny."])
    agent = build_agent(model, tools=tools, name="forecaster")
    answer = await agent.ainvoke({"messages": [("user", "Weather and tide?")]})
    print(answer["messages"][-1].text)  # noqa: T201 - a program prints


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
