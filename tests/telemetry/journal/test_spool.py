"""With an endpoint, spans leave the journal when the endpoint has taken them, and only then."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from nodespan.telemetry import TelemetryConfig
from nodespan.telemetry._journal.schema import migrate
from nodespan.telemetry._settings.variables import Signal
from nodespan.telemetry._setup.journal import ProcessJournal, set_up_journal
from nodespan.telemetry._spool.endpoint import destination_of, endpoint_of
from nodespan.telemetry._spool.forwarder import DAMAGED
from nodespan.telemetry.journal import Journal
from support.receiving import OK, PlayingReceiver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span
    from opentelemetry.trace import Tracer


@pytest.fixture
def receiver() -> Iterator[PlayingReceiver]:
    """A receiver that plays along."""
    receiver = PlayingReceiver()
    yield receiver
    receiver.close()


class Spooling:
    """A journal that sends what is recorded to an endpoint."""

    def __init__(self, path: Path, endpoint: str, **variables: str) -> None:
        config = TelemetryConfig(endpoint=endpoint).checked({})
        journal = set_up_journal(config, path, variables, otherwise=lambda: None, sends=True)
        assert journal is not None
        self.journal: ProcessJournal = journal
        self.path = path
        self.provider = TracerProvider(
            resource=Resource({"service.name": "cats"}), shutdown_on_exit=False
        )
        self.provider.add_span_processor(journal.processor)

    @property
    def tracer(self) -> Tracer:
        """The application's."""
        return self.provider.get_tracer("application")

    def make(self, count: int, first: int = 0, **attributes: Any) -> list[str]:
        """Make spans, and return their names."""
        names = [f"span {number}" for number in range(first, first + count)]
        for name in names:
            self.tracer.start_span(name, attributes=attributes).end()
        return names


@pytest.fixture
def spool(
    receiver: PlayingReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Spooling]]:
    """Return what starts to record and send; it tries again after tenths of a second."""
    monkeypatch.setattr("nodespan.telemetry._spool.forwarder._FIRST_WAIT", 0.05)
    monkeypatch.setattr("nodespan.telemetry._spool.forwarder._LONGEST_WAIT", 0.2)
    started: list[Spooling] = []

    def start(endpoint: str = receiver.endpoint, **variables: str) -> Spooling:
        started.append(Spooling(tmp_path / "journal.db", endpoint, **variables))
        return started[-1]

    yield start
    receiver.released.set()
    for each in started:
        each.journal.stop(1)


def test_what_is_taken_is_owed_no_longer(
    spool: Callable[..., Spooling], receiver: PlayingReceiver
) -> None:
    """Each span arrives once, oldest first, with its resource; the journal keeps it to be read."""
    spooling = spool(OTEL_EXPORTER_OTLP_HEADERS="x-team=cats")
    names = spooling.make(300)
    assert spooling.journal.flush(60)
    assert receiver.names == names
    assert receiver.headers[0]["x-team"] == "cats"
    assert receiver.headers[0]["content-type"] == "application/x-protobuf"
    assert spooling.journal.unsent == 0
    with Journal(spooling.path) as journal:
        assert len(journal.traces(limit=1000)) == 300
        (backlog,) = journal.status().backlogs
    assert (backlog.url, backlog.spans) == (f"{receiver.endpoint}/v1/traces", 0)


def test_while_the_endpoint_is_away_nothing_is_lost(
    spool: Callable[..., Spooling], receiver: PlayingReceiver, eventually: Callable[..., None]
) -> None:
    """What could not be sent is counted, and arrives when the endpoint is back."""
    receiver.go_away()
    spooling = spool()
    names = spooling.make(50)
    before = monotonic()
    assert not spooling.journal.flush(0.3)
    assert monotonic() - before < 10
    assert spooling.journal.unsent == 50
    receiver.come_back()
    eventually(lambda: spooling.journal.unsent == 0)
    assert receiver.names == names
    assert spooling.journal.flush(60)


