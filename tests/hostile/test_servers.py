"""Servers that send too much, too deep or in another shape cost a bounded amount of work."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import inspect
import json
import pickle
import threading
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.load import dumpd, dumps
from langchain_core.messages import HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import (
    ConfigurableField,
    RunnableBinding,
    RunnableSequence,
    RunnableWithFallbacks,
)
from langchain_core.runnables.retry import RunnableRetry
from pydantic import ValidationError

from nodespan.graph import build_agent
from nodespan.model import (
    AnswerTooLongError,
    AuthenticationError,
    BadRequestError,
    MalformedAnswerError,
    ModelError,
    OpenAICompatibleChatModel,
    RateLimitError,
)
from nodespan.model._custom.secrets import HiddenText
from nodespan.model._openai import sse
from nodespan.model._openai.chunks import ChunkReader, ExcessError
from nodespan.model._openai.errors import ServerAnswer
from nodespan.model._openai.wire import Chunk, parse_chunk
from support.hostile import HostileServer, chunk, refuses, sends

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from support.hostile import Wire

KEY = "sk-planted-0123456789"
ELSEWHERE = "http://gpu.example:8000/v1"


def model(url: str, **parameters: Any) -> OpenAICompatibleChatModel:
    """Make a model with a planted key."""
    given: dict[str, Any] = {"api_key": KEY, "max_retries": 0, **parameters}
    return OpenAICompatibleChatModel(base_url=url, model_name="tiny", **given)


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip", "br"])
def test_an_encoding_that_nobody_asked_for_stays_unread(status: int, encoding: str) -> None:
    """A few bytes may decode to any size: none of them is decoded."""
    bomb = gzip.compress(gzip.compress(b"0" * 1_000_000))

    async def reply(wire: Wire) -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: text/event-stream\r\n"
        head += f"Content-Encoding: {encoding}\r\nContent-Length: {len(bomb)}\r\n\r\n"
        await wire.send(head.encode() + bomb)

    with HostileServer([reply]) as server, pytest.raises(ModelError) as caught:
        model(server.url).invoke("Hi")
    assert len(str(caught.value.body)) < 100
    assert encoding in str(caught.value.body)


async def _endless(wire: Wire) -> None:
    await wire.head()
    while True:
        await wire.event(chunk("x"))


def test_an_answer_without_an_end_has_one() -> None:
    """By default, too; its error says how to allow more."""
    with HostileServer([_endless]) as server:
        assert model(server.url).max_answer_bytes is not None
        with pytest.raises(AnswerTooLongError, match="max_answer_bytes"):
            model(server.url, max_answer_bytes=10_000).invoke("Hi")


def test_tool_calls_are_counted() -> None:
    """One event with thousands of them is refused."""
    calls = [{"index": i, "id": f"c{i}", "function": {"name": "f"}} for i in range(12_000)]
    with (
        HostileServer([sends(chunk(tool_calls=calls))]) as server,
        pytest.raises(MalformedAnswerError, match="tool_calls: List should have at most 256"),
    ):
        model(server.url).invoke("Hi")
    reader = ChunkReader()
    for call in calls[:256]:
        list(reader.read(Chunk.model_validate(chunk(tool_calls=[call]))))
    with pytest.raises(ExcessError, match="more than 256 tool calls"):
        list(reader.read(Chunk.model_validate(chunk(tool_calls=[calls[256]]))))


def test_a_call_in_many_parts_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it repeats its name, each character of its arguments is looked at once."""
    from nodespan.model._answer.arguments import Arguments  # noqa: PLC0415

    looked_at = 0
    take = Arguments.take

    def counting(self: Any, text: str) -> str:
        nonlocal looked_at
        looked_at += len(text)
        return take(self, text)

    monkeypatch.setattr(Arguments, "take", counting)
    reader = ChunkReader()
    parts = ['{"a":"', *["}"] * 4_000]
    for part in parts:
        delta = {"index": 0, "function": {"name": "f", "arguments": part}}
        list(reader.read(Chunk.model_validate(chunk(tool_calls=[delta]))))
    assert looked_at == sum(map(len, parts))


