"""One request to an OpenAI-compatible server, and its answer.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import TYPE_CHECKING, Any, Final, Literal

import httpx
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from .._errors import (
    AnswerTooLongError,
    BadRequestError,
    MalformedAnswerError,
    ModelClosedError,
    ModelConnectionError,
    ModelError,
    ModelTimeoutError,
)
from .._generators.owned import owned
from .._generators.turns import Turn
from .._generators.unpaused import unpaused
from .chunks import DONE, ChunkReader, ExcessError
from .errors import BODY_LIMIT, ServerAnswer, hide, without_frames
from .sse import EVENT_STREAM, EventTooLongError, bounded, server_sent_events
from .wire import Chunk, parse_chunk

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from httpx_sse import ServerSentEvent

    from .._answer.answer import Piece
    from .http import LoopClients
    from .request import Completion

_JSON: Final = "application/json"
_EVENT_LIMIT: Final = 8 * 1024 * 1024
# What an event takes up at least, and its chunk with it, however little it says.
_LEAST_EVENT: Final = 256
_BODY_SECONDS: Final = 5.0
# Parsing that many bytes of JSON takes a millisecond.
_LARGE: Final = 64 * 1024
# Seconds in which a server may keep the event loop busy before its answer: with 1xx ones, say.
_LONGEST_TURN: Final = 0.05
# How long to wait, after the last event, for the end of the stream, which frees the connection.
_END_SECONDS: Final = 0.25
_SAID_LIMIT: Final = 200
_DISCONNECTED: Final = ("Server disconnected", "peer closed connection")
# Only the trace goes to the server: baggage may be anything that the application carries along.
_TRACE_CONTEXT: Final = TraceContextTextMapPropagator()


class Exchange:
    """One request and its answer.

    Args:
        clients: The clients of the model.
        completion: What to ask for.
        until: The event loop's time at which the whole call must be over.

    Attributes:
        has_begun: Whether a piece of the answer has come.
        is_told: Whether what came before it has been told.
    """

    def __init__(self, clients: LoopClients, completion: Completion, until: float) -> None:
        self._clients = clients
        self._completion = completion
        self._until = until
        self._deadline = until
        self._limit = ("timeout", completion.limits.total)
        self._answer: ServerAnswer | None = None
        self._room: int | None = None
        self.has_begun = False
        self.is_told = False

    async def pieces(self) -> AsyncGenerator[Piece]:
        """Send the request and give the pieces of the answer as they come.

        Raises:
            ModelError: If there is no answer, or another one.
        """
        failure: ModelError
        try:
            client = await self._clients.here()
            async with asyncio.timeout_at(self._when):
                await client.places.acquire()
            try:
                async with owned(self._answer_of(client.http)) as pieces:
                    async for piece in pieces:
                        self.has_begun = True
                        yield piece
            finally:
                client.places.release()
        except ModelError as error:
            failure = error
        except (TimeoutError, EventTooLongError, httpx.HTTPError) as error:
            failure = self._as_ours(error)
            failure.__cause__ = error
        else:
            return
        # Raised here, or what is being handled would be its context.
        raise without_frames(failure, self._completion.secrets)

    async def _answer_of(self, http: httpx.AsyncClient) -> AsyncGenerator[Piece]:
        response = await self._send(http)
        try:
            answer, is_stream = await self._begun(response)
            reader = ChunkReader(self._completion.server)
            self._room = self._completion.max_bytes
            if not is_stream:
                for piece in _pieces(reader, await self._whole(response, answer), answer):
                    yield piece
            else:
                async with owned(server_sent_events(response, limit=_EVENT_LIMIT)) as events:
                    turn = Turn()
                    while event := await self._next_data(events, reader):
                        await turn.share()
                        self._take_room(event, answer)
                        for piece in _pieces(reader, await _chunk(event, answer), answer):
                            yield piece
                        if self.has_begun:
                            self._allow("chunk_timeout", self._completion.limits.next_chunk)
                    if not reader.has_ended and (event is None or not self.has_begun):
                        raise ModelConnectionError(
                            f"{answer.server} broke off its answer; try again", **answer.facts()
                        )
                    await self._take_leave(events)
            for piece in reader.end():
                yield piece
        finally:
            # Closes the connection too, unless the answer has been read to its end.
            await unpaused(response.aclose())

    def _take_room(self, event: ServerSentEvent, answer: ServerAnswer) -> None:
        """Count what an event takes up, here and in what LangChain makes of it."""
        if self._room is None:
            return
        self._room -= max(len(event.data), _LEAST_EVENT)
        if self._room < 0:
            raise AnswerTooLongError(
                f"{answer.server} goes on answering beyond {self._completion.max_bytes:,} bytes; "
                "limit the answer (max_tokens), or allow more (max_answer_bytes)",
                **answer.facts(),
            )

    async def _send(self, http: httpx.AsyncClient) -> httpx.Response:
        if http.is_closed:
            raise ModelClosedError("the model was closed before the call")
        limits = self._completion.limits
        request = http.build_request(
            "POST",
            f"{self._completion.server}/chat/completions",
            content=self._completion.body,
            headers=_headers(self._completion),
            timeout=httpx.Timeout(None, connect=limits.connect),
        )
        self._allow("first_chunk_timeout", limits.first_chunk)
        async with asyncio.timeout_at(self._when):
            return await unpaused(http.send(request, stream=True), _LONGEST_TURN)

    async def _begun(self, response: httpx.Response) -> tuple[ServerAnswer, bool]:
        """Tell what is known of an answer, and whether it comes as a stream."""
        answer = self._answer = ServerAnswer(
            server=self._completion.server,
            model_name=self._completion.model_name,
            status=response.status_code,
            headers=response.headers,
            secrets=self._completion.secrets,
        )
        if not response.is_success:
            raise answer.refusal(await self._body(response))
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        encoding = _encoding(response)
        if not encoding and kind in {EVENT_STREAM, _JSON}:
            return answer, kind == EVENT_STREAM
        sent = f"{kind or 'something'}{f' encoded as {encoding}' if encoding else ''}"
        what = f"sent {sent} instead of a plain event stream"
        raise answer.malformed(what, await self._body(response))

    async def _whole(self, response: httpx.Response, answer: ServerAnswer) -> Chunk:
        """Read an answer that comes in one piece: that of a server that does not stream."""
        body = bytearray()
        async with asyncio.timeout_at(self._when), owned(bounded(response, _EVENT_LIMIT)) as parts:
            async for part in parts:
                body += part
        text = body.decode(errors="replace")
        try:
            chunk = await _parsed(text)
        except ValueError:
            chunk = Chunk()
        if not chunk.choices or chunk.error is not None:
            if answer.reports_failure(text):
                raise answer.reported(text)
            raise answer.malformed(
                f"sent {_JSON} that is no answer, instead of a plain event stream", text
            )
        return chunk

    async def _body(self, response: httpx.Response) -> str:
        """Read as much of a failure's body as is needed to tell it, and as there is time for.

        A body in an encoding that nobody has asked for stays unread: it may decode to any size.
        """
        if encoding := _encoding(response):
            return f"a body encoded as {encoding}, unasked"
        body = bytearray()
        with contextlib.suppress(httpx.HTTPError, TimeoutError, EventTooLongError):
            parts = bounded(response, _EVENT_LIMIT)
            async with self._within(_BODY_SECONDS), owned(parts) as coming:
                async for part in coming:
                    body += part
                    if len(body) >= BODY_LIMIT:
                        break
        return body[:BODY_LIMIT].decode(errors="replace")

    async def _next_data(
        self, events: owned[ServerSentEvent], reader: ChunkReader
    ) -> ServerSentEvent | Literal[False] | None:
        """Wait for the next event; `None` when the stream breaks off, `False` at its end."""
        try:
            # An event that is there already would be read without a look at the time.
            if self._when is not None and asyncio.get_running_loop().time() > self._when:
                raise TimeoutError  # noqa: TRY301  # told as any other
            async with asyncio.timeout_at(self._when):
                event = await anext(events, None)
        except (TimeoutError, httpx.HTTPError, EventTooLongError):
            if not reader.has_ended:
                raise
            return False  # the answer is complete, whatever became of the connection
        return False if event is not None and event.data == DONE else event

    async def _take_leave(self, events: owned[ServerSentEvent]) -> None:
        """Read the end of the stream, so that its connection can serve another call."""
        with contextlib.suppress(TimeoutError, httpx.HTTPError, EventTooLongError):
            async with self._within(_END_SECONDS):
                await anext(events, None)

    def _allow(self, limit: str, seconds: float | None) -> None:
        """Limit the next step of the call."""
        deadline = math.inf if seconds is None else asyncio.get_running_loop().time() + seconds
        if deadline < self._until:
            self._deadline, self._limit = deadline, (limit, seconds)
        else:
            self._deadline, self._limit = self._until, ("timeout", self._completion.limits.total)

    def _within(self, seconds: float) -> asyncio.Timeout:
        """Limit a step beside the answer to so many seconds, and to what the call has left."""
        return asyncio.timeout_at(min(self._deadline, asyncio.get_running_loop().time() + seconds))

    @property
    def _when(self) -> float | None:
        return None if self._deadline == math.inf else self._deadline

    def _as_ours(self, error: Exception) -> ModelError:
        match error:
            case httpx.HTTPError():
                return self._failure(error)
            case EventTooLongError():
                return self._malformed(f"sent no events: {error}")
        return self._timeout()

    def _timeout(self) -> ModelTimeoutError:
        limit, seconds = self._limit
        happened = {
            "first_chunk_timeout": "has not begun to answer",
            "chunk_timeout": "has not gone on answering",
            "timeout": "has not answered",
        }
        return ModelTimeoutError(
            f"{self._completion.server} {happened[limit]} within {seconds:g} s; "
            f"try again, or allow more ({limit})",
            **self._known_facts,
        )

    def _malformed(self, what: str) -> MalformedAnswerError:
        return MalformedAnswerError(f"{self._completion.server} {what}", **self._known_facts)

    def _failure(self, error: httpx.HTTPError) -> ModelError:
        server, limits = self._completion.server, self._completion.limits
        said = hide(str(error), self._completion.secrets)[:_SAID_LIMIT]
        match error:
            case _ if self._clients.is_closed:
                return ModelClosedError("the model was closed during the call")
            case httpx.ConnectTimeout():
                return ModelTimeoutError(
                    f"{server} was not reached within {limits.connect:g} s; "
                    "try again, or allow more (connect_timeout)"
                )
            case httpx.ConnectError() | httpx.ProxyError():
                return ModelConnectionError(f"{server} was not reached: {said}; is it running?")
            case httpx.LocalProtocolError():
                return BadRequestError(f"the request to {server} cannot be sent: {said}")
            case httpx.RemoteProtocolError() if not said.startswith(_DISCONNECTED):
                return self._malformed(f"does not speak HTTP: {said}")
        return ModelConnectionError(
            f"the connection to {server} broke: {said or type(error).__name__}; try again",
            **self._known_facts,
        )

    @property
    def _known_facts(self) -> dict[str, Any]:
        return {} if self._answer is None else self._answer.facts()


def _headers(completion: Completion) -> dict[str, str]:
    """Write the headers down, with the current span's place in its trace."""
    headers = {
        "Accept": EVENT_STREAM if completion.streams else _JSON,
        "Accept-Encoding": "identity",  # a compressed stream has no bound on its events
        "Cache-Control": "no-store",
        "Content-Type": "application/json",
    }
    _TRACE_CONTEXT.inject(headers)
    own = completion.headers.items()
    return headers | {name: value.get_secret_value() for name, value in own}


def _encoding(response: httpx.Response) -> str:
    """Name the encoding of an answer's body, if it has one."""
    encoding: str = response.headers.get("content-encoding", "").strip().lower()
    return "" if encoding == "identity" else encoding[:_SAID_LIMIT]


def _pieces(reader: ChunkReader, chunk: Chunk, answer: ServerAnswer) -> Iterator[Piece]:
    try:
        yield from reader.read(chunk)
    except ExcessError as error:
        raise answer.malformed(str(error), "") from None


async def _parsed(data: str) -> Chunk:
    """Parse an event or an answer; a large one in a thread, which lets the loop have its turn."""
    if len(data) < _LARGE:
        return parse_chunk(data)
    return await asyncio.to_thread(parse_chunk, data, shares_time=True)


async def _chunk(event: ServerSentEvent, answer: ServerAnswer) -> Chunk:
    if event.event == "error":
        raise answer.reported(event.data)
    try:
        chunk = await _parsed(event.data)
    except ValueError as error:
        raise answer.malformed(f"sent an event that is no chunk ({error})", event.data) from None
    if chunk.error is not None:
        raise answer.reported(event.data)
    return chunk