def test_a_later_process_sends_what_an_earlier_one_left(
    spool: Callable[..., Spooling], receiver: PlayingReceiver, eventually: Callable[..., None]
) -> None:
    """It need not have a span of its own."""
    receiver.go_away()
    earlier = spool()
    names = earlier.make(5)
    earlier.journal.stop(0.5)
    assert earlier.journal.unsent == 5
    receiver.come_back()
    spool()
    eventually(lambda: len(receiver.spans) == 5)
    assert receiver.names == names


@pytest.mark.slow
def test_a_receiver_that_is_busy_is_left_alone(
    spool: Callable[..., Spooling], receiver: PlayingReceiver, eventually: Callable[..., None]
) -> None:
    """`Retry-After` holds, also for who is in a hurry; then all arrives."""
    came: list[float] = []

    def busy_once(_: PlayingReceiver, __: list[Span]) -> Any:
        came.append(monotonic())
        return OK if len(came) > 1 else (429, {"Retry-After": "2"}, b"")

    receiver.plays = busy_once
    spooling = spool()
    names = spooling.make(3)
    eventually(lambda: len(came) == 1)
    spooling.journal.flush(0.5)
    eventually(lambda: receiver.names == names)
    assert came[1] - came[0] >= 2


@pytest.mark.slow
def test_garbage_is_no_receipt(
    spool: Callable[..., Spooling], receiver: PlayingReceiver, eventually: Callable[..., None]
) -> None:
    """A page of a portal, a broken connection and a failure: what was sent is sent again."""
    replies: list[Any] = [
        (200, {"Content-Type": "text/html"}, b"<html>Log in</html>"),
        None,
        (500, {}, b"\xff"),
        (301, {"Location": "/elsewhere"}, b""),
    ]
    receiver.plays = lambda *_: replies.pop(0) if replies else OK
    spooling = spool()
    names = spooling.make(3)
    eventually(lambda: receiver.names == names)
    assert replies == []


def test_too_large_is_halved_until_one_is_left(
    spool: Callable[..., Spooling], receiver: PlayingReceiver
) -> None:
    """A receiver that takes ten spans at once gets no more; all arrive."""
    receiver.plays = lambda _, spans: OK if len(spans) <= 10 else (413, {}, b"")
    spooling = spool()
    names = spooling.make(100)
    assert spooling.journal.flush(60)
    assert sorted(receiver.names) == sorted(names)
    assert Counter(receiver.names).most_common(1)[0][1] == 1


def test_one_that_is_too_large_loses_its_content(
    spool: Callable[..., Spooling], receiver: PlayingReceiver
) -> None:
    """It arrives without what was said, which the journal keeps."""
    receiver.plays = lambda _, spans: (
        (413, {}, b"") if sum(span.ByteSize() for span in spans) > 20_000 else OK
    )
    spooling = spool()
    large = {"gen_ai.input.messages": "Meow" * 10_000, "gen_ai.request.model": "cat-1"}
    spooling.make(1, **large)
    spooling.make(2, first=1)
    assert spooling.journal.flush(60)
    (sent,) = [span for span in receiver.spans if span.name == "span 0"]
    assert {item.key for item in sent.attributes} == {"gen_ai.request.model"}
    assert sent.dropped_attributes_count == 1
    with Journal(spooling.path) as journal:
        found = {
            span.name: span
            for trace in journal.traces()
            for span in journal.trace(trace.trace_id).spans
        }
    assert found["span 0"].attributes == large