def test_numbers_out_of_range_are_none() -> None:
    """Neither a wait nor a count of thousands of digits is one."""
    with (
        HostileServer([refuses(429, "slow", Retry_After="9" * 5_000)]) as server,
        pytest.raises(RateLimitError) as caught,
    ):
        model(server.url).invoke("Hi")
    assert caught.value.retry_after is None
    assert "inf" not in str(caught.value)
    usage = '{"choices":[],"usage":{"prompt_tokens":%s,"completion_tokens":-5}}' % ("9" * 4_000)
    assert parse_chunk(usage).usage == parse_chunk('{"usage": {}}').usage


ODD = ["many", "", "9" * 4_000, 1.5, -1, True, 1e30, [], {}, [1], {"a": 1}, None]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: str(odd)[:8])
def test_odd_usage_is_none(odd: Any) -> None:
    """And no reason to lose the answer that it comes with, wherever in the report it stands."""
    good = {"prompt_tokens": 3, "completion_tokens": "2"}
    details = {"prompt_tokens_details": {"cached_tokens": odd}, "completion_tokens_details": odd}
    for report in (odd, {**good, **details}, {"total_tokens": odd, **good}):
        taken = parse_chunk(json.dumps({"usage": report})).usage
        assert taken is None or taken.prompt_tokens in (None, 3)
    usage = parse_chunk(json.dumps({"usage": {**good, "prompt_tokens": odd, **details}})).usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (None, 2)
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens is None


@pytest.mark.parametrize("name", ["retry-after", "retry-after-ms"])
@pytest.mark.parametrize(
    "odd",
    [
        *("9" * 12, "9" * 5_000, "-1", "1e9", "nan", "inf", "0x10", "1,2", ".", "5; a"),
        "Mon " * 9_000,
    ],
    ids=lambda odd: odd[:8],
)
def test_an_odd_wait_is_none(name: str, odd: str) -> None:
    """A year is the longest that anybody is asked to wait."""
    answer = ServerAnswer("http://x", "tiny", 429, {name: odd}, [])
    assert answer.refusal("{}").retry_after is None


def test_a_number_without_an_end_is_none() -> None:
    """It costs its own place, and no more."""
    read = parse_chunk('{"id": "a", "usage": {"prompt_tokens": ' + "9" * 6_000 + "}}")
    assert read.id == "a"
    assert read.usage == parse_chunk('{"usage": {}}').usage


@pytest.mark.parametrize("deep", ["[" * 300 + "]" * 300, '{"a":' * 300 + "1" + "}" * 300])
@pytest.mark.parametrize("content", ["a", "\\ud83d"])
@pytest.mark.parametrize("shares_time", [True, False])
def test_no_parser_takes_what_is_deep(deep: str, content: str, *, shares_time: bool) -> None:
    """Whoever handles it afterwards may go down by recursion."""
    with pytest.raises(ValueError, match=r"nested too deeply|recursion limit"):
        parse_chunk(
            f'{{"choices": [{{"delta": {{"content": "{content}", "x": {deep}}}}}]}}',
            shares_time=shares_time,
        )


