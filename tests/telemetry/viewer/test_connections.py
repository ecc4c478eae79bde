"""Connections of the viewer's server: nobody holds a place for long who asks for nothing."""

from __future__ import annotations

import asyncio
import http.client
import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from nodespan.telemetry.viewer import listen
from support.viewing import serving

if TYPE_CHECKING:
    from pathlib import Path

HELD = 300
HALVES = (
    b"",
    b"GET / HTTP/1.1\r\nHost: ",
    b"POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{",
)


async def test_an_answer_leaves_at_once() -> None:
    """No connection waits for its client's acknowledgement, which systems put off for 40 ms."""
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own = writer.get_extra_info("socket")
        accepted.set_result(own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listening = listen(port=0)
    async with await asyncio.start_server(accept, sock=listening):
        _, writer = await asyncio.open_connection(*listening.getsockname())
        assert await accepted != 0
        writer.close()


@pytest.mark.slow
def test_who_asks_for_nothing_is_let_go_of(tmp_path: Path) -> None:
    """Connections that say nothing, or half of a request, end; then others are heard again."""
    with serving(tmp_path / "journal.db") as address:
        place = (urlsplit(address).hostname, urlsplit(address).port)
        held = [socket.create_connection(place, timeout=60) for _ in range(HELD)]
        for number, connection in enumerate(held):
            connection.sendall(HALVES[number % len(HALVES)])
        for connection in held:
            while connection.recv(10_000):
                pass
            connection.close()
        client = http.client.HTTPConnection(*place, timeout=60)
        client.request("GET", "/")
        assert client.getresponse().status == 200
        client.close()


@pytest.mark.slow
def test_who_asks_again_and_again_keeps_the_connection(tmp_path: Path) -> None:
    """The limit is one of a request's time, and not of a connection's."""
    with serving(tmp_path / "journal.db") as address:
        place = urlsplit(address)
        client = http.client.HTTPConnection(str(place.hostname), place.port, timeout=60)
        for _ in range(4):
            client.request("GET", "/")
            answer = client.getresponse()
            assert (answer.status, answer.read() != b"") == (200, True)
            own = client.sock
            time.sleep(8)
        assert client.sock is own is not None
        client.close()
