"""One answer of llama.cpp, generated in a thread of its own, for sync and async consumers."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from typing import TYPE_CHECKING, Any, Final

from .chat import Reply, as_error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from .server import LlamaServer

_END: Final = object()


class Generation(threading.Thread):
    """Generates one answer and hands its replies over, until it is done or cancelled.

    Not a daemon: a daemon inside llama.cpp at the interpreter's exit aborts the process.

    Args:
        server: The loaded model.
        body: A chat completion request, for a stream.
        deliver: Gets each reply; last an exception, or a mark of the end.
    """

    def __init__(
        self, server: LlamaServer, body: dict[str, Any], deliver: Callable[[Any], None]
    ) -> None:
        super().__init__(name="nodespan-llama", daemon=False)
        self._server = server
        self._body = body
        self._deliver = deliver
        self._cancelled = False
        self._reason: BaseException | None = None

    def cancel(self, reason: BaseException | None = None) -> None:
        """Stop generating; a consumer that is still there gets the reason, if one is given."""
        self._reason = reason
        self._cancelled = True

    def run(self) -> None:
        """Generate, and deliver each reply, then the end or the error."""
        end: Any = _END
        try:
            if not self._cancelled:
                self._server.chat(self._body, self._on_reply)
        except Exception as error:  # noqa: BLE001  # the consumer raises it
            end = as_error(error)
        # The consumer's event loop may be closed: then nobody is waiting.
        with contextlib.suppress(RuntimeError):
            self._deliver(self._reason or end)

    def _on_reply(self, reply: Reply) -> bool:
        # At exit, the interpreter waits for this thread.
        if not self._cancelled and threading.main_thread().is_alive():
            try:
                self._deliver(reply)
            except RuntimeError:  # the consumer's event loop is closed
                self._cancelled = True
            return self._cancelled
        return True


def replies(start: Callable[[Callable[[Any], None]], Generation]) -> Generator[Reply]:
    """Give the replies of a generation as they come.

    Args:
        start: Starts the generation, given the function that it is to deliver to.
    """
    outbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    generation = start(outbox.put)
    try:
        while (reply := _checked(outbox.get())) is not _END:
            yield reply
    finally:
        generation.cancel()


async def areplies(start: Callable[[Callable[[Any], None]], Generation]) -> AsyncGenerator[Reply]:
    """Give the replies of a generation as they come, without blocking the event loop.

    Args:
        start: As for `replies`.
    """
    loop = asyncio.get_running_loop()
    outbox: asyncio.Queue[Any] = asyncio.Queue()

    def deliver(item: Any) -> None:
        """Hand an item to the consumer's event loop."""
        loop.call_soon_threadsafe(outbox.put_nowait, item)

    generation = start(deliver)
    try:
        while (reply := _checked(await outbox.get())) is not _END:
            yield reply
    finally:
        generation.cancel()


def _checked(item: Any) -> Any:
    if isinstance(item, BaseException):
        raise item
    return item