def test_a_large_event_is_read_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it holds: a thread reads it, in which Python lets others run between records."""
    from nodespan.model._openai import exchange  # noqa: PLC0415

    read_in: list[tuple[str, bool]] = []

    def parse(data: str, *, shares_time: bool = False) -> Chunk:
        read_in.append((threading.current_thread().name, shares_time))
        return parse_chunk(data, shares_time=shares_time)

    monkeypatch.setattr(exchange, "parse_chunk", parse)
    large = chunk("a", records=[{}] * 40_000)
    with HostileServer([sends(large, chunk("b", finish="stop"))]) as server:
        assert model(server.url).invoke("Hi").content == "ab"
    (beside, shares), (within, does_not) = read_in
    assert (shares, does_not) == (True, False)
    assert beside != within


@pytest.mark.parametrize("content_type", ["text/event-stream", "application/json"])
@pytest.mark.parametrize("status", [200, 500])
def test_a_body_in_many_parts_shares_the_loop(content_type: str, status: int) -> None:
    """Parts of a byte each are read a turn at a time, and so many are no body."""

    async def reply(wire: Wire) -> None:
        await wire.head(status, content_type)
        with contextlib.suppress(ConnectionError):
            while True:
                await wire.send(b"1\r\nx\r\n" * 1_000)

    most = 2_000

    class Few(sse._Bounded):
        def __init__(self, stream: Any, limit: int) -> None:
            super().__init__(stream, min(limit, most * sse._LEAST_PART))

    with pytest.MonkeyPatch.context() as patch, HostileServer([reply]) as server:
        patch.setattr(sse, "_Bounded", Few)
        with pytest.raises(ModelError) as caught:
            model(server.url).invoke("Hi")
    assert len(caught.value.body or "") <= most


def test_unknown_fields_are_counted() -> None:
    """Of one message; a handful is what servers send."""
    many = {f"field_{i}": 1 for i in range(2_000)}
    with pytest.raises(ExcessError, match="more than 1024 fields"):
        list(ChunkReader().read(Chunk.model_validate(chunk("a", **many))))


@pytest.mark.parametrize(
    "reply",
    [
        refuses(500, {"error": {"message": "a\x1b]52;c;x\x07\r\n\x9b\u2028\u202e\u2066\ud800b"}}),
        refuses(500, "", X_Request_Id="\x1b[31m\x9b"),
        refuses(200, "", Content_Encoding="\x1b[31m\x9b"),
        sends({"error": {"message": "\x1b[31m", "code": "\x9b"}}),
        sends("\x1b[31m"),
    ],
)
def test_an_error_shows_no_control_character(reply: Any) -> None:
    """What a server says in it is a line, and escaped; but for the body, which is as it was."""
    with HostileServer([reply]) as server, pytest.raises(ModelError) as caught:
        model(server.url).invoke("Hi")
    assert f"{caught.value}{caught.value.request_id}".isprintable()


def test_an_address_to_go_to_shows_no_password() -> None:
    """Where a server leads elsewhere."""
    reply = refuses(302, "", Location="http://someone:planted@elsewhere/v1?key=planted")
    with HostileServer([reply]) as server, pytest.raises(ModelError, match="elsewhere") as caught:
        model(server.url).invoke("Hi")
    assert "planted" not in str(caught.value)


def _frames(error: BaseException | None, seen: set[int]) -> Iterator[str]:
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    yield repr(error)
    frame = error.__traceback__
    while frame is not None:
        if "test_" not in frame.tb_frame.f_code.co_filename:  # the tests' own plant the key
            yield from (repr(value) for value in frame.tb_frame.f_locals.values())
        frame = frame.tb_next
    yield from _frames(error.__cause__, seen)
    yield from _frames(error.__context__, seen)


async def _says_it_in_another_protocol(wire: Wire) -> None:
    await wire.send(f"{KEY}\r\n\r\n".encode())


@pytest.mark.parametrize(
    "reply",
    [
        refuses(401, {"error": {"message": f"bad key {KEY}"}}, X_Request_Id=KEY),
        refuses(500, KEY),
        sends(f"no chunk {KEY}"),
        sends(chunk("a"), {"error": {"message": f"no {KEY}"}}),
        sends(chunk("a")),
        _says_it_in_another_protocol,
    ],
)
def test_no_frame_of_an_error_shows_the_key(reply: Any) -> None:
    """Tools that show the variables of each frame show no secret in ours, nor beneath them."""
    with HostileServer([reply]) as server:
        asked = model(server.url, headers={"X-Gateway-Key": "gw-planted-987"})
        with pytest.raises(ModelError) as caught:
            asked.invoke("Hi")
    shown = "".join(_frames(caught.value, set()))
    assert "planted" not in shown


async def _read(stream: AsyncIterator[Any]) -> list[Any]:
    return [chunk async for chunk in stream]


GIVEN: dict[str, Any] = {"api_key": KEY, "headers": {"X-Gateway-Key": "gw-planted-987"}}
CALLS: dict[str, Callable[[Any], Any]] = {
    "invoke": lambda asked: asked.invoke("Hi", **GIVEN),
    "ainvoke": lambda asked: asyncio.run(asked.ainvoke("Hi", **GIVEN)),
    "stream": lambda asked: list(asked.stream("Hi", **GIVEN)),
    "astream": lambda asked: asyncio.run(_read(asked.astream("Hi", **GIVEN))),
    "batch": lambda asked: asked.batch(["Hi", "Ho"], **GIVEN),
    "abatch": lambda asked: asyncio.run(asked.abatch(["Hi", "Ho"], **GIVEN)),
    "generate": lambda asked: asked.generate([[HumanMessage("Hi")]], **GIVEN),
    "events": lambda asked: asyncio.run(_read(asked.astream_events("Hi", version="v2", **GIVEN))),
    "bind": lambda asked: asked.bind(**GIVEN).invoke("Hi"),
    "bind, then astream": lambda asked: asyncio.run(_read(asked.bind(**GIVEN).astream("Hi"))),
    "bind of a binding": lambda asked: asked.bind(seed=1).bind(**GIVEN).invoke("Hi"),
    "a binding's call": lambda asked: asked.bind(seed=1).invoke("Hi", **GIVEN),
    "a sequence's call": lambda asked: (asked | StrOutputParser()).invoke("Hi", **GIVEN),
    "retries": lambda asked: asked.with_retry(stop_after_attempt=1).invoke("Hi", **GIVEN),
    "agent": lambda asked: build_agent(asked.bind(**GIVEN)).invoke({"messages": [("user", "Hi")]}),
    "copy": lambda asked: asked.model_copy(update=GIVEN).invoke("Hi"),
}


@pytest.mark.parametrize("way", CALLS)
def test_no_frame_shows_a_key_that_is_given_with_a_call(way: str) -> None:
    """Nor one that is bound, or put into a copy, whichever method it goes through."""
    with HostileServer([refuses(401, {"error": {"message": f"bad key {KEY}"}})]) as server:
        asked = model(server.url, api_key=None)
        with pytest.raises(AuthenticationError) as caught:
            CALLS[way](asked)
    assert "planted" not in "".join(_frames(caught.value, set()))


@pytest.mark.parametrize(
    "given",
    [
        {"api_key": [KEY]},
        {"api_key": {"a": KEY}},
        {"headers": [("X-Gateway-Key", KEY)]},
        {"headers": {"X-Gateway-Key": [KEY]}},
        {"base_url": f"http://localhost/v1?key={KEY}"},
    ],
    ids=["list", "dict", "pairs", "dict of lists", "address"],
)
def test_no_frame_shows_a_key_in_a_wrong_place(given: dict[str, Any]) -> None:
    """What is refused is shown by no frame of the refusal, in a constructor or a copy."""
    with pytest.raises(ValidationError) as refused:
        OpenAICompatibleChatModel(
            **{"base_url": "http://localhost/v1", "model_name": "any", **given}
        )
    with pytest.raises(BadRequestError) as copied:
        model("http://localhost/v1").model_copy(update=given)
    with pytest.raises(BadRequestError) as called:
        model("http://localhost/v1").invoke("Hi", **given)
    for error in (refused, copied, called):
        assert "planted" not in "".join(_frames(error.value, set()))


@pytest.mark.parametrize(
    "given",
    [
        {"extra_body": {"api_key": "planted", "more": [("Authorization", "planted")]}},
        {"extra_body": {"note": f"password: {'planted' * 20}"}},
        {"stop": ["password: planted"]},
    ],
    ids=["extra body", "long text", "stop"],
)
@pytest.mark.parametrize("way", ["call", "bind"])
def test_no_frame_shows_a_credential_in_a_plain_argument(given: dict[str, Any], way: str) -> None:
    """Neither whole nor shortened; it is sent as it was given."""
    with HostileServer([refuses(401, "no")]) as server:
        asked = model(server.url)
        with pytest.raises(AuthenticationError) as caught:
            asked.bind(**given).invoke("Hi") if way == "bind" else asked.invoke("Hi", **given)
        sent = server.requests[0].body
    assert "planted" not in "".join(_frames(caught.value, set()))
    assert "planted" in str(sent)


def test_a_hidden_text_is_shown_in_no_part() -> None:
    """Tools that shorten what they show ask for a part of it."""
    text = HiddenText("password: planted")
    assert "planted" not in f"{text!r}{text[:17]!r}{[text]}"
    assert (f"{text}", json.dumps([text])) == ("password: planted", '["password: planted"]')


def test_an_assigned_address_is_looked_at_by_the_call() -> None:
    """No error tells it where it holds a credential."""
    asked = model("http://localhost/v1")
    asked.base_url = "http://someone:planted@localhost/v1"
    with pytest.raises(BadRequestError, match="base_url") as caught:
        asked.invoke("Hi")
    assert "planted" not in "".join(_frames(caught.value, set()))


def _configurable() -> Any:
    return model(ELSEWHERE, api_key=None).configurable_fields(
        api_key=ConfigurableField(id="which"), headers=ConfigurableField(id="more")
    )


CONFIG: Any = {"configurable": {"which": "planted7x9", "more": {"X-Key": "planted7x9"}}}


def test_a_config_that_gives_a_key_keeps_it() -> None:
    """Whatever LangChain calls it there: in prints, pickles, serialized forms and frames."""
    made = _configurable().with_config(CONFIG)
    pickled = pickle.dumps(made)
    assert "planted" not in f"{made!r}{dumps(made)}{pickled!r}{made.__getstate__()}"
    with pytest.raises(AuthenticationError, match="api_key, headers was pickled"):
        pickle.loads(pickled).invoke("Hi")  # noqa: S301 - it is ours


@pytest.mark.parametrize("way", ["with_config", "call", "sequence", "stream", "batch", "ainvoke"])
def test_no_frame_shows_a_key_in_a_config(way: str) -> None:
    """Where a config gives it to the model."""
    ways: dict[str, Callable[[Any], Any]] = {
        "with_config": lambda made: made.with_config(CONFIG).invoke("Hi"),
        "call": lambda made: made.invoke("Hi", CONFIG),
        "sequence": lambda made: (made | StrOutputParser()).invoke("Hi", config=CONFIG),
        "stream": lambda made: list(made.stream("Hi", CONFIG)),
        "batch": lambda made: made.batch(["Hi", "Ho"], CONFIG),
        "ainvoke": lambda made: asyncio.run(made.ainvoke("Hi", CONFIG)),
    }
    with HostileServer([refuses(401, "no")]) as server:
        made: Any = model(server.url, api_key=None).configurable_fields(
            api_key=ConfigurableField(id="which"), headers=ConfigurableField(id="more")
        )
        with pytest.raises(AuthenticationError) as caught:
            ways[way](made)
        assert server.requests[0].headers["authorization"] == "Bearer planted7x9"
    assert "planted" not in "".join(_frames(caught.value, set()))


def test_a_bound_config_keeps_credentials() -> None:
    """Also those that no model asks for, in its metadata."""
    made = model(ELSEWHERE).with_config(metadata={"password": "planted", "team": "blue"})
    assert "planted" not in f"{made!r}{dumps(made)}{pickle.dumps(made)!r}"
    assert "blue" in repr(made)
    assert "planted" not in str(model(ELSEWHERE)._get_ls_params(stop=["password: planted"]))


def test_a_method_that_streams_is_seen_to_be_a_generator() -> None:
    """What asks `inspect` about a model's methods, as LangChain does, finds what LangChain has."""
    asked = model("http://localhost/v1")
    assert inspect.isasyncgenfunction(asked.astream)
    assert inspect.isgeneratorfunction(asked.stream)
    assert inspect.iscoroutinefunction(asked.ainvoke)
    assert asked.astream.__name__ == "astream"


