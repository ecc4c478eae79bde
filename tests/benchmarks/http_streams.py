"""What streams over HTTP cost: `python -m tests.benchmarks.http_streams`.

A server in a process of its own sends one-token events, each in a packet of its own. They come
through `OpenAICompatibleChatModel`, and through a `BaseChatModel` written by hand around httpx
and httpx-sse, without limits of time, retries, or anything checked; in turns, in one process.
Printed are the median CPU time of a chunk (which a busy machine disturbs less) and the ratio of
the medians, with the ratios of single rounds as the measure's own spread; and, for many streams
at once on one event loop, how the cost of a chunk and the number of threads grow.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import platform
import statistics
import subprocess
import sys
import threading
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import httpx
from httpx_sse import EventSource
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from nodespan.model import OpenAICompatibleChatModel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

_CHUNKS = 200
_AT_ONCE = (1, 10, 50, 200)
_HEADER = f"{'by hand':>11} {'ours':>11}    ratio   {'of rounds':>12}"


def _event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    data = json.dumps({"id": "a", "model": "m", "created": 1, "choices": [choice]}).encode()
    return b"%x\r\ndata: %s\n\n\r\n" % (len(data) + 8, data)


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_TOKEN = _event({"content": " token"})
_END = _event({}, "stop") + b"e\r\ndata: [DONE]\n\n\r\n" + b"0\r\n\r\n"


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            writer.write(_HEAD)
            for _ in range(_CHUNKS):
                writer.write(_TOKEN)
                await asyncio.sleep(0.001)
            writer.write(_END)
    writer.close()


async def serve() -> None:
    """Serve until standard input ends."""
    server = await asyncio.start_server(_serve, "127.0.0.1", 0, backlog=512)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


class ByHand(BaseChatModel):
    """A model as one writes it around httpx, in the shortest way that streams."""

    url: str
    sync_client: Any = None
    async_client: Any = None

    @property
    def _llm_type(self) -> str:
        return "by-hand"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    def _request(self, messages: list[BaseMessage]) -> dict[str, Any]:
        said = [{"role": "user", "content": message.text} for message in messages]
        body = {"model": "m", "messages": said, "stream": True}
        return {"method": "POST", "url": f"{self.url}/chat/completions", "json": body}

    def _stream(
        self, messages: list[BaseMessage], *_: Any, **__: Any
    ) -> Iterator[ChatGenerationChunk]:
        with self.sync_client.stream(**self._request(messages)) as response:
            for event in EventSource(response).iter_sse():
                if event.data != "[DONE]":
                    yield _read(event.data)

    async def _astream(
        self, messages: list[BaseMessage], *_: Any, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        async with self.async_client.stream(**self._request(messages)) as response:
            async for event in EventSource(response).aiter_sse():
                if event.data != "[DONE]":
                    yield _read(event.data)


def _read(data: str) -> ChatGenerationChunk:
    delta = json.loads(data)["choices"][0]["delta"]
    return ChatGenerationChunk(message=AIMessageChunk(content=delta.get("content", "")))


async def _consume(model: BaseChatModel) -> None:
    async for _ in model.astream("go"):
        pass


def _sync(model: BaseChatModel) -> Callable[[], None]:
    def run() -> None:
        for _ in model.stream("go"):
            pass

    return run


def _seconds(run: Callable[[], None]) -> float:
    gc.collect()
    gc.disable()
    started = time.process_time()
    run()
    elapsed = time.process_time() - started
    gc.enable()
    return elapsed


def in_turn(first: Callable[[], None], second: Callable[[], None], rounds: int) -> str:
    """Tell what a chunk costs in one stream after the other."""
    first()  # the first round warms up
    second()
    pairs = [(_seconds(first), _seconds(second)) for _ in range(rounds)]
    return _row([(theirs / _CHUNKS * 1e6, ours / _CHUNKS * 1e6) for theirs, ours in pairs])


async def _at_once(model: BaseChatModel, streams: int) -> float:
    gc.collect()
    started = time.process_time()
    await asyncio.gather(*(_consume(model) for _ in range(streams)))
    return (time.process_time() - started) / (streams * _CHUNKS) * 1e6


async def _most_threads(model: BaseChatModel, streams: int) -> int:
    most = 0

    async def look() -> None:
        nonlocal most
        while True:
            most = max(most, threading.active_count())
            await asyncio.sleep(0.005)

    looking = asyncio.create_task(look())
    await _at_once(model, streams)
    looking.cancel()
    return most


async def at_once(url: str, rounds: int) -> AsyncIterator[str]:
    """Tell, for more and more streams at the same time, what a chunk costs."""
    ours = OpenAICompatibleChatModel(base_url=url, model_name="m")
    limits = httpx.Limits(max_connections=256, max_keepalive_connections=256)
    async with httpx.AsyncClient(limits=limits) as client:
        by_hand = ByHand(url=url, async_client=client)
        for streams in _AT_ONCE:
            await _at_once(by_hand, streams)  # the first round warms up
            threads = await _most_threads(ours, streams)
            pairs = [
                (await _at_once(by_hand, streams), await _at_once(ours, streams))
                for _ in range(rounds)
            ]
            yield f"{streams:26} {_row(pairs)}   {threads:7}"


def _row(pairs: list[tuple[float, float]]) -> str:
    ratios = sorted(ours / theirs for theirs, ours in pairs)
    theirs, ours = (statistics.median(times) for times in zip(*pairs, strict=True))
    spread = f"{ratios[0]:5.2f} to {ratios[-1]:5.2f}"
    return f"{theirs:8.1f} us {ours:8.1f} us   {ours / theirs:6.3f}   {spread}"


async def _print_at_once(url: str, rounds: int) -> None:
    sys.stdout.write(f"{'async streams at once':26} {_HEADER}   threads\n")
    async for row in at_once(url, rounds):
        sys.stdout.write(f"{row}\n")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each pair")
    parser.add_argument("--serve", action="store_true", help="be the server")
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve())
        return
    versions = ", ".join(f"{name} {version(name)}" for name in ("langchain-core", "httpx"))
    python = f"Python {platform.python_version()}, {platform.machine()}"
    rounds = arguments.rounds
    sys.stdout.write(f"{_CHUNKS} chunks a stream, {rounds} rounds; {versions}, {python}\n\n")
    command = [sys.executable, "-m", "tests.benchmarks.http_streams", "--serve"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        asyncio.run(_print_at_once(url, rounds))
        with httpx.Client() as client:
            theirs = _sync(ByHand(url=url, sync_client=client))
            ours = _sync(OpenAICompatibleChatModel(base_url=url, model_name="m"))
            sys.stdout.write(f"{'sync streams in turn':26} {_HEADER}\n")
            sys.stdout.write(f"{'':26} {in_turn(theirs, ours, rounds * 3)}\n")
        server.terminate()


if __name__ == "__main__":
    main()
