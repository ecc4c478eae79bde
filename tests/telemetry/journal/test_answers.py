"""What an endpoint's answer means: taken, to be tried again, too large, or refused for good."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from nodespan.telemetry._spool.answers import Answer, Fate, answer_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json; charset=utf-8"}
PARTIAL = ExportTraceServiceResponse(
    partial_success=ExportTracePartialSuccess(rejected_spans=3, error_message="no")
).SerializeToString()


def answer(status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
    """Return what a response means."""
    return answer_of(status, headers or {}, body, NOW)


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        (200, Fate.TAKEN),
        (202, Fate.TAKEN),
        (204, Fate.TAKEN),
        (301, Fate.LATER),
        (400, Fate.REFUSED),
        (401, Fate.LATER),
        (403, Fate.LATER),
        (404, Fate.LATER),
        (408, Fate.LATER),
        (413, Fate.TOO_LARGE),
        (415, Fate.REFUSED),
        (422, Fate.REFUSED),
        (429, Fate.LATER),
        (500, Fate.LATER),
        (502, Fate.LATER),
        (503, Fate.LATER),
        (504, Fate.LATER),
    ],
)
def test_a_status_has_a_fate(status: int, fate: Fate) -> None:
    """What is wrong with the data is refused; what is wrong with the way is tried again."""
    assert answer(status).fate is fate


@pytest.mark.parametrize(
    ("headers", "body", "rejected"),
    [
        (PROTOBUF, b"", 0),
        (PROTOBUF, PARTIAL, 3),
        (JSON, b"{}", 0),
        (JSON, b'{"partialSuccess": {"rejectedSpans": "3"}}', 3),
        (JSON, b'{"partialSuccess": {"rejectedLogRecords": 2}}', 2),
        ({"Content-Type": "text/plain"}, b"ok", 0),
        ({}, PARTIAL, 3),
    ],
)
def test_a_part_may_be_rejected(headers: dict[str, str], body: bytes, rejected: int) -> None:
    """An answer may say how many of what was taken were rejected."""
    assert answer(200, headers, body) == Answer(Fate.TAKEN, "HTTP 200", rejected)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (PROTOBUF, b"\xff\xff\xff"),
        (JSON, b"<html>"),
        ({"Content-Type": "text/html"}, b"<html>Please log in</html>"),
    ],
)
def test_who_is_no_receiver_has_taken_nothing(headers: dict[str, str], body: bytes) -> None:
    """A portal's page, or garbage, with status 200: what was sent is kept."""
    assert answer(200, headers, body).fate is Fate.LATER


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("7", 7.0),
        ("Thu, 01 Jan 2026 00:00:09 GMT", 9.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
        ("999999999", 3600.0),
        ("soon", None),
        ("-1", None),
    ],
)
def test_an_endpoint_may_ask_to_be_left_alone(text: str, wait: float | None) -> None:
    """`Retry-After` in seconds or as a date, an hour at most."""
    assert answer(429, {"retry-after": text}).wait == wait


@given(
    status=st.integers(100, 599),
    kind=st.sampled_from(["", "text/html", *PROTOBUF.values(), *JSON.values()]),
    body=st.binary(max_size=64),
    after=st.text(max_size=32),
)
def test_any_answer_means_something(status: int, kind: str, body: bytes, after: str) -> None:
    """Whatever comes back, it has a fate, and nothing is raised."""
    told = answer(status, {"content-type": kind, "retry-after": after}, body)
    assert told.fate in Fate
    assert told.wait is None or 0 <= told.wait <= 3600