def test_no_frame_of_a_constructor_shows_the_key() -> None:
    """Nor where a model cannot be made."""
    key = f"{KEY}\n"
    with pytest.raises(ValidationError) as caught:
        model("http://127.0.0.1:1/v1", api_key=key)
    frames = []
    frame = caught.value.__traceback__
    while frame is not None:
        if "nodespan" in str(frame.tb_frame.f_globals.get("__name__")):
            frames.append(repr(frame.tb_frame.f_locals))
        frame = frame.tb_next
    assert frames
    assert "planted" not in "".join(frames)


def test_a_copy_sends_no_key_that_the_model_would_not_have_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A loaded model asks for the key that it had, and takes no other for it."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    given = model(ELSEWHERE, headers={"X-Gateway-Key": "gw-planted-987"})
    pickled = pickle.dumps(given)
    assert b"planted" not in pickled
    loaded = pickle.loads(pickled)  # noqa: S301 - it is ours
    assert not loaded._secret_headers
    for copy in (loaded, loaded.model_copy(), pickle.loads(pickle.dumps(loaded))):  # noqa: S301
        with pytest.raises(AuthenticationError, match="api_key, headers again"):
            copy.invoke("Hi")
    found = model(ELSEWHERE, api_key=None).model_copy()
    assert not found._secret_headers


