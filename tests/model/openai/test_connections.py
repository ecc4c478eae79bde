"""Connections are few, live as long as the model, and are closed when nobody wants them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from nodespan.model import ModelClosedError, ModelTimeoutError, OpenAICompatibleChatModel
from support.hostile import HostileServer, chunk, finish, says

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from support.hostile import Wire


@pytest.fixture
def server() -> Iterator[HostileServer]:
    """A server that answers well, unless a test tells it otherwise."""
    with HostileServer([says("Hel", "lo")]) as server:
        yield server


def _model(server: HostileServer, **parameters: Any) -> OpenAICompatibleChatModel:
    return OpenAICompatibleChatModel(base_url=server.url, model_name="tiny", **parameters)


async def _endless(wire: Wire) -> None:
    await wire.head()
    await wire.event(chunk("Hel"))
    await wire.until_gone()


async def _silent(wire: Wire) -> None:
    await wire.until_gone()


def test_sync_calls_share_a_connection(server: HostileServer) -> None:
    """Call after call, also with other parameters, in threads, and by a copy of the model."""
    model = _model(server)
    for _ in range(3):
        model.invoke("Hi")
    model.invoke("Hi", temperature=1)
    model.model_copy().invoke("Hi")
    with ThreadPoolExecutor(1) as thread:
        thread.submit(model.invoke, "Hi").result()
    assert server.connections == 1
    assert len(server.requests) == 6


async def test_async_calls_share_a_connection(server: HostileServer) -> None:
    """So do the calls on an event loop."""
    model = _model(server)
    for _ in range(3):
        await model.ainvoke("Hi")
        assert [piece.text async for piece in model.astream("Hi")] == ["Hel", "lo", ""]
    assert server.connections == 1


def test_a_model_survives_its_event_loops(server: HostileServer) -> None:
    """Each loop has its connections, and closes them when it ends; the model goes on."""
    model = _model(server)

    async def twice() -> list[str]:
        return [str((await model.ainvoke("Hi")).text) for _ in range(2)]

    for number in (1, 2, 3):
        assert asyncio.run(twice()) == ["Hello", "Hello"]
        server.until_connections_are(0)
        assert server.connections == number
    assert model.invoke("Hi").text == "Hello"


def test_loops_in_threads_do_not_mix(server: HostileServer) -> None:
    """Several event loops at once use the same model."""
    model = _model(server)

    async def many() -> list[str]:
        return [str(answer.text) for answer in await model.abatch(["Hi"] * 5)]

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: asyncio.run(many()), range(4)))
    assert answers == [["Hello"] * 5] * 4


def test_a_model_that_nobody_holds_closes_its_connections(server: HostileServer) -> None:
    """Nobody has to close it, and nothing warns of a connection left open."""
    model = _model(server)
    model.invoke("Hi")
    server.until_connections_are(1)
    del model
    gc.collect()
    server.until_connections_are(0)


async def test_so_does_one_on_a_running_loop(server: HostileServer) -> None:
    """Also when it was used by async calls, on a loop that goes on."""
    model = _model(server)
    await model.ainvoke("Hi")
    del model
    gc.collect()
    await asyncio.to_thread(server.until_connections_are, 0)


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_an_event_loop_may_end_while_they_are_closed(server: HostileServer, steps: int) -> None:
    """It cancels what is still closing them; all the same, not one is left open."""
    server.replies = [says("Hel", "lo", pause=0.01)]

    async def closes_and_ends() -> None:
        model = _model(server)
        await model.abatch(["Hi"] * 10)
        assert server.open_connections == 10
        model.close()
        for _ in range(steps):
            await asyncio.sleep(0)

    asyncio.run(closes_and_ends())
    gc.collect()
    server.until_connections_are(0)


def test_an_event_loop_may_have_stopped_when_nobody_holds_the_model(server: HostileServer) -> None:
    """What is left for it to do is to shut down; all the same, not one connection is left open."""
    server.replies = [says("Hel", "lo", pause=0.01)]
    model = _model(server)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(model.abatch(["Hi"] * 10))
    assert server.open_connections == 10
    del model
    gc.collect()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    gc.collect()
    server.until_connections_are(0)


async def test_closing_may_be_cancelled(server: HostileServer) -> None:
    """Whoever closes a model may be cancelled meanwhile; the connections are closed then, too."""
    server.replies = [says("Hel", "lo", pause=0.01)]
    model = _model(server)
    await model.abatch(["Hi"] * 10)

    closing = asyncio.create_task(model.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await asyncio.to_thread(server.until_connections_are, 0)


@pytest.mark.slow
async def test_whoever_closes_what_is_of_no_use_any_more_may_be_cancelled(
    server: HostileServer,
) -> None:
    """A call that finds connections gone, and is given up while it closes them, leaves none."""
    for turns in range(40):
        server.replies = [says("Hel", "lo", pause=0.01)]
        model = _model(server)
        await model.abatch(["Hi"] * 5)
        server.disconnect()
        await asyncio.to_thread(server.until_connections_are, 0)
        call = asyncio.create_task(model.ainvoke("Hi"))
        for _ in range(turns):
            await asyncio.sleep(0)
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call
        await model.aclose()
        del model, call
    gc.collect()


async def test_a_closed_model_says_so(server: HostileServer) -> None:
    """It refuses calls, closes its connections, and may be closed twice."""
    async with _model(server) as model:
        await model.ainvoke("Hi")
    await asyncio.to_thread(server.until_connections_are, 0)
    with pytest.raises(ModelClosedError, match="make a new one"):
        await model.ainvoke("Hi")
    with pytest.raises(ModelClosedError):
        model.invoke("Hi")
    await model.aclose()
    model.close()


def test_closing_ends_the_calls_under_way(server: HostileServer) -> None:
    """A stream whose model is closed fails, and says why."""
    server.replies = [_endless]
    with _model(server, max_retries=0) as model:
        stream = model.stream("Hi")
        next(stream)
    server.until_connections_are(0)
    with pytest.raises(ModelClosedError, match="during the call"):
        next(stream)


def test_a_pickled_model_makes_its_own_connections(server: HostileServer) -> None:
    """In another process, say."""
    model = _model(server)
    model.invoke("Hi")
    copy = pickle.loads(pickle.dumps(model))  # noqa: S301  # we pickled it ourselves
    assert copy.invoke("Hi").text == "Hello"
    assert server.connections == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_makes_its_own_connections(
    server: HostileServer, run_program: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """A child's calls do not touch the connections of its parent."""
    result = run_program(_FORKS, server.url)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.split() == ["Hello", "Hello", "Hello"]
    assert server.connections == 2