def test_what_is_refused_for_good_is_set_aside(
    spool: Callable[..., Spooling], receiver: PlayingReceiver
) -> None:
    """One span that the receiver cannot read holds up nothing, is counted and kept."""
    receiver.plays = lambda _, spans: (
        (400, {}, b"") if any(span.name == "span 7" for span in spans) else OK
    )
    spooling = spool()
    names = spooling.make(40)
    assert not spooling.journal.flush(60)
    assert sorted(receiver.names) == sorted(set(names) - {"span 7"})
    assert spooling.journal.unsent == 1
    with Journal(spooling.path) as journal:
        status = journal.status()
        refused = [
            span.delivery
            for trace in journal.traces(limit=100)
            for span in journal.trace(trace.trace_id).spans
            if span.name == "span 7"
        ]
    assert (status.refused, status.backlogs[0].spans, refused) == (1, 0, ["HTTP 400"])


def test_what_is_damaged_holds_up_nothing(
    spool: Callable[..., Spooling], receiver: PlayingReceiver, eventually: Callable[..., None]
) -> None:
    """A span whose record in the journal is broken is set aside, and counted as not sent."""
    receiver.go_away()
    spooling = spool()
    names = spooling.make(5)
    assert not spooling.journal.flush(0.3)
    eventually(lambda: ended_in(spooling) == 5)
    with sqlite3.connect(spooling.path) as connection:
        connection.execute("UPDATE spans SET span = x'ff' WHERE name = 'span 2'")
    connection.close()
    # What was read before the damage was sent to nobody.
    eventually(lambda: spooling.journal.counts.get(DAMAGED) == 1)
    receiver.come_back()
    eventually(lambda: len(receiver.names) == 4)
    assert receiver.names == [name for name in names if name != "span 2"]
    assert spooling.journal.unsent == 1
    assert spooling.journal.counts[DAMAGED] == 1


def ended_in(spooling: Spooling) -> int:
    """Return how many spans are in the file, ended: what has left the queue is on its way there."""
    with closing(sqlite3.connect(spooling.path)) as connection:
        found = connection.execute("SELECT count(*) FROM spans WHERE ended_at IS NOT NULL")
        return int(found.fetchone()[0])


@pytest.mark.slow
def test_a_receiver_that_refuses_all_is_not_asked_for_ever(
    spool: Callable[..., Spooling], receiver: PlayingReceiver, eventually: Callable[..., None]
) -> None:
    """What is at fault is looked for in a bounded number of requests."""
    receiver.plays = lambda *_: (400, {}, b"")
    spooling = spool()
    spooling.make(1000)
    eventually(lambda: spooling.journal.flush(5) or not spooling.journal.backlog_age)
    assert spooling.journal.unsent == 1000
    assert receiver.requests < 400


def test_what_is_rejected_of_a_batch_is_counted(
    spool: Callable[..., Spooling], receiver: PlayingReceiver
) -> None:
    """A partial success is not sent again: the specification forbids it."""
    partial = ExportTraceServiceResponse(
        partial_success=ExportTracePartialSuccess(rejected_spans=2)
    ).SerializeToString()
    receiver.plays = lambda *_: (200, {"Content-Type": "application/x-protobuf"}, partial)
    spooling = spool()
    spooling.make(5)
    assert not spooling.journal.flush(60)
    assert (receiver.requests, spooling.journal.unsent) == (1, 2)


@pytest.mark.slow
def test_one_forwards_at_a_time(spool: Callable[..., Spooling], receiver: PlayingReceiver) -> None:
    """Two that write share one that sends; nothing arrives twice."""
    first, second = spool(), spool()
    for number in range(20):
        first.make(5, first=number * 10)
        second.make(5, first=number * 10 + 5)
    assert first.journal.flush(60)
    assert second.journal.flush(60)
    assert Counter(receiver.names) == Counter({f"span {number}": 1 for number in range(200)})


@pytest.mark.slow
def test_to_flush_keeps_its_time(spool: Callable[..., Spooling], receiver: PlayingReceiver) -> None:
    """A receiver that hangs holds up neither a flush nor an end; what it has not taken counts."""
    receiver.plays = receiver.hang
    spooling = spool()
    spooling.make(10)
    before = monotonic()
    assert not spooling.journal.flush(0.5)
    spooling.journal.stop(0.5)
    assert monotonic() - before < 10
    assert spooling.journal.unsent == 10