def test_a_key_of_the_environment_stays_one_in_every_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where LangChain makes the model anew, with another address."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    found = OpenAICompatibleChatModel(base_url="http://127.0.0.1:1/v1", model_name="tiny")
    assert found._secret_headers
    configurable: Any = found.configurable_fields(base_url=ConfigurableField(id="url"))
    moved, _ = configurable._prepare({"configurable": {"url": ELSEWHERE}})
    assert moved.base_url == ELSEWHERE
    assert not moved._secret_headers
    assert not found.model_copy(update={"base_url": ELSEWHERE})._secret_headers


_SCHEMA: dict[str, Any] = {"title": "t", "type": "object", "properties": {}}
_AT_ONCE: dict[str, Any] = {"wait_exponential_jitter": False}
_AROUND: dict[str, Callable[[OpenAICompatibleChatModel], Any]] = {
    "itself": lambda model: model,
    "config": lambda model: model.with_config(tags=["a"]),
    "retry": lambda model: model.with_retry(**_AT_ONCE),
    "retry of a binding": lambda model: model.bind(seed=1).with_retry(**_AT_ONCE),
    "fallbacks": lambda model: model.with_fallbacks([model]),
    "fallbacks of retries": lambda model: model.with_retry(**_AT_ONCE).with_fallbacks(
        [model.with_retry(**_AT_ONCE)]
    ),
    "types": lambda model: model.with_types(output_type=str),
    "fields": lambda model: model.configurable_fields(seed=ConfigurableField(id="seed")),
    "alternatives": lambda model: model.configurable_alternatives(
        ConfigurableField(id="which"), other=model
    ),
    "sequence": lambda model: model | StrOutputParser(),
    "longer sequence": lambda model: model | StrOutputParser() | StrOutputParser(),
    "pipe": lambda model: model.pipe(StrOutputParser()),
    "data": lambda model: model.with_structured_output(_SCHEMA),
}


