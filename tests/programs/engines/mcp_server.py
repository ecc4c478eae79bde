"""A server of the Model Context Protocol with two tools, one of which fails.

Usage: `python mcp_server.py stdio`, or `python mcp_server.py PORT` for streamable HTTP.
"""

from __future__ import annotations

import sys

from mcp.server.fastmcp import FastMCP
from opentelemetry import trace

server = FastMCP("almanac", log_level="WARNING")
tracer = trace.get_tracer("almanac")


@server.tool()
def weather(city: str) -> str:
    """Tell the weather in a city."""
    with tracer.start_as_current_span("look it up"):
        return f"Sunny in {city}."


@server.tool()
def tide(harbour: str) -> str:
    """Tell the tide in a harbour."""
    with tracer.start_as_current_span("ask the harbour"):
        raise LookupError(harbour)


if __name__ == "__main__":
    asked = sys.argv[1]
    if asked == "stdio":
        server.run("stdio")
    else:
        server.settings.port = int(asked)
        server.run("streamable-http")
