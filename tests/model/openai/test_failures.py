"""Whatever a server does, the caller gets an error of ours that says what to do about it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from nodespan.model import (
    AuthenticationError,
    BadRequestError,
    ContextTooLongError,
    MalformedAnswerError,
    ModelConnectionError,
    ModelError,
    ModelNotFoundError,
    ModelTimeoutError,
    OpenAICompatibleChatModel,
    RateLimitError,
    ServerError,
)
from support.hostile import HostileServer, Reply, chunk, refuses, says, sends

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.hostile import Wire


@pytest.fixture
def server() -> Iterator[HostileServer]:
    """A server that answers well, unless a test tells it otherwise."""
    with HostileServer([says("Hello")]) as server:
        yield server


def _model(server: HostileServer, **parameters: Any) -> OpenAICompatibleChatModel:
    defaults: dict[str, Any] = {"model_name": "tiny", "api_key": "open-sesame", "max_retries": 0}
    return OpenAICompatibleChatModel(base_url=server.url, **{**defaults, **parameters})


def _fail(
    model: OpenAICompatibleChatModel, kind: type[ModelError], match: str | None = None
) -> Any:
    with pytest.raises(kind, match=match) as caught:
        model.invoke("Hi")
    assert type(caught.value) is kind
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind", "way_out"),
    [
        (400, BadRequestError, "refused the request"),
        (401, AuthenticationError, "give another api_key"),
        (403, AuthenticationError, "give another api_key"),
        (404, ModelNotFoundError, "'tiny'.*base_url"),
        (408, ModelTimeoutError, "try again"),
        (409, ServerError, "try again"),
        (413, ContextTooLongError, "shorten it"),
        (418, BadRequestError, "refused the request"),
        (422, BadRequestError, "refused the request"),
        (429, RateLimitError, "try again"),
        (500, ServerError, "try again"),
        (503, ServerError, "try again"),
        (529, ServerError, "try again"),
    ],
)
def test_each_status_has_its_error(
    server: HostileServer, status: int, kind: type[ModelError], way_out: str
) -> None:
    """The kind says what to do; status, request id and a short body are at hand."""
    body = {"error": {"message": "no, no"}}
    server.replies = [refuses(status, body, X_Request_Id="req-7")]
    error = _fail(_model(server), kind, rf"\({status}: no, no\).*{way_out}|{way_out}.*: no, no\)")
    assert (error.status, error.request_id) == (status, "req-7")
    assert error.body == '{"error": {"message": "no, no"}}'
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"error": {"message": "a", "code": 1}}, "a"),  # OpenAI, llama.cpp
        ({"object": "error", "message": "b", "code": 400}, "b"),  # older vLLM
        ({"error": "c", "error_type": "validation"}, "c"),  # TGI, Ollama
        ({"detail": "d"}, "d"),  # FastAPI
        ({"detail": [{"msg": "e"}]}, r'\[{"msg": "e"}\]'),
        ("plain words", "plain words"),
        ("<html><body>nginx</body></html>", "an HTML page"),
        ("[1]", r"\[1\]"),
        ("null", "None"),
    ],
)
def test_each_servers_way_of_telling_is_understood(
    server: HostileServer, body: Any, told: str
) -> None:
    """The message repeats, in short, what the server says."""
    server.replies = [refuses(400, body)]
    _fail(_model(server), BadRequestError, rf"\(400: {told}\)")


@pytest.mark.parametrize(
    ("status", "error", "prompt", "context"),
    [
        (400, {"type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 8}, 9, 8),
        (400, {"code": "context_length_exceeded"}, None, None),
        (
            400,
            {
                "message": "This model's maximum context length is 4096 tokens. However, you "
                "requested 5000 tokens (4900 in the messages, 100 in the completion)."
            },
            5000,
            4096,
        ),
        (
            422,
            {"message": "`inputs` must have less than 1024 tokens. Given: 1100"},
            1100,
            1024,
        ),
        (500, {"type": "exceed_context_size_error"}, None, None),
    ],
)
def test_a_conversation_that_is_too_long_is_recognized(
    server: HostileServer,
    status: int,
    error: dict[str, Any],
    prompt: int | None,
    context: int | None,
) -> None:
    """By code or by words, with the numbers of tokens where the server tells them."""
    server.replies = [refuses(status, {"error": error})]
    caught = _fail(_model(server), ContextTooLongError, "shorten")
    assert (caught.prompt_tokens, caught.context_tokens) == (prompt, context)


def test_a_long_body_is_cut(server: HostileServer) -> None:
    """Neither the message nor the error holds more than the beginning of a body."""
    server.replies = [refuses(400, "x" * 100_000)]
    error = _fail(_model(server), BadRequestError)
    assert len(error.body) == 500
    assert len(str(error)) < 400


def test_a_body_without_end_is_not_waited_for(server: HostileServer) -> None:
    """As much of it as is needed is read."""

    async def endless(wire: Wire) -> None:
        await wire.head(500, "text/plain")
        with contextlib.suppress(ConnectionError):
            while True:
                await wire.part("no " * 1000)

    server.replies = [endless]
    assert len(_fail(_model(server), ServerError).body) == 500


def test_a_missing_key_is_asked_for(server: HostileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to give one."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    server.replies = [refuses(401, "who are you?")]
    _fail(_model(server, api_key=None), AuthenticationError, "OPENAI_API_KEY")


def test_a_redirect_is_not_followed(server: HostileServer) -> None:
    """The key goes nowhere else; the error says where the server wanted it."""
    server.replies = [refuses(307, "", Location="https://example.com/v1/chat?token=hush")]
    error = _fail(_model(server), BadRequestError, r"base_url.*https://example\.com/v1/chat$")
    assert error.status == 307


@pytest.mark.parametrize(
    ("event", "kind", "status"),
    [
        ({"error": {"message": "m", "code": 400}}, BadRequestError, 400),
        ({"error": {"message": "m", "code": "429"}}, RateLimitError, 429),
        ({"error": {"message": "m", "type": "rate_limit_error"}}, RateLimitError, 429),
        ({"error": {"message": "m", "type": "overloaded_error"}}, ServerError, 503),
        ({"error": {"message": "m", "code": 1234}}, ServerError, None),
        ({"error": "m"}, ServerError, None),
        (
            {"error": {"message": "m", "type": "exceed_context_size_error"}},
            ContextTooLongError,
            None,
        ),
    ],
)
@pytest.mark.parametrize("begun", [True, False])
def test_a_failure_inside_a_stream_is_told(
    server: HostileServer,
    event: dict[str, Any],
    kind: type[ModelError],
    status: int | None,
    begun: bool,
) -> None:
    """A server that has answered 200 can still fail, and says so in an event."""
    server.replies = [sends(*([chunk("Hel")] if begun else []), event)]
    assert _fail(_model(server), kind, "m").status == status


def test_an_event_named_error_is_one(server: HostileServer) -> None:
    """Some servers name the event instead."""

    async def reply(wire: Wire) -> None:
        await wire.head()
        await wire.part('event: error\ndata: {"message": "out of order"}\n\n')
        await wire.end()

    server.replies = [reply]
    _fail(_model(server), ServerError, "out of order")


@pytest.mark.parametrize(
    "data",
    [
        "no json",
        "{",
        "[]",
        "1",
        '{"choices": 1}',
        '{"choices": [{"delta": {"content": 1}}]}',
        '{"choices": [{"delta": {"tool_calls": [{"index": "x"}]}}]}',
    ],
)
def test_an_event_that_is_no_chunk_is_told(server: HostileServer, data: str) -> None:
    """The error shows the beginning of what came."""
    server.replies = [sends(chunk("Hel"), data)]
    error = _fail(_model(server), MalformedAnswerError, "no chunk")
    assert (error.status, error.body) == (200, data)


@pytest.mark.parametrize("kind", ["text/html", "application/json", ""])
def test_another_type_of_content_is_told(server: HostileServer, kind: str) -> None:
    """A page of a proxy, or an answer in one piece, is not taken for a stream."""

    async def reply(wire: Wire) -> None:
        await wire.head(200, kind)
        await wire.part("<h1>Welcome</h1>")
        await wire.end()

    server.replies = [reply]
    error = _fail(_model(server), MalformedAnswerError, kind or "something")
    assert error.body == "<h1>Welcome</h1>"


def test_a_compressed_stream_is_refused(server: HostileServer) -> None:
    """It was not asked for, and a few bytes of it may become any number."""

    async def reply(wire: Wire) -> None:
        await wire.head(Content_Encoding="gzip")
        await wire.part(b"\x1f\x8b")
        await wire.end()

    server.replies = [reply]
    _fail(_model(server), MalformedAnswerError)
    assert server.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("unit", ["x" * 65536, f"data: {'x' * 250}\n" * 256])
def test_an_event_without_end_is_cut_off(server: HostileServer, unit: str) -> None:
    """One huge line, or lines that never make an event, are read up to a bound."""
    sent = 0

    async def reply(wire: Wire) -> None:
        nonlocal sent
        await wire.head()
        await wire.event(chunk("Hel"))
        await wire.part("data: ")
        with contextlib.suppress(ConnectionError):
            while True:
                await wire.part(unit)
                sent += len(unit)

    server.replies = [reply]
    error = _fail(_model(server), MalformedAnswerError, "8388608 bytes")
    assert sent < 16 * 1024 * 1024
    assert len(error.body or "") <= 500


def test_what_is_no_http_is_told(server: HostileServer) -> None:
    """Another protocol's words are no lost connection."""

    async def reply(wire: Wire) -> None:
        await wire.send(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")

    server.replies = [reply]
    _fail(_model(server, max_retries=2), MalformedAnswerError, "does not speak HTTP")
    assert len(server.requests) == 1


async def _cut_before_the_head(_: Wire) -> None:
    pass


async def _cut_inside_the_head(wire: Wire) -> None:
    await wire.send(b"HTTP/1.1 200 OK\r\nContent-Ty")


async def _cut_before_the_first_chunk(wire: Wire) -> None:
    await wire.head()
    await wire.event(chunk(role="assistant"))


async def _cut_inside_a_chunk(wire: Wire) -> None:
    await wire.head()
    await wire.event(chunk("Hel"))
    await wire.send(b'40\r\ndata: {"choices": [{"del')


async def _reset(wire: Wire) -> None:
    await wire.head()
    await wire.event(chunk("Hel"))
    wire.writer.transport.abort()


async def _end_too_early(wire: Wire) -> None:
    await wire.head()
    await wire.event(chunk("Hel"))
    await wire.end()


@pytest.mark.parametrize(
    "reply",
    [
        _cut_before_the_head,
        _cut_inside_the_head,
        _cut_before_the_first_chunk,
        _cut_inside_a_chunk,
        _reset,
        _end_too_early,
    ],
)
def test_a_broken_connection_is_told(server: HostileServer, reply: Reply) -> None:
    """Wherever it breaks: an answer that is not complete is never taken for one that is."""
    server.replies = [reply]
    _fail(_model(server), ModelConnectionError, "try again")


def test_a_server_that_is_not_there_is_told() -> None:
    """The error says where nobody was."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
    model = OpenAICompatibleChatModel(base_url=url, model_name="tiny", max_retries=0)
    _fail(model, ModelConnectionError, f"{url} was not reached.*is it running")


async def _silent(wire: Wire) -> None:
    await wire.until_gone()


async def _silent_after_the_head(wire: Wire) -> None:
    await wire.head()
    await wire.event(chunk(role="assistant"))
    await wire.until_gone()


async def _only_signs_of_life(wire: Wire) -> None:
    await wire.head()
    with contextlib.suppress(ConnectionError):
        while True:
            await wire.part(": alive\n\n")
            await asyncio.sleep(0.02)


async def _stalls(wire: Wire) -> None:
    await wire.head()
    await wire.event(chunk("Hel"))
    await wire.until_gone()


async def _only_alive_after_the_first_chunk(wire: Wire) -> None:
    await wire.head()
    await wire.event(chunk("Hel"))
    with contextlib.suppress(ConnectionError):
        while True:
            await wire.part(": alive\n\n")
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("reply", [_silent, _silent_after_the_head, _only_signs_of_life])
def test_the_first_chunk_has_its_limit(server: HostileServer, reply: Reply) -> None:
    """Neither a head nor signs of life are an answer; it is not tried again."""
    server.replies = [reply]
    started = time.monotonic()
    model = _model(server, first_chunk_timeout=0.2, max_retries=2)
    _fail(model, ModelTimeoutError, r"not begun.*0\.2 s.*first_chunk_timeout")
    assert 0.2 <= time.monotonic() - started < 2
    assert len(server.requests) == 1


@pytest.mark.parametrize("reply", [_stalls, _only_alive_after_the_first_chunk])
def test_the_next_chunk_has_its_limit(server: HostileServer, reply: Reply) -> None:
    """A stream that stalls is given up, also when the connection shows no sign of being lost."""
    server.replies = [reply]
    error = _fail(
        _model(server, chunk_timeout=0.2, max_retries=2),
        ModelTimeoutError,
        r"not gone on.*0\.2 s.*chunk_timeout",
    )
    assert error.status == 200
    assert len(server.requests) == 1


@pytest.mark.slow
def test_a_slow_stream_is_within_its_limits(server: HostileServer) -> None:
    """The limits hold for each chunk, not for the stream."""
    server.replies = [says(*"abcdefghijkl", pause=0.1)]
    model = _model(server, first_chunk_timeout=1, chunk_timeout=1)
    assert model.invoke("Hi").text == "abcdefghijkl"


@pytest.mark.slow
def test_a_slow_consumer_is_within_its_limits(server: HostileServer) -> None:
    """The time that the consumer takes is its own."""
    texts = []
    for piece in _model(server, first_chunk_timeout=5, chunk_timeout=0.4).stream("Hi"):
        time.sleep(0.5)
        texts.append(piece.text)
    assert "".join(texts) == "Hello"


def test_a_whole_call_has_its_limit(server: HostileServer) -> None:
    """However many chunks come, and however often it is tried again."""
    server.replies = [says(*"abcdefghijklmnop", pause=0.05)]
    _fail(_model(server, timeout=0.3), ModelTimeoutError, r"0\.3 s.*\(timeout\)")
    server.replies = [refuses(503, "busy", Retry_After="30")]
    started = time.monotonic()
    _fail(_model(server, timeout=5, max_retries=9), ServerError, "try again in 30 s")
    assert time.monotonic() - started < 5


def _drips(status: int, kind: str) -> Reply:
    async def reply(wire: Wire) -> None:
        await wire.head(status, kind)
        await wire.part("busy")
        with contextlib.suppress(ConnectionError):
            while True:
                await wire.part(" ")
                await asyncio.sleep(0.02)

    return reply


@pytest.mark.slow
@pytest.mark.parametrize(
    "limits", [{"timeout": 0.3, "max_retries": 2}, {"first_chunk_timeout": 0.3}]
)
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (_drips(503, "application/json"), ServerError),
        (_drips(400, "text/plain"), BadRequestError),
        (_drips(200, "text/html"), MalformedAnswerError),
    ],
)
def test_the_body_of_a_failure_is_within_the_limits(
    server: HostileServer, reply: Reply, kind: type[ModelError], limits: dict[str, Any]
) -> None:
    """What is known by then is told: the status, and as much of the body as has come."""
    server.replies = [reply]
    started = time.monotonic()
    error = _fail(_model(server, **limits), kind)
    assert 0.3 <= time.monotonic() - started < 2
    assert error.body.strip() == "busy"
    assert len(server.requests) == 1


def test_reaching_the_server_has_its_limit() -> None:
    """A host that drops what it is sent is given up."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with contextlib.ExitStack() as waiting:
            for _ in range(4):
                client = waiting.enter_context(socket.socket())
                client.settimeout(0)
                client.connect_ex(full.getsockname())
            url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
            model = OpenAICompatibleChatModel(
                base_url=url, model_name="tiny", connect_timeout=0.2, max_retries=0
            )
            _fail(model, ModelTimeoutError, r"not reached within 0\.2 s.*connect_timeout")


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_what_may_pass_is_tried_again(server: HostileServer, status: int) -> None:
    """And the caller sees nothing of it."""
    server.replies = [refuses(status, "", Retry_After="0"), says("Hello")]
    assert _model(server, max_retries=1).invoke("Hi").text == "Hello"
    assert len(server.requests) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "reply", [_cut_before_the_head, _cut_before_the_first_chunk, sends({"error": {"code": 503}})]
)
def test_a_connection_that_breaks_early_is_tried_again(server: HostileServer, reply: Reply) -> None:
    """As long as no chunk has come, nobody notices."""
    server.replies = [reply, says("Hello")]
    assert _model(server, max_retries=1).invoke("Hi").text == "Hello"


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_what_stays_wrong_is_not_tried_again(server: HostileServer, status: int) -> None:
    """One refusal is enough."""
    server.replies = [refuses(status, ""), says("Hello")]
    with pytest.raises(ModelError):
        _model(server, max_retries=2).invoke("Hi")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "reply", [_cut_inside_a_chunk, sends(chunk("Hel"), {"error": {"code": 503, "message": "m"}})]
)
def test_nothing_is_tried_again_after_the_first_chunk(server: HostileServer, reply: Reply) -> None:
    """What the caller has is not said twice."""
    server.replies = [reply, says("Hello")]
    stream = _model(server, max_retries=2).stream("Hi")
    assert next(stream).text == "Hel"
    with pytest.raises((ModelConnectionError, ServerError)):
        next(stream)
    assert len(server.requests) == 1


