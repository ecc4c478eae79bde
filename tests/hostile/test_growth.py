"""Work grows as its input does: counted in calls, and in characters looked at."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import threading
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk

from nodespan.graph.cli._terminal.output import Output
from nodespan.model import (
    CustomChatModel,
    MalformedAnswerError,
    ModelTimeoutError,
    OpenAICompatibleChatModel,
)
from nodespan.model._answer.arguments import MOST_ARGUMENTS, Arguments
from nodespan.model._answer.arguments import Parts as PartsThatGrow
from nodespan.model._answer.calls import Calls, original_arguments
from nodespan.model._answer.whole import whole
from nodespan.model._custom import base
from nodespan.model._generators import turns
from nodespan.model._generators.unpaused import unpaused
from nodespan.model._openai import exchange, http
from nodespan.model._openai.chunks import ChunkReader, ExcessError
from nodespan.model._openai.sse import EventTooLongError, server_sent_events
from nodespan.model._openai.wire import Chunk, parse_chunk
from nodespan.model._tools import reader as constrained
from nodespan.model._tools.reader import CallStart, ConstrainedReader, Text
from nodespan.telemetry import ConfigurationError
from nodespan.telemetry._settings import price_file
from nodespan.telemetry._settings.prices import PriceTable
from nodespan.telemetry._values import credentials
from nodespan.telemetry._values.credential_shapes import compiled
from nodespan.telemetry._values.credentials import without_credentials
from nodespan.telemetry.console import TraceTree
from nodespan.telemetry.testing import capture_spans
from support.hostile import HostileServer, chunk, sends

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from langchain_core.messages.tool import ToolCallChunk


class Counting:
    """A pattern that counts the characters which it is given, or has matched."""

    def __init__(self, pattern: Any) -> None:
        self._pattern = pattern
        self.characters = 0

    def match(self, text: str, start: int = 0) -> Any:
        """Match at one place: what was matched has been looked at, or else all up to the end."""
        found = self._pattern.match(text, start)
        self.characters += len(text) - start if found is None else found.end() - start
        return found

    def sub(self, into: str, text: str) -> Any:
        """Look at all of a text."""
        self.characters += len(text)
        return self._pattern.sub(into, text)

    def findall(self, text: str) -> Any:
        """Look at all of a text."""
        self.characters += len(text)
        return self._pattern.findall(text)


def calls_of(work: Callable[[], object]) -> int:
    """Count the calls that a work makes, those into C among them."""
    made = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return made


def grows_as_its_input(work: Callable[[int], object], size: int) -> bool:
    """Say whether four times the input takes hardly more than four times the calls."""
    work(size)  # what is done once is done
    return calls_of(lambda: work(4 * size)) <= 5 * calls_of(lambda: work(size)) + 100


class Parts(httpx.AsyncByteStream):
    """A body that comes in small parts."""

    def __init__(self, part: bytes, number: int) -> None:
        self.left = number
        self.part = part

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.left:
            self.left -= 1
            yield self.part


async def read_events(body: Parts, limit: int) -> int:
    """Count the events of a body."""
    headers = {"Content-Type": "text/event-stream"}
    response = httpx.Response(200, headers=headers, stream=body)
    return len([event async for event in server_sent_events(response, limit=limit)])


@pytest.mark.parametrize(
    "part", [b"data: x\n\n", b": ping\n", b"data: x\n", b"\r\n", b"x", b"\xf0"]
)
def test_a_stream_of_events(part: bytes) -> None:
    """Each part is looked at once, whether events, comments, fields or a line come of it."""
    size = 200
    assert grows_as_its_input(
        lambda number: asyncio.run(read_events(Parts(part, number), 1 << 20)), size
    )


@pytest.mark.parametrize("part", [b": ping\n", b"data: x\n", b"\r\n", b"x"])
def test_an_event_without_an_end(part: bytes) -> None:
    """No more is read than an event may have, whatever it is made of."""
    body = Parts(part, 1_000_000)
    with pytest.raises(EventTooLongError):
        asyncio.run(read_events(body, 1_000))
    assert (1_000_000 - body.left) * len(part) < 1_100


def read_calls(number: int, **function: Any) -> None:
    """Read the deltas of one call, each the same."""
    reader = ChunkReader()
    delta = Chunk.model_validate(chunk(tool_calls=[{"index": 0, "function": function}]))
    for _ in range(number):
        list(reader.read(delta))
    list(reader.end())


@pytest.mark.parametrize(
    "function",
    [
        {"name": "f", "arguments": "}"},
        {"arguments": '{"a'},
        {"arguments": "\\"},
        {"name": "f", "arguments": ""},
        {"arguments": "\ud83d"},
    ],
)
@pytest.mark.slow
def test_a_call_in_many_parts(function: dict[str, Any]) -> None:
    """Each part is looked at once, however often it names the call."""
    assert grows_as_its_input(lambda number: read_calls(number, **function), 200)


@pytest.mark.parametrize(
    "delta",
    [
        {"thought": "why"},
        {"details": [{"text": "why"}]},
        {"details": [{"index": 1, "text": "why"}]},
        {"details": {"text": "why"}},
    ],
)
def test_fields_that_a_server_adds(delta: dict[str, Any]) -> None:
    """What has come before is not looked at again for each part."""
    part = Chunk.model_validate(chunk(**delta))

    def read(number: int) -> None:
        reader = ChunkReader()
        for _ in range(number):
            list(reader.read(part))
        list(reader.end())

    assert grows_as_its_input(read, 100)


def test_a_field_with_many_items() -> None:
    """Each item finds its place at once."""

    def read(number: int) -> list[Any]:
        items = [{"index": index, "text": "a"} for index in range(number)]
        part, reader = Chunk.model_validate(chunk(details=items)), ChunkReader("s")
        for _ in range(2):
            list(reader.read(part))
        return list(reader.end())

    assert grows_as_its_input(read, 100)
    (last,) = read(3)
    kept = last.response_metadata["provider_fields"]["message"]["details"]
    assert kept == [{"index": index, "text": "aa"} for index in range(3)]


def test_kinds_of_content_that_alternate() -> None:
    """They make a bounded number of blocks, and nothing of them is lost."""
    reader, blocks = ChunkReader(), {}
    parts = [Chunk.model_validate(chunk(**{kind: "a"})) for kind in ("reasoning", "content")]
    for _ in range(1_000):
        for part in parts:
            for piece in reader.read(part):
                for block in [] if isinstance(piece, str) else piece.content:
                    blocks.setdefault(block["index"], []).append(block)
    assert len(blocks) == 512
    assert sum(map(len, blocks.values())) == 2_000
    assert all(len({block["type"] for block in each}) == 1 for each in blocks.values())


def test_other_content_is_bounded() -> None:
    """Blocks that are no text are counted, over all events and in each."""
    reader = ChunkReader()
    pictures = Chunk.model_validate(chunk([{"type": "image"}] * 400))
    assert len(list(reader.read(pictures))) == 401
    with pytest.raises(ExcessError, match="512 blocks"):
        list(reader.read(pictures))
    with pytest.raises(ValueError, match="content"):
        parse_chunk(json.dumps(chunk([{"type": "image"}] * 4_000)))
    with pytest.raises(ValueError, match="at most 256"):
        parse_chunk(json.dumps({"choices": [{}] * 4_000}))


@pytest.mark.parametrize("written", ['{"a": 1,', '{"a":', '{"a"', "[1,"])
def test_blanks_behind_arguments_that_break_off(written: str) -> None:
    """LangChain would read them once for each blank: most are left out, but those in a text."""

    def answer(blanks: int, *, parts: int) -> ToolCallChunk:
        taking = Calls()
        for text in [written, *[" " * (blanks // parts)] * parts]:
            call = tool_call_chunk(name=None, args=text, id="c", index=0)
            taken = taking.take(AIMessageChunk("", tool_call_chunks=[call]))
        return taken.tool_call_chunks[0]

    assert grows_as_its_input(lambda number: answer(100 * number, parts=10), 10)
    reader, given = ChunkReader(), ""
    for text in (written, " " * 1_000, '"', " " * 50, '"'):
        function = {"name": "f", "arguments": text}
        part = Chunk.model_validate(chunk(tool_calls=[{"index": 0, "function": function}]))
        given += "".join(
            call["args"] or ""
            for piece in reader.read(part)
            if not isinstance(piece, str)
            for call in piece.tool_call_chunks
        )
    assert given == written + " " * 32 + '"' + " " * 50 + '"'


def test_arguments_without_an_end() -> None:
    """They have one, long before their answer."""
    arguments, most = Arguments(), MOST_ARGUMENTS // 1_000
    assert "".join(arguments.take("x" * 1_000) for _ in range(most)) == "x" * 1_000 * most
    with pytest.raises(MalformedAnswerError, match="go on beyond"):
        arguments.take("x" * 1_000)


def test_a_long_text_is_passed_on_in_parts_that_grow() -> None:
    """All of it, and so that adding each part to those before it is no work of their square."""
    parts = PartsThatGrow()
    passed = [parts.pass_on("x" * 1_000) for _ in range(5_000)]
    given = list(filter(None, passed))
    assert all(passed[:250])
    assert len(given) < 600
    assert "".join([*given, parts.rest()]) == "x" * 5_000_000


@pytest.mark.skipif(
    tuple(map(int, version("langchain-core").split(".")[:2])) < (1, 8),
    reason="its parser of JSON that breaks off takes the square of the length",
)
def test_no_argument_is_lost_of_a_call_that_was_passed_on_in_parts() -> None:
    """What was held back comes with the end, whether the call is whole or not."""
    for end in ('"}', ""):
        calls, given = Calls(), []
        for text in ['{"a": "', "x" * 300_000, *["y" * 1_000] * 3, end]:
            call = tool_call_chunk(name="f" if not given else None, args=text, id="c", index=0)
            taken = calls.take(AIMessageChunk("", tool_call_chunks=[call]))
            given += [part["args"] or "" for part in taken.tool_call_chunks]
        assert not all(given[:-1])
        given += [part["args"] or "" for last in calls.end(None) for part in last.tool_call_chunks]
        said = '{"a": "' + "x" * 300_000 + "y" * 3_000 + end
        assert original_arguments("".join(given)) == said


@pytest.mark.parametrize("event", [{}, chunk("a")])
async def test_a_flood_of_events_lets_others_run(
    event: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events that are there already are no reason to keep the event loop."""
    monkeypatch.setattr(turns, "_LONGEST", -1.0)
    ran = 0

    async def others() -> None:
        nonlocal ran
        while True:
            ran += 1
            await asyncio.sleep(0)

    events = [event] * 200
    with HostileServer([sends(*events, chunk("b", finish="stop"))]) as server:
        model = OpenAICompatibleChatModel(base_url=server.url, model_name="m")
        task = asyncio.create_task(others())
        await model.ainvoke("Hi")
        task.cancel()
    assert ran > 200


