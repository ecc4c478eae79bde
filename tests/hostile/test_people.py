"""What people set up by mistake, or others send them, is told early, and forges nothing."""

from __future__ import annotations

import http.client
import io
import json
import logging
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from nodespan.model import EchoChatModel
from nodespan.model._openai.chunks import ChunkReader
from nodespan.model._openai.wire import parse_chunk
from nodespan.model._tools.reader import ConstrainedReader
from nodespan.telemetry import ConfigurationError, configure_logging
from nodespan.telemetry._settings import price_file
from nodespan.telemetry._settings.prices import PriceTable
from nodespan.telemetry._values.credentials import without_credentials
from nodespan.telemetry._values.plain import Reader, to_json
from nodespan.telemetry.testing import capture_spans

if TYPE_CHECKING:
    from pathlib import Path

INVISIBLE = "\x1b]52;c;x\x07 \r\n \x9b \x7f \u2028 \u202e \u2066"


@pytest.mark.usefixtures("logging_put_back")
@pytest.mark.parametrize("format_", ["console", "json"])
def test_a_record_is_a_line(format_: Any) -> None:
    """No event, key, value or exception's text forges a line or reaches the terminal raw."""
    stream = io.StringIO()
    configure_logging(format=format_, stream=stream, exception_messages=True)
    structlog.get_logger().info(f"event{INVISIBLE}", **{f"key{INVISIBLE}": INVISIBLE})
    assert stream.getvalue().count("\n") == 1
    try:
        raise type(f"Bad{INVISIBLE}", (ValueError,), {})(INVISIBLE)
    except ValueError:
        logging.getLogger("nodespan.x").exception("failed%s", INVISIBLE)
    told = stream.getvalue()
    assert not {*INVISIBLE} - {" ", "\n", *"]52;cx"} & {*told}


@pytest.mark.parametrize(
    "document",
    [
        "a = " + "[" * 100_000,
        "a." * 50_000 + "b = 1",
        '"a" . ' * 16_000 + "b = 1",
        "a = 1 # long\n" * 100_000,
    ],
)
def test_a_price_table_that_is_none(tmp_path: Path, document: str) -> None:
    """One that is too deep or too long is refused before it is parsed."""
    path = tmp_path / "prices.toml"
    path.write_text(document)
    with pytest.raises(ConfigurationError, match="no table of prices"):
        PriceTable.of(path)


