"""What is too large for a receiver is sent in parts, and alone without its content."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from nodespan.model import EchoChatModel
from nodespan.telemetry import TelemetryConfig, configure
from support.receiving import OK, PlayingReceiver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from nodespan.telemetry import Telemetry

pytestmark = pytest.mark.usefixtures("providers_put_back")

TOO_LARGE = (413, {}, b"request entity too large")
BY_GRPC = (
    400,
    {"Content-Type": "application/json"},
    b'{"code":8,"message":"grpc: received message larger than max (5872025 vs. 4194304)"}',
)


@pytest.fixture
def receiver() -> Iterator[PlayingReceiver]:
    """Give a receiver."""
    made = PlayingReceiver()
    yield made
    made.close()


@contextmanager
def sending(receiver: PlayingReceiver, **settings: Any) -> Iterator[Telemetry]:
    """Send to it, without a journal."""
    config = TelemetryConfig(endpoint=receiver.endpoint, journal=False, **settings)
    with configure(config) as telemetry:
        yield telemetry


def at_most(size: int, refusal: Any) -> Callable[[PlayingReceiver, list[Span]], Any]:
    """Refuse requests whose spans take more bytes."""

    def play(_: PlayingReceiver, spans: list[Span]) -> Any:
        return OK if sum(span.ByteSize() for span in spans) <= size else refusal

    return play


@pytest.mark.parametrize("refusal", [TOO_LARGE, BY_GRPC], ids=["http", "grpc"])
def test_a_batch_that_is_too_large_is_halved(
    receiver: PlayingReceiver, refusal: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """All of it arrives once, and nobody is told of what was mended."""
    receiver.plays = at_most(60_000, refusal)
    with caplog.at_level(logging.WARNING), sending(receiver, capture_content="SPAN_ONLY") as told:
        for number in range(13):
            EchoChatModel(n=1).invoke(f"{number} {'a' * 8_000}", {"callbacks": [told.handler()]})
        assert told.flush()
        assert told.unsent == 0
    assert len({span.span_id for span in receiver.spans}) == len(receiver.spans) == 13
    assert receiver.requests > 3
    assert not [record for record in caplog.records if "export" in record.name]


def test_what_is_known_to_be_large_is_sent_in_parts(receiver: PlayingReceiver) -> None:
    """A receiver whose limit is gRPC's own refuses nothing."""
    asked: list[int] = []

    def play(_: PlayingReceiver, spans: list[Span]) -> Any:
        asked.append(sum(span.ByteSize() for span in spans))
        return OK

    receiver.plays = play
    with sending(receiver, capture_content="SPAN_ONLY", max_content_characters=500_000) as told:
        for _ in range(13):
            EchoChatModel(n=1).invoke("a" * 400_000, {"callbacks": [told.handler()]})
        assert told.flush()
    assert sum(asked) > 4 << 20
    assert max(asked) < 4 << 20
    assert len(receiver.spans) == 13


def test_a_span_that_alone_is_too_large_goes_without_content(
    receiver: PlayingReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    """It arrives with all else, counts what it lost, and one line says so."""
    receiver.plays = at_most(20_000, TOO_LARGE)
    with caplog.at_level(logging.WARNING), sending(receiver, capture_content="SPAN_ONLY") as told:
        for text in ("small", "b" * 50_000, "c" * 50_000):
            EchoChatModel(n=1).invoke(text, {"callbacks": [told.handler()]})
        assert told.flush()
        counts = told._processors[0].exporter.fitting.diagnostics.counts
    assert dict(counts) == {"what was too large for the endpoint was sent without its content": 2}
    lines = [record.getMessage() for record in caplog.records]
    assert len([line for line in lines if "without its content" in line]) == 1
    assert len(receiver.spans) == 3
    large = [span for span in receiver.spans if span.dropped_attributes_count]
    assert len(large) == 2
    for span in large:
        names = {item.key for item in span.attributes}
        assert {"gen_ai.operation.name", "gen_ai.usage.input_tokens"} <= names
        assert "gen_ai.input.messages" not in names
        assert next(event.name for event in span.events) == "on_chat_model_start"


def test_a_span_that_is_refused_costs_no_other(receiver: PlayingReceiver) -> None:
    """What is refused for good is found by halving, said, and left."""

    def play(_: PlayingReceiver, spans: list[Span]) -> Any:
        said = str([item for span in spans for item in span.attributes])
        return (400, {}, b"bad span") if "poison" in said else OK

    receiver.plays = play
    with sending(receiver, metadata_keys=["m"]) as told:
        for number in range(9):
            config: Any = {"callbacks": [told.handler()], "metadata": {"m": f"{number}"}}
            config["metadata"]["m"] = "poison" if number == 4 else "fine"
            EchoChatModel(n=1).invoke("Hi", config)
        assert not told.flush()
        assert told.unsent == 1
        counts = told._processors[0].exporter.fitting.diagnostics.counts
    assert dict(counts) == {"the endpoint has refused what was sent for good (HTTP 400)": 1}
    assert len(receiver.spans) == 8


def test_an_endpoint_that_is_away_is_asked_once(
    receiver: PlayingReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    """Halving is for what is too large: a wrong key makes no more requests."""
    receiver.plays = lambda *_: (401, {}, b"")
    with sending(receiver) as told:
        for _ in range(5):
            EchoChatModel(n=1).invoke("Hi", {"callbacks": [told.handler()]})
        assert not told.flush()
        before = [each for each in receiver.headers if each]
        assert told.unsent == 5
    assert len(before) <= 3  # and metrics, which have requests of their own
    caplog.clear()  # the exporter says so, as it should


def test_log_records_are_halved_too(receiver: PlayingReceiver) -> None:
    """And lose their content where one alone is too large."""
    take = receiver.receive

    def limited(path: str, body: bytes, headers: dict[str, str]) -> Any:
        return TOO_LARGE if "logs" in path and len(body) > 20_000 else take(path, body, headers)

    receiver.receive = limited  # type: ignore[method-assign]  # it plays its part
    with sending(receiver, capture_content="EVENT_ONLY") as told:
        for text in ("d" * 5_000, "e" * 5_000, "f" * 50_000, "g" * 5_000):
            EchoChatModel(n=1).invoke(text, {"callbacks": [told.handler()]})
        assert told.flush()
        assert told.unsent_log_records == 0
    assert len(receiver.log_records) == 4
    stripped = [each for each in receiver.log_records if each.dropped_attributes_count]
    assert len(stripped) == 1
