"""A program that streams under `configure`, and counts for itself what it has got.

Prints the URL of its scrape endpoint, then, as one line of JSON, what it has counted; it ends
when its standard input does.
"""
# ruff: noqa: T201 - a program prints

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from typing import Any, Final

from langchain_core.messages import AIMessageChunk

from nodespan.model import Pause, ScriptedChatModel
from nodespan.telemetry import SpanCollector, TelemetryConfig, configure

MODEL: Final = "scripted"
AT_ONCE: Final = 20
CHUNKS: Final = 40
# After so many chunks of every stream there is a gap of so many seconds.
GAPS: Final = {7: 0.8, 25: 1.6}
PRICES: Final = {"currency": "EUR", MODEL: {"input": 3.0, "output": 15.0}}


def answer() -> list[Any]:
    """Return an answer with its gaps."""
    steps: list[Any] = []
    for chunk in range(CHUNKS):
        if chunk in GAPS:
            steps.append(Pause(GAPS[chunk]))
        steps.append(AIMessageChunk(f"word{chunk} "))
    return steps


class Program:
    """Streams, and counts.

    Args:
        config: of each call.
    """

    def __init__(self, config: Any) -> None:
        self.config = config
        self.counted: Counter[str] = Counter()

    async def stream(self) -> None:
        """Take all that a model says."""
        model = ScriptedChatModel(answers=[answer()], model_name=MODEL)
        given = 0
        async for chunk in model.astream("Tell me.", self.config):
            given += bool(chunk.content)
            usage = chunk.usage_metadata or {}
            self.counted["input"] += usage.get("input_tokens", 0)
            self.counted["output"] += usage.get("output_tokens", 0)
        self._count("ok", given)

    async def fail(self) -> None:
        """Take what a model says before it fails."""
        answers = [["one ", "two ", ConnectionError("gone")]]
        model = ScriptedChatModel(answers=answers, model_name=MODEL)
        given = 0
        try:
            async for chunk in model.astream("Tell me.", self.config):
                given += bool(chunk.content)
        except ConnectionError:
            self._count("error", given)

    async def abandon(self) -> None:
        """Walk away after three chunks."""
        model = ScriptedChatModel(answers=[answer()], model_name=MODEL)
        stream = model.astream("Tell me.", self.config)
        for _ in range(3):
            await anext(stream)
        await stream.aclose()
        self._count("abandoned", 3)

    async def cancel(self) -> None:
        """Have a stream cancelled in its first gap."""
        model = ScriptedChatModel(answers=[answer()], model_name=MODEL)
        in_gap = asyncio.Event()

        async def take() -> None:
            stream = model.astream("Tell me.", self.config)
            for _ in range(min(GAPS)):
                await anext(stream)
            in_gap.set()
            await anext(stream)

        task = asyncio.create_task(take())
        await in_gap.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self._count("cancelled", min(GAPS))

    async def run(self) -> None:
        """Do all of it."""
        await asyncio.gather(*(self.stream() for _ in range(AT_ONCE)))
        for _ in range(3):
            await self.fail()
        for _ in range(2):
            await self.abandon()
        await self.cancel()

    def _count(self, outcome: str, chunks: int) -> None:
        self.counted[outcome] += 1
        self.counted["chunks"] += chunks
        self.counted["gaps"] += chunks - 1


def stalls_of(collector: SpanCollector) -> list[list[int]]:
    """Return, for each span of a whole stream, the chunks that were waited for too long."""
    return [
        [
            event.attributes["nodespan.stream.stall.chunk"]
            for event in span.events
            if event.name == "nodespan.stream.stall"
        ]
        for span in collector.records()
        if span.attributes.get("nodespan.stream.chunks") == CHUNKS
    ]


def main() -> None:
    """Stream, tell what was counted, and wait."""
    collector = SpanCollector()
    config = TelemetryConfig(prometheus_port=0, prices=PRICES, stall_threshold=0.5)
    with configure(config, span_processors=[collector]) as telemetry:
        print(telemetry.scrape_url, flush=True)
        sys.stdin.readline()
        program = Program({"callbacks": [telemetry.handler()]})
        asyncio.run(program.run())
        told = {"counted": program.counted, "stalls": stalls_of(collector)}
        print(json.dumps(told), flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main()