@pytest.mark.parametrize(
    "mark", ['"', "'", "a", "a-", " ", "1", "1_", "\t", "'\"", "#", "\r", "\\"]
)
def test_a_price_table_of_one_mark_is_looked_through_once(mark: str) -> None:
    """However long it is; a look that began anew at each mark would not end today."""
    text = mark * (900_000 // len(mark))
    price_file._check_shape(text)
    price_file._check_shape(f"x = {text}")


@pytest.mark.parametrize(
    "table",
    [
        {"m": {"input": 10**5_000, "output": 1}},
        {"m": {"input": -(10**5_000), "output": 1}},
        {"m": {"input": float("nan"), "output": 1}},
        {"m": {"input": float("inf"), "output": 1}},
        {"m": {"input": [10**5_000], "output": 1}},
        {10**5_000: {"input": 1}},
        "x" * 100_000,
        "/nowhere/\x1b[31m\n",
    ],
    ids=["huge", "negative", "nan", "infinite", "list", "name", "text", "path"],
)
def test_a_price_that_is_none(table: Any) -> None:
    """It is refused by our error, which is short and one line."""
    with pytest.raises(ConfigurationError) as caught:
        PriceTable.of(table)
    assert len(str(caught.value)) < 1_000
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("raised", [SystemExit, MemoryError])
def test_a_redaction_is_asked_once_a_value_and_ends_nothing(raised: type[BaseException]) -> None:
    """For span and event together; an exit that it asks for is not taken."""
    asked: list[str] = []

    def redact(name: str, value: Any) -> Any:
        asked.append(name)
        return value

    with capture_spans(capture_content="SPAN_ONLY", redact=redact) as captured:
        EchoChatModel().invoke("Hi", {"callbacks": [captured.handler]})
    assert sorted(asked) == ["gen_ai.input.messages", "gen_ai.output.messages"]

    def leaving(_name: str, _value: Any) -> Any:
        raise raised

    with capture_spans(capture_content="SPAN_AND_EVENT", redact=leaving) as captured:
        EchoChatModel().invoke("Hi", {"callbacks": [captured.handler]})
    assert captured.tree == ["chat echo"]


def test_resource_attributes_have_no_credentials(run_program: Any) -> None:
    """Whatever stands in the variable."""
    code = """
from nodespan.telemetry import configure
with configure() as telemetry:
    print(dict(telemetry.tracer_provider.resource.attributes))
"""
    variable = "api_key=planted-1,db=postgres://u:planted-2@h/x,team=blue"
    result = run_program(code, OTEL_RESOURCE_ATTRIBUTES=variable)
    assert (result.returncode, result.stderr) == (0, "")
    assert "'team': 'blue'" in result.stdout
    assert "planted" not in result.stdout


PAIRS = [
    ("Authorization", "planted"),
    {"name": "Authorization", "value": "planted"},
    {"key": "DB_PASSWORD", "value": "planted"},
    {"Name": "api-key", "Value": "planted"},
    {"Key": "DB_PASSWORD", "Value": "planted"},
    '{"Name": "api-key", "Value": "planted"}',
    ["--api-key", "planted", "--verbose"],
]


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_pairs_are_known(pair: Any) -> None:
    """A value whose name stands beside it is hidden, and the name is not."""
    told = to_json(Reader(10_000).read({"headers": [pair], "text": "page"}))
    assert "planted" not in told
    assert "page" in told


STATUS_OF_HOST = {
    **dict.fromkeys(["127.0.0.1", "localhost:1", "LOCALHOST.", "[::1]:9", "[::1]"], 200),
    **dict.fromkeys(["evil.example", "evil.example:80", "localhost.evil.example", ""], 421),
    **dict.fromkeys(["[::1].evil.example", "[127.0.0.1]evil", "localhost:evil", "evil]:1"], 421),
    **dict.fromkeys(["localhost@evil.example", "127.1", "localhost:1:2", "[[::1]]"], 421),
}


def test_a_scrape_endpoint_has_bounds() -> None:
    """It answers to its own names, and to so many connections at once."""
    registry = pytest.importorskip("prometheus_client").CollectorRegistry()
    from nodespan.telemetry._scraping.server import (  # noqa: PLC0415 - the extra
        MAX_CONNECTIONS,
        start_scrape_server,
    )

    server = start_scrape_server("127.0.0.1", 0, registry)
    before = threading.active_count()
    try:
        told = {}
        for host in STATUS_OF_HOST:
            connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
            connection.request("GET", "/metrics", headers={"Host": host})
            told[host] = connection.getresponse().status
            connection.close()
        assert told == STATUS_OF_HOST
        address = ("127.0.0.1", server.server_port)
        idle = [socket.create_connection(address) for _ in range(3 * MAX_CONNECTIONS)]
        idle[-1].recv(1)  # it is closed at once: all places are taken
        assert threading.active_count() - before <= MAX_CONNECTIONS
        for each in idle:
            each.close()
    finally:
        server.shutdown()
        server.server_close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=12,
)
DELTAS = st.fixed_dictionaries(
    {},
    optional={"content": JSON, "tool_calls": JSON, "refusal": JSON, "reasoning": JSON},
)


@given(st.one_of(st.text(), JSON.map(json.dumps), DELTAS.map(
    lambda delta: json.dumps({"choices": [{"delta": delta}]})
)))  # fmt: skip
def test_any_event_is_a_chunk_or_none(data: str) -> None:
    """Nothing but a `ValueError` comes of it."""
    try:
        list(ChunkReader().read(parse_chunk(data)))
    except ValueError:
        return


@given(st.lists(st.text(alphabet='{}[]":,\\ toolargumentsanswer1', max_size=30), max_size=20))
def test_any_constrained_answer_is_read(parts: list[str]) -> None:
    """Nothing is raised, and no more comes out than went in, but for escapes."""
    reader = ConstrainedReader()
    for part in parts:
        list(reader.feed(part))
    list(reader.end())


@given(st.text(alphabet="pasword token=:\"'\\,([{key-_x@/&?#\n", max_size=300))
def test_any_text_is_scanned(text: str) -> None:
    """A second look changes nothing that the first has left, and nothing is raised."""
    assert without_credentials(without_credentials(text)).count("REDACTED") >= 0


@given(st.text(alphabet="[]{}.=,\"'#\n ab1_", max_size=200))
def test_any_price_table_is_taken_or_refused(tmp_path_factory: Any, text: str) -> None:
    """By our error alone."""
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(text)
    try:
        PriceTable.of(path)
    except ConfigurationError:
        return