@pytest.mark.slow
def test_retry_after_is_honoured(server: HostileServer) -> None:
    """It is not tried again before the time that the server names."""
    server.replies = [refuses(429, "", Retry_After="1"), says("Hello")]
    started = time.monotonic()
    assert _model(server, max_retries=1).invoke("Hi").text == "Hello"
    assert 1 <= time.monotonic() - started < 4


def test_the_last_error_is_told(server: HostileServer) -> None:
    """When the retries are used up, with the time that the server asks to wait."""
    server.replies = [refuses(429, "slow down", Retry_After="0", X_Request_Id="last")]
    error = _fail(_model(server, max_retries=2), RateLimitError, "slow down.*in 0 s")
    assert (error.retry_after, error.request_id) == (0, "last")
    assert len(server.requests) == 3
    assert error.__context__ is None


def test_a_long_wait_is_the_callers_to_decide(server: HostileServer) -> None:
    """A server that asks to wait for more than a minute is not waited for."""
    server.replies = [refuses(429, "", Retry_After="3600")]
    assert _fail(_model(server, max_retries=2), RateLimitError, "in 3600 s").retry_after == 3600
    assert len(server.requests) == 1


async def test_a_cancelled_pause_ends(
    server: HostileServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Waiting to try again can be cancelled."""
    caplog.set_level("INFO", "nodespan.model")
    server.replies = [refuses(503, "", Retry_After="30")]
    call = asyncio.create_task(_model(server, max_retries=2).ainvoke("Hi"))
    while "trying again in" not in caplog.text:
        assert not call.done()
        await asyncio.sleep(0.005)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert len(server.requests) == 1


async def test_failures_are_the_same_in_every_mode(server: HostileServer) -> None:
    """Sync and async, at once and streamed."""
    server.replies = [refuses(429, "", Retry_After="7")]
    model = _model(server)
    errors = []
    for call in (lambda: model.invoke("Hi"), lambda: list(model.stream("Hi"))):
        with pytest.raises(RateLimitError) as caught:
            call()
        errors.append(caught.value)
    with pytest.raises(RateLimitError) as caught:
        await model.ainvoke("Hi")
    errors.append(caught.value)
    with pytest.raises(RateLimitError) as caught:
        [piece async for piece in model.astream("Hi")]
    errors.append(caught.value)
    assert {(str(error), error.retry_after) for error in errors} == {(str(errors[0]), 7)}
