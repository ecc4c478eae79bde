"""A server of chat completions on 127.0.0.1 that does what a test tells it, however rude."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

Reply = Callable[["Wire"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came in."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Wire:
    """The server's end of a connection, after a request."""

    def __init__(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.request = request
        self.reader = reader
        self.writer = writer
        self.keep = False

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def head(
        self, status: int = 200, content_type: str = "text/event-stream", **headers: str
    ) -> None:
        """Send the head of an answer whose body comes in parts."""
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {content_type}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.send("\r\n".join([*lines, "Transfer-Encoding: chunked", "", ""]).encode())

    async def part(self, data: str | bytes) -> None:
        """Send a part of the body."""
        data = data.encode() if isinstance(data, str) else data
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def event(self, data: Any) -> None:
        """Send an event: text as it is, anything else as JSON."""
        await self.part(f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n")

    async def end(self) -> None:
        """End the body properly; the connection stays open."""
        await self.send(b"0\r\n\r\n")
        self.keep = True

    async def until_gone(self) -> None:
        """Wait until the client has closed the connection."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(1024):
                pass


def chunk(content: str | None = None, *, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """Make a chunk of an answer; `more` goes into its delta."""
    delta = {"content": content, **more}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "answer-1", "model": "hostile", "choices": [choice]}


USAGE = {
    "id": "answer-1",
    "model": "hostile",
    "choices": [],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


def says(*texts: str, pause: float = 0.0) -> Reply:
    """Answer with these chunks of text, as a good server does."""

    async def reply(wire: Wire) -> None:
        await wire.head()
        await wire.event(chunk(role="assistant"))
        for text in texts:
            await asyncio.sleep(pause)
            await wire.event(chunk(text))
        await finish(wire)

    return reply


async def finish(wire: Wire, reason: str = "stop") -> None:
    """End an answer as a good server does."""
    await wire.event(chunk(finish=reason))
    await wire.event(USAGE)
    await wire.event("[DONE]")
    await wire.end()


def sends(*events: Any) -> Reply:
    """Answer with these events and a proper end."""

    async def reply(wire: Wire) -> None:
        await wire.head()
        for event in events:
            await wire.event(event)
        await wire.end()

    return reply


def refuses(status: int, body: Any = "", **headers: str) -> Reply:
    """Refuse the request."""

    async def reply(wire: Wire) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        await wire.head(status, "application/json", **headers)
        await wire.part(text or "\n")
        await wire.end()

    return reply


@dataclass
class HostileServer:
    """Answers each request with the next of its replies; the last one is for all the others.

    It runs on an event loop in a thread of its own.
    """

    replies: list[Reply] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    open_connections: int = 0
    most_connections: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    def until_connections_are(self, number: int, seconds: float = 5) -> None:
        """Wait until so many connections are open."""
        deadline = time.monotonic() + seconds
        while self.open_connections != number:
            assert time.monotonic() < deadline, f"{self.open_connections} connections are open"
            time.sleep(0.005)

    def disconnect(self) -> None:
        """Close all connections, soon."""
        for writer in list(self._writers):
            self.loop.call_soon_threadsafe(writer.close)

    def __enter__(self) -> Self:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="hostile")
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self.loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _start(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()  # what the other side does not read would hold it open
        closed = (writer.wait_closed() for writer in self._writers)
        await asyncio.gather(*closed, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self.loop.create_task(self._serve(reader, writer))
        self._writers.append(writer)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_connections += 1
        self.most_connections = max(self.most_connections, self.open_connections)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._answer(reader, writer):
                    pass
        finally:
            self.open_connections -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        request = Request(first.split()[1], headers, json.loads(body))
        self.requests.append(request)
        number = min(len(self.requests), len(self.replies)) - 1
        wire = Wire(request, reader, writer)
        await self.replies[number](wire)
        return wire.keep