@pytest.mark.parametrize("around", _AROUND.values(), ids=_AROUND)
def test_bound_arguments_keep_secrets(around: Callable[[OpenAICompatibleChatModel], Any]) -> None:
    """Neither print nor pickle of what is bound has them; who loads it is asked for them."""
    secrets: dict[str, Any] = {"api_key": KEY, "headers": {"X-Other": "gw-planted-987"}}
    bound = around(model(ELSEWHERE)).bind(**secrets)
    assert "planted" not in repr(bound)
    assert "planted" not in dumps(bound)
    pickled = pickle.dumps(bound)
    assert b"planted" not in pickled
    with pytest.raises(AuthenticationError, match="again"):
        pickle.loads(pickled).invoke("Hi")  # noqa: S301 - it is ours


@pytest.mark.parametrize(
    ("around", "kind"),
    [
        ("config", RunnableBinding),
        ("retry", RunnableRetry),
        ("fallbacks", RunnableWithFallbacks),
        ("sequence", RunnableSequence),
    ],
)
def test_what_is_made_around_a_model_is_known_as_langchains(around: str, kind: type) -> None:
    """Runs have the names, and serialized objects the ids, that LangChain's own classes have."""
    made = _AROUND[around](model(ELSEWHERE))
    assert isinstance(made, kind)
    assert type(made).__name__ == kind.__name__
    assert dumpd(made)["id"][-1] == kind.__name__


@pytest.mark.parametrize("include_raw", [True, False])
def test_the_print_of_data_keeps_secrets(*, include_raw: bool) -> None:
    """However the data is asked for, and in each element of a list of calls."""
    data = model(ELSEWHERE).with_structured_output(_SCHEMA, include_raw=include_raw)
    for made in (data, model(ELSEWHERE).map()):
        bound = made.bind(api_key=KEY, headers={"X-Other": "gw-planted-987"})
        assert "planted" not in repr(bound)
