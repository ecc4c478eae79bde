"""Many streaming agents in one event loop that has no idle moment, with and without telemetry.

With it, everything is on and is sent: spans, metrics, log records, and content on the first and
the last of them. Each contestant has a process of its own, and what takes the signals another.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from nodespan.telemetry import CaptureContent, TelemetryConfig, configure

from . import works
from .contestants import BARE, OURS, Elsewhere, answer
from .paired import without_garbage_collection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.runnables import RunnableConfig
    from langgraph.graph.state import CompiledStateGraph

TOKENS: Final = "tokens a second of CPU"
LAG: Final = "lag"

_MODULE: Final = "tests.benchmarks.agents"
_AGENTS: Final = 200
# Agents that all began and ended together would be late together: each has a length of its own.
_TOKENS: Final = [30 + number % 51 for number in range(_AGENTS)]
_SECONDS: Final = 4.0
_WARM_UP_SECONDS: Final = 1.0
_TICK: Final = 0.005


class _Sink(BaseHTTPRequestHandler):
    """Takes whatever is sent, and keeps nothing."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take a request."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Measured:
    """What agents do for some seconds, and how late the loop is meanwhile."""

    def __init__(self) -> None:
        self.tokens = 0
        self.cpu_seconds = 0.0
        self.lags: list[float] = []

    async def work(self, config: RunnableConfig) -> None:
        """Let agents answer again and again until the time is over."""
        agents = [works.streaming_agent(tokens, self._count) for tokens in _TOKENS]
        tasks = [asyncio.create_task(_work(agent, config)) for agent in agents]
        await asyncio.sleep(_WARM_UP_SECONDS)
        began, cpu_seconds, self.tokens = time.perf_counter(), time.process_time(), 0
        while (before := time.perf_counter()) < began + _SECONDS:
            await asyncio.sleep(_TICK)
            self.lags.append(time.perf_counter() - before - _TICK)
        self.cpu_seconds = time.process_time() - cpu_seconds
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _count(self) -> None:
        self.tokens += 1


async def _work(agent: CompiledStateGraph[Any], config: RunnableConfig) -> None:
    while True:
        await agent.ainvoke(works.asked(), config)


def _measure(work: str, config: RunnableConfig) -> float:
    measured = _Measured()
    with without_garbage_collection():
        asyncio.run(measured.work(config))
    if work == TOKENS:
        return measured.tokens / measured.cpu_seconds
    return statistics.quantiles(measured.lags, n=100, method="inclusive")[-1]


def _everything() -> RunnableConfig:
    capture = CaptureContent.SPAN_AND_EVENT
    telemetry = configure(TelemetryConfig(capture_content=capture, log_events=True))
    return {"callbacks": [telemetry.handler()]}


@contextlib.contextmanager
def contestants() -> Iterator[dict[str, Elsewhere]]:
    """Start the contestants, each in a process of its own, and what takes their signals."""
    with _started("--sink") as sink:
        assert sink.stdout is not None
        port = sink.stdout.readline().strip()
        with contextlib.ExitStack() as stack:
            yield {
                name: stack.enter_context(Elsewhere(_MODULE, name, f"http://127.0.0.1:{port}"))
                for name in (BARE, OURS)
            }


@contextlib.contextmanager
def _started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", _MODULE, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def _take_everything() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


def main() -> None:
    """Be one of the processes."""
    if sys.argv[1] == "--sink":
        _take_everything()
        return
    name, endpoint = sys.argv[1:]
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
    config: RunnableConfig = _everything() if name == OURS else {}
    answer(partial(_measure, config=config))


if __name__ == "__main__":
    main()