class Busy(httpx.AsyncBaseTransport):
    """Waits for what is there already, as while a server sends answers of 1xx without a pause."""

    left = 1_000_000

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer late."""
        while self.left:
            self.left -= 1
            await asyncio.sleep(0)
        return httpx.Response(500, request=request)


async def test_a_flood_before_an_answer_is_ended_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its event loop gets turns meanwhile, in which the call's limits of time fire."""
    monkeypatch.setattr(exchange, "_LONGEST_TURN", -1.0)
    busy = Busy()
    monkeypatch.setattr(http, "_client", lambda *_: httpx.AsyncClient(transport=busy))
    limits: Any = {"first_chunk_timeout": 0.001, "max_retries": 0}
    model = OpenAICompatibleChatModel(base_url="http://127.0.0.1:1/v1", model_name="m", **limits)
    with pytest.raises(ModelTimeoutError):
        await model.ainvoke("Hi")
    assert busy.left


async def test_what_never_waits_is_ended_in_time() -> None:
    """Where it may go on for so long alone; a limit of time does not fire before."""

    async def never_waits() -> None:
        for _ in range(100_000):
            await asyncio.sleep(0)

    await unpaused(never_waits())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await unpaused(never_waits(), -1.0)


async def test_many_chunks_are_added_up_beside_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Their sum takes as long as there are chunks."""
    threads = []

    def summed(chunks: Any) -> Any:
        threads.append(threading.current_thread())
        return whole(chunks)

    monkeypatch.setattr(base, "whole", summed)
    for words in (10, 1_000):
        answer = await Words(words=words).ainvoke("Hi")
        assert answer.text == "a" * words
    assert [thread is threading.current_thread() for thread in threads] == [True, False]


class Words(CustomChatModel):
    """Says so many words."""

    words: int

    async def arespond(self, messages: list[Any]) -> AsyncIterator[str]:  # type: ignore[override]  # no more
        """Say them."""
        for _ in range(self.words * len(messages)):
            yield "a"


def test_white_space_behind_arguments_that_are_none() -> None:
    """It is not gathered up: one of it says all."""
    from nodespan.model._answer.calls import _Call  # noqa: PLC0415 - it holds what was read

    call = _Call()
    for text in ("null", *[" \n" * 50] * 100):
        assert call._read(text) == ""
    assert call._held == "null "
    assert call._read("x") == "null x"


@pytest.fixture
def patterns(monkeypatch: pytest.MonkeyPatch) -> dict[str, Counting]:
    """Count what the patterns of a constrained answer look at."""
    names = ["_CALL", "_ANSWER", "_DATA", "_BROKEN_OFF", "_STRING_PART"]
    counting = {name: Counting(getattr(constrained, name)) for name in names}
    for name, pattern in counting.items():
        monkeypatch.setattr(constrained, name, pattern)
    return counting


@pytest.mark.parametrize(
    ("head", "part", "kind"),
    [
        ('{"tool": "', "a" * 4096, CallStart),
        ("", " " * 4096, Text),
        ('{"arguments": {"a": "', "b" * 4096, CallStart),
        ("no JSON ", "at all " * 600, Text),
    ],
)
@pytest.mark.slow
def test_a_constrained_answer_whose_head_has_no_end(
    patterns: dict[str, Counting], head: str, part: str, kind: type
) -> None:
    """Beyond a bound it is told as it comes, and up to there it is looked at a few times only."""
    reader, told, given = ConstrainedReader(), [], len(head)
    list(reader.feed(head))
    while given < 2 * constrained.MOST_HEAD:
        told += reader.feed(part)
        given += len(part)
        held = len(reader._pending) + sum(map(len, reader._waiting))
        assert held <= constrained.MOST_HEAD + len(part)
    told += reader.end()
    assert type(told[0]) is kind
    assert len(told) > 200
    assert sum(pattern.characters for pattern in patterns.values()) < 10 * given


@pytest.mark.parametrize("part", ["\\q" * 32, "\\ud83d" * 10, "a\\", '\\"', "\\u12"])
def test_a_constrained_answer_with_escapes_that_are_none(
    patterns: dict[str, Counting], part: str
) -> None:
    """They stand for themselves, and hold up nothing."""
    reader, given = ConstrainedReader(), 0
    list(reader.feed('{"answer": "'))
    for _ in range(500):
        list(reader.feed(part))
        given += len(part)
        assert len(reader._pending) < 12
    assert patterns["_STRING_PART"].characters < 80 * given


@pytest.mark.parametrize(
    "part",
    [
        *("password=", 'password="', 'password=\\"', "--token=", "key, ", '"key": "', "token "),
        *("https://", "https://a:b@", "eyJ", ".eyJaaaaaaaa", "sk-", "Cookie: a", "Bearer ", "{"),
        *("-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "PuTTY-User-Key-File-", ":AA", "1:AA"),
        *("curl ", "curl -u ", "curl -u a ", "mysql -a ", "machine h login u ", "docker login "),
        *(
            "http -a ",
            "smbclient -a ",
            "net -U ",
            "htpasswd -b a ",
            "zip a ",
            '"curl", ',
            "snmpget a ",
        ),
        *(
            "IDENTIFIED BY ",
            "identified by '",
            "PASSWORD '",
            "user a password ",
            "--from-literal=a ",
        ),
        *(
            "password: |\n  ",
            "my_key: |\n  a\n",
            "name: password\n value: ",
            'password="""',
            "key:\n",
        ),
        *("password: |\n\n", "token: &", "password: !a "),
    ],
)
def test_a_text_full_of_credentials(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patterns are tried only where a hint stands, each on as much as it takes."""
    patterns = (credentials._BARE, credentials._COOKIES)
    bare, cookies = counted = [Counting(compiled(each)) for each in patterns]
    by_pattern = dict(zip(patterns, counted, strict=True))
    monkeypatch.setattr(credentials, "compiled", lambda each: by_pattern.get(each, compiled(each)))
    size = max(4_000 // len(part), 1)
    assert grows_as_its_input(lambda number: without_credentials(part * number), size)
    assert bare.characters + cookies.characters <= 10 * len(part) * size


SEEDS: Any = settings(max_examples=40, derandomize=True, deadline=None)


@SEEDS
@given(st.text('{}[]":,\\ pasword=tkn-_/@&<>.#\n', min_size=1, max_size=12))
def test_any_text_that_repeats_itself(part: str) -> None:
    """As a text with credentials, as an answer that is held to a schema, and as a price table."""
    size = 96 // len(part)
    works: list[Callable[[int], object]] = [
        lambda number: without_credentials(part * number),
        lambda number: list(
            ConstrainedReader().feed('{"tool": "f", "arguments": ' + part * number)
        ),
        lambda number: _shape(part * number),
    ]
    assert all(grows_as_its_input(work, size) for work in works)


def _shape(text: str) -> None:
    with suppress(ValueError):
        price_file._check_shape(text)


@settings(SEEDS, max_examples=16)
@given(st.binary(min_size=1, max_size=8))
def test_any_part_of_a_stream_that_repeats_itself(part: bytes) -> None:
    """Whatever the bytes are, as many times as much is as many times the work."""

    def read(number: int) -> None:
        with suppress(EventTooLongError):
            asyncio.run(read_events(Parts(part, number), 1 << 20))

    assert grows_as_its_input(read, 64)


@pytest.mark.parametrize(
    "line", ["m{n} = {{ input = 1, output = 2 }}\n", "# {n}\n", '["m{n}"]\ninput = 1\noutput = 1\n']
)
def test_a_table_of_prices(tmp_path: Any, line: str) -> None:
    """Each line is read once."""

    def read(lines: int) -> None:
        path = tmp_path / f"{lines}.toml"
        path.write_text(
            "".join(line.replace("{n}", str(n)) for n in range(lines))
            .replace("{{", "{")
            .replace("}}", "}")
        )
        PriceTable.of(path)

    assert grows_as_its_input(read, 200)


def test_a_table_of_prices_that_is_too_long(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes beyond the bound is not even looked at; a price without a number is none."""
    for name in ("_STRUCTURE", "_NO_STRUCTURE"):
        monkeypatch.setattr(price_file, name, Counting(getattr(price_file, name)))
    path = tmp_path / "long.toml"
    path.write_text("# long\n" * 1_000_000)
    with pytest.raises(ConfigurationError, match="no table of prices"):
        PriceTable.of(path)
    assert price_file._STRUCTURE.characters == 0  # type: ignore[attr-defined]  # it counts
    with pytest.raises(ConfigurationError, match="use a number"):
        PriceTable.of({"m": {"input": 10**400, "output": 1}})


class Terminal(io.StringIO):
    """Is a terminal that keeps what it was sent, and counts how often."""

    writes = 0

    def isatty(self) -> bool:
        """Say yes."""
        return True

    def write(self, text: str) -> int:
        """Count it."""
        self.writes += 1
        return super().write(text)


@pytest.mark.parametrize("piece", ["a", "\x1b]52;c;x\x07", "\u202e\r", "\n"])
def test_what_is_displayed_of_an_answer(piece: str) -> None:
    """Each piece is written as it comes, once, and nothing of it is kept."""
    terminal = Terminal()
    output = Output(terminal)
    assert grows_as_its_input(lambda number: [output.write(piece) for _ in range(number)], 200)
    before, terminal.writes = len(terminal.getvalue()), 0
    for _ in range(100):
        output.write(piece)
    assert terminal.writes == 100
    assert len(terminal.getvalue()) - before <= 100 * len(piece)


@pytest.mark.slow
def test_what_is_displayed_of_a_trace() -> None:
    """Each span is drawn once, of a wide trace and of a deep one."""
    from langchain_core.runnables import RunnableLambda  # noqa: PLC0415

    def nested(depth: int) -> Any:
        inner: Any = RunnableLambda(lambda x: x)
        for _ in range(depth):
            inner = RunnableLambda(lambda x, inner=inner: inner.invoke(x))
        return inner

    def spans(number: int) -> Any:
        with capture_spans(all_runnables=True) as captured:
            for _ in range(number):
                nested(3).invoke(1, {"callbacks": [captured.handler]})
        return captured.spans

    told = {number: spans(number) for number in (10, 40)}

    def draw(number: int) -> None:
        Output(io.StringIO()).show(TraceTree(told[number]))

    assert grows_as_its_input(draw, 10)