def test_the_backlog_has_an_age(
    spool: Callable[..., Spooling], receiver: PlayingReceiver, eventually: Callable[..., None]
) -> None:
    """How long the oldest span waits is known; when nothing waits it is nought."""
    receiver.go_away()
    spooling = spool()
    spooling.make(1)
    eventually(lambda: spooling.journal.backlog_age > 0.2)
    receiver.come_back()
    assert spooling.journal.flush(60)
    assert spooling.journal.backlog_age == 0


@pytest.mark.slow
def test_another_endpoint_gets_nothing_of_this_ones(spool: Callable[..., Spooling]) -> None:
    """What is owed to one endpoint goes to no other."""
    dead = spool("http://127.0.0.1:9")
    dead.make(3)
    other = PlayingReceiver()
    live = spool(other.endpoint)
    live.make(2, first=10)
    assert live.journal.flush(60)
    assert not dead.journal.flush(0.2)
    other.close()
    assert other.names == ["span 10", "span 11"]
    assert dead.journal.unsent == 3


@pytest.mark.slow
def test_another_tenant_gets_nothing_of_this_ones(
    spool: Callable[..., Spooling], receiver: PlayingReceiver, eventually: Callable[..., None]
) -> None:
    """One URL with other credentials is another destination, and the file has none of them."""
    receiver.plays = lambda *_: (
        OK if receiver.headers[-1].get("x-api-key") == "theirs" else (401, {}, b"")
    )
    mine = spool(OTEL_EXPORTER_OTLP_HEADERS="x-api-key=my-secret")
    mine.make(3)
    assert not mine.journal.flush(0.3)
    eventually(lambda: ended_in(mine) == 3)
    theirs = spool(OTEL_EXPORTER_OTLP_HEADERS="x-api-key=theirs")
    theirs.make(2, first=10)
    assert theirs.journal.flush(60)
    assert receiver.names == ["span 10", "span 11"]
    assert mine.journal.unsent == 3
    with Journal(mine.path) as journal:
        backlogs = journal.status().backlogs
    assert [(each.url, each.spans) for each in backlogs] == [
        (f"{receiver.endpoint}/v1/traces", 3),
        (f"{receiver.endpoint}/v1/traces", 0),
    ]
    assert not any(b"my-secret" in file.read_bytes() for file in mine.path.parent.glob("journal*"))


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ({}, {"OTEL_EXPORTER_OTLP_TIMEOUT": "3", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}, True),
        (
            {"OTEL_EXPORTER_OTLP_HEADERS": "a=1,b=2"},
            {"OTEL_EXPORTER_OTLP_HEADERS": "b=2,A=1"},
            True,
        ),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "a=1"}, {"OTEL_EXPORTER_OTLP_HEADERS": "a=2"}, False),
        ({"OTEL_EXPORTER_OTLP_LOGS_HEADERS": "a=1"}, {}, False),
        ({"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "/a.pem"}, {}, False),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://me:x@a/v1/traces"}, {}, False),
    ],
)
def test_who_sends_is_told_by_all_that_a_receiver_knows_him_by(
    one: dict[str, str], other: dict[str, str], is_same: bool
) -> None:
    """Headers, the URL with its credentials, a certificate; not how, or with which version."""
    numbers = []
    connection = sqlite3.connect(":memory:")
    migrate(connection)
    for variables in (one, other):
        url = variables.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://a/v1/traces")
        environ = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": url} | variables
        endpoints = {
            signal: endpoint_of(signal, None, None, environ)
            for signal in (Signal.TRACES, Signal.LOGS)
        }
        numbers.append(destination_of(endpoints).number(connection))
    urls = {url for (url,) in connection.execute("SELECT url FROM destinations")}
    connection.close()
    assert (numbers[0] == numbers[1]) == is_same
    assert urls == {"http://a/v1/traces"}