_FORKS = """
import os, sys
from nodespan.model import OpenAICompatibleChatModel
model = OpenAICompatibleChatModel(base_url=sys.argv[1], model_name="tiny")
print(model.invoke("Hi").text, flush=True)
child = os.fork()
answer = model.invoke("Hi").text
if child:
    assert os.waitpid(child, 0)[1] == 0
print(answer, flush=True)  # not both at once: a line may be written in two parts
"""


def test_a_program_ends_quietly(
    server: HostileServer, run_program: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """With answers half read, a stream left open, and warnings as errors."""
    server.replies = [_endless]
    result = run_program(_LEAVES, server.url)
    assert (result.returncode, result.stderr) == (0, "")
    server.until_connections_are(0)


_LEAVES = """
import asyncio, sys
from nodespan.model import OpenAICompatibleChatModel
model = OpenAICompatibleChatModel(base_url=sys.argv[1], model_name="tiny")

async def leave():
    async for piece in model.astream("Hi"):
        break

for piece in model.stream("Hi"):
    break
asyncio.run(leave())
asyncio.run(leave())
left = model.stream("Hi")
next(left)
"""


@pytest.mark.parametrize("reply", [_silent, _endless])
async def test_a_cancelled_call_closes_its_connection(server: HostileServer, reply: Any) -> None:
    """Before the first chunk and after it."""
    server.replies = [reply]
    task = asyncio.create_task(_model(server).ainvoke("Hi"))
    await asyncio.to_thread(server.until_connections_are, 1)
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(server.until_connections_are, 0)


async def test_leaving_a_stream_closes_its_connection(server: HostileServer) -> None:
    """By a break, by closing it, and sync as well."""
    server.replies = [_endless]
    model = _model(server)
    async for _ in model.astream("Hi"):
        break
    stream = model.astream("Hi")
    await anext(stream)
    await stream.aclose()
    await asyncio.to_thread(server.until_connections_are, 0)
    for _ in model.stream("Hi"):
        break
    await asyncio.to_thread(server.until_connections_are, 0)


async def test_a_time_limit_of_the_caller_closes_the_connection(server: HostileServer) -> None:
    """The caller's own timeout is the caller's own error."""
    server.replies = [_endless]
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.1):
            await _model(server).ainvoke("Hi")
    assert not isinstance(caught.value, ModelTimeoutError)
    await asyncio.to_thread(server.until_connections_are, 0)


