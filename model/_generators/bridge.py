"""From a sync generator to an async one, and back.

Both ways keep the generator lazy (it runs one step for one piece asked of it), run all of
it in one thread and one context, and close it as soon as the consumer goes away.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from .._process import Locked, at_exit, in_forked_child, process_wide

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

T = TypeVar("T")

_END: Final = object()


async def iterate_in_thread(pieces: Generator[T]) -> AsyncGenerator[T]:
    """Run a blocking generator beside the event loop.

    The generator gets a thread of its own for as long as it lasts, and a copy of the
    caller's context. A cancelled consumer does not wait for a step that is under way; the
    generator is closed right after it.

    Args:
        pieces: A generator that has not been started.
    """
    loop = asyncio.get_running_loop()
    context = contextvars.copy_context()
    # An executor, because its thread ends cleanly with the interpreter.
    thread = ThreadPoolExecutor(1, thread_name_prefix="nodespan-respond")
    step = partial(context.run, next, pieces, _END)
    idle = True
    try:
        while True:
            idle = False
            piece: Any = await loop.run_in_executor(thread, step)
            idle = True
            if piece is _END:
                return
            yield piece
    finally:
        closed = thread.submit(context.run, pieces.close)
        thread.shutdown(wait=False)
        if idle:
            await asyncio.wrap_future(closed)


def iterate_on_loop(pieces: AsyncGenerator[T]) -> Generator[T]:
    """Run an async generator for a caller that is not async.

    It runs as one task, in a copy of the caller's context, on an event loop that all such
    generators of this process share, so that what is bound to a loop (the connections of an
    HTTP client, say) can be kept from call to call.

    Args:
        pieces: An async generator that has not been started.
    """
    with _loop() as loop:
        task = _Task(loop, pieces)
        try:
            while (piece := task.next()) is not _END:
                yield piece
        finally:
            task.cancel()


class _Task:
    """An async generator that runs on a loop in another thread, one step at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, pieces: AsyncGenerator[Any]) -> None:
        self._loop = loop
        self._pieces = pieces
        self._wanted = asyncio.Event()
        self._outbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._task: asyncio.Task[None] | None = None
        self._ended = False
        self._call(self._start)

    def next(self) -> Any:
        """Ask for the next piece, and wait for it."""
        self._call(self._wanted.set)
        piece = self._outbox.get()
        if not isinstance(piece, asyncio.Task):
            return piece
        self._ended = True
        piece.result()
        return _END

    def cancel(self) -> None:
        """Cancel the task unless it has ended, and wait until it has cleaned up."""
        if self._ended:
            return
        # At the interpreter's exit the loop has cancelled its tasks itself, and is closed.
        with contextlib.suppress(RuntimeError):
            self._call(self._cancel)
        while not isinstance(self._outbox.get(), asyncio.Task):
            pass

    def _call(self, function: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(function)

    def _start(self) -> None:
        self._task = self._loop.create_task(self._run())
        self._task.add_done_callback(self._outbox.put)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        async with contextlib.aclosing(self._pieces) as pieces:
            await self._wanted.wait()
            async for piece in pieces:
                self._wanted.clear()
                self._outbox.put(piece)
                await self._wanted.wait()


class _LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        # A daemon, stopped at exit: nothing but this process's own Python runs in it.
        self._thread = threading.Thread(target=self._run, name="nodespan-loop", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.run_until_complete(self._end_tasks())
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    async def _end_tasks(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def is_current(self) -> bool:
        """Whether this is the thread."""
        return threading.current_thread() is self._thread

    def stop(self) -> None:
        """Stop the loop, and wait for the thread to end."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()


class _SharedLoop(Locked):
    """The one event loop that sync callers of async generators share."""

    def __init__(self) -> None:
        super().__init__()
        self._thread: _LoopThread | None = None
        at_exit(self.stop)
        in_forked_child(self._forget)

    def thread(self) -> _LoopThread:
        """Return the thread, which is started for the first who asks."""
        with self._lock:
            if self._thread is None:
                self._thread = _LoopThread()
            return self._thread

    def stop(self) -> None:
        """Stop the thread, where there is one."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()

    def _forget(self) -> None:
        self._thread = None


_shared_loop: Final = process_wide(_SharedLoop)


@contextlib.contextmanager
def _loop() -> Generator[asyncio.AbstractEventLoop]:
    """Lend the shared loop, or a new one to a caller that the shared one is running."""
    thread = _shared_loop.thread()
    if not thread.is_current:
        yield thread.loop
        return
    own = _LoopThread()
    try:
        yield own.loop
    finally:
        own.stop()