async def test_connections_are_bounded(server: HostileServer) -> None:
    """More calls than connections wait for their turn, and all are answered."""
    server.replies = [says("Hel", "lo", pause=0.01)]
    model = _model(server, max_connections=3, first_chunk_timeout=0.5)
    answers = await asyncio.gather(*(model.ainvoke("Hi") for _ in range(30)))
    assert [answer.text for answer in answers] == ["Hello"] * 30
    assert server.most_connections == 3
    assert server.connections == 3


async def test_waiting_for_a_connection_can_end(server: HostileServer) -> None:
    """By being cancelled, or by the limit of the whole call; neither takes a place away."""
    server.replies = [_endless]
    model = _model(server, max_connections=1)
    stream = model.astream("Hi")
    await anext(stream)
    waiting = asyncio.create_task(model.ainvoke("Hi"))
    with pytest.raises(ModelTimeoutError, match=r"0\.1 s.*\(timeout\)"):
        await model.ainvoke("Hi", timeout=0.1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    server.replies = [says("Hello")]
    await stream.aclose()
    assert (await asyncio.wait_for(model.ainvoke("Hi"), 5)).text == "Hello"


@pytest.mark.slow
async def test_two_hundred_streams_at_once_have_no_thread_each(server: HostileServer) -> None:
    """They all run on one event loop, at the same time, and not a thread is added."""
    gate: asyncio.Future[None] = server.loop.create_future()
    open_streams = 0
    all_open = asyncio.Event()
    model = _model(server)
    server.replies = [_gated(gate)]
    threads: set[int] = set()

    async def consume() -> str:
        nonlocal open_streams
        texts = []
        async for piece in model.astream("Hi"):
            if not texts:
                open_streams += 1
                if open_streams == 200:
                    all_open.set()
            threads.add(threading.get_ident())
            texts.append(str(piece.text))
        return "".join(texts)

    before = threading.active_count()
    tasks = [asyncio.create_task(consume()) for _ in range(200)]
    await asyncio.wait_for(all_open.wait(), 20)
    assert server.open_connections == 200
    assert threading.active_count() == before
    server.loop.call_soon_threadsafe(gate.set_result, None)
    assert await asyncio.gather(*tasks) == ["Hello"] * 200
    assert threads == {threading.get_ident()}
    assert threading.active_count() == before


def _gated(gate: asyncio.Future[None]) -> Any:
    async def reply(wire: Wire) -> None:
        await wire.head()
        await wire.event(chunk("Hel"))
        await asyncio.wait([gate])
        await wire.event(chunk("lo"))
        await finish(wire)

    return reply


def test_sync_calls_have_no_thread_each(server: HostileServer) -> None:
    """Sync streams share one event loop, in one thread."""
    server.replies = [_endless]
    model = _model(server)
    next(model.stream("Hi"))
    before = threading.active_count()
    streams = [model.stream("Hi") for _ in range(20)]
    for stream in streams:
        next(stream)
    assert threading.active_count() == before
    started = time.monotonic()
    for stream in streams:
        stream.close()
    assert time.monotonic() - started < 2
    server.until_connections_are(0)
