"""What the receiver takes, and how it refuses what it does not."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # it has no types
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from starlette.applications import Starlette
from starlette.testclient import TestClient

from nodespan.telemetry._journal.retention import Retention
from nodespan.telemetry._receiving.endpoint import Receiver
from nodespan.telemetry._receiving.rate import Rate
from nodespan.telemetry._receiving.taking import Taking

if TYPE_CHECKING:
    from pathlib import Path

    from support.recording import Recording

TRACE_ID, SPAN_ID = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
JSON, PROTOBUF = "application/json", "application/x-protobuf"


def document(*attributes: tuple[str, Any], **span: Any) -> dict[str, Any]:
    """Return a request of one span in OTLP's JSON."""
    made = {
        "traceId": TRACE_ID,
        "spanId": SPAN_ID,
        "name": "I'm a client",
        "startTimeUnixNano": "1544712660000000000",
        "endTimeUnixNano": "1544712661000000000",
        "attributes": [{"key": key, "value": _value(value)} for key, value in attributes],
        **span,
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "go"}}]}
    scopes = [{"scope": {"name": "go.library"}, "spans": [made]}]
    return {"resourceSpans": [{"resource": resource, "scopeSpans": scopes}]}


def _value(value: Any) -> dict[str, Any]:
    kind = {int: "intValue", float: "doubleValue"}.get(type(value), "stringValue")
    return {kind: value}


def send(viewer: TestClient, content: Any, kind: str = JSON, **headers: str) -> Any:
    """Send a request, in JSON where it is none yet."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return viewer.post("/v1/traces", content=body, headers={"Content-Type": kind, **headers})


def in_protobuf(content: dict[str, Any]) -> bytes:
    """Return a request of one span in protobuf."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    given = content["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    span.trace_id, span.span_id = bytes.fromhex(given["traceId"]), bytes.fromhex(given["spanId"])
    span.name = given["name"]
    span.start_time_unix_nano = int(given["startTimeUnixNano"])
    span.end_time_unix_nano = int(given["endTimeUnixNano"])
    return request.SerializeToString()


def test_spans_in_json_are_taken(viewer: TestClient) -> None:
    """A span that another language's program sends is in the list, and whole in the panel."""
    answer = send(viewer, document(("http.method", "GET")))
    assert (answer.status_code, answer.json(), answer.headers["content-type"]) == (200, {}, JSON)
    assert viewer.get("/api/traces").json()["columns"]["name"] == ["I'm a client"]
    span = viewer.get(f"/api/traces/{TRACE_ID}/spans/{SPAN_ID}").json()
    assert span["attributes"] == {"http.method": "GET"}
    assert span["resource"] == {"service.name": "go"}
    assert (span["scope"], span["outcome"]) == ("go.library", "ok")


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_spans_in_protobuf_are_taken(viewer: TestClient, encoding: str) -> None:
    """What the official exporters send is taken, compressed or not, and answered in kind."""
    body = in_protobuf(document())
    body = gzip.compress(body, mtime=0) if encoding == "gzip" else body
    answer = send(viewer, body, PROTOBUF, **{"Content-Encoding": encoding})
    assert (answer.status_code, answer.headers["content-type"]) == (200, PROTOBUF)
    assert ExportTraceServiceResponse.FromString(answer.content) == ExportTraceServiceResponse()
    assert viewer.get("/api/traces").json()["total"] == 1


def test_what_is_sent_twice_counts_once(viewer: TestClient) -> None:
    """A sender that did not see the answer sends again; nothing is doubled by that."""
    told = document(("gen_ai.operation.name", "chat"), ("gen_ai.usage.input_tokens", 7))
    for _ in range(3):
        send(viewer, told)
    totals = viewer.get("/api/totals").json()
    assert (totals["runs"], totals["spans"], totals["input_tokens"]) == (1, 1, 7)


def test_what_can_be_taken_of_a_request_is(viewer: TestClient) -> None:
    """One span without an id is told as rejected; the others are taken."""
    content = document()
    spans = content["resourceSpans"][0]["scopeSpans"][0]["spans"]
    spans.append({**spans[0], "spanId": "", "name": "nobody"})
    spans.append({**spans[0], "spanId": "0" * 16})
    spans.append({**spans[0], "spanId": "1" * 16, "endTimeUnixNano": "5"})
    said = send(viewer, content).json()["partialSuccess"]
    assert said["rejectedSpans"] == "3"
    assert "span_id" in said["errorMessage"]
    assert viewer.get("/api/traces").json()["columns"]["spans"] == [1]


@pytest.mark.parametrize(
    ("body", "kind", "headers", "status"),
    [
        (b"{", JSON, {}, 400),
        (b"[]", JSON, {}, 400),
        (b'{"resourceSpans": 5}', JSON, {}, 400),
        (b"[" * 100_000, JSON, {}, 400),
        (json.dumps(document(traceId="xyz")).encode(), JSON, {}, 400),
        (json.dumps(document(traceId="ab")).encode(), JSON, {}, 400),
        (b"\xff\xff", PROTOBUF, {}, 400),
        (b"no gzip", PROTOBUF, {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(b"abc" * 99, mtime=0)[:-9], PROTOBUF, {"Content-Encoding": "gzip"}, 400),
        (b"", PROTOBUF, {"Content-Encoding": "br"}, 415),
        (b"", "text/plain", {}, 415),
        (b"0" * ((16 << 20) + 1), PROTOBUF, {}, 413),
        (gzip.compress(bytes((64 << 20) + 1)), PROTOBUF, {"Content-Encoding": "gzip"}, 413),
    ],
)
def test_bad_input_is_refused_by_otlps_own_errors(
    viewer: TestClient, body: bytes, kind: str, headers: dict[str, str], status: int
) -> None:
    """What is no request, or too large, is answered with a status that says why."""
    answer = send(viewer, body, kind, **headers)
    assert answer.status_code == status
    if kind == PROTOBUF:
        assert Status.FromString(answer.content).message
    else:
        assert answer.json()["message"]
    assert viewer.get("/api/traces").status_code == 503  # no journal was made for it


def test_openinferences_spans_are_shown_as_what_they_are(viewer: TestClient) -> None:
    """Kind, model, tokens, cost, conversation and messages are understood."""
    send(
        viewer,
        document(
            ("openinference.span.kind", "LLM"),
            ("llm.model_name", "gpt-x"),
            ("llm.token_count.prompt", 10),
            ("llm.token_count.completion", 5),
            ("llm.cost.total", 0.5),
            ("session.id", "s1"),
            ("llm.input_messages.0.message.role", "user"),
            ("llm.input_messages.0.message.content", "Meow?"),
            ("llm.output_messages.0.message.role", "assistant"),
            ("llm.output_messages.0.message.tool_calls.0.tool_call.function.name", "purr"),
            ("llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments", '{"n": 2}'),
        ),
    )
    columns = viewer.get("/api/traces").json()["columns"]
    assert {name: columns[name][0] for name in ("models", "conversation", "cost", "currency")} == {
        "models": ["gpt-x"],
        "conversation": "s1",
        "cost": 0.5,
        "currency": "USD",
    }
    span = viewer.get(f"/api/traces/{TRACE_ID}/spans/{SPAN_ID}").json()
    assert (span["kind"], span["input_tokens"], span["output_tokens"]) == ("chat", 10, 5)
    assert span["messages"]["input"][0]["parts"] == [{"type": "text", "content": "Meow?"}]
    assert span["messages"]["output"][0]["parts"] == [
        {"type": "tool_call", "id": None, "name": "purr", "arguments": {"n": 2}}
    ]


def test_the_receivers_spans_join_those_of_the_journal(
    viewer: TestClient, recording: Recording
) -> None:
    """Spans of another process, in a trace that this one has recorded, are in that trace."""
    with recording.tracer.start_as_current_span("here") as span:
        trace_id = f"{span.get_span_context().trace_id:032x}"
    recording.flush()
    send(viewer, document(traceId=trace_id))
    assert viewer.get("/api/traces").json()["columns"]["spans"] == [2]


def test_too_much_is_refused_for_a_moment(tmp_path: Path) -> None:
    """Who sends more than the receiver takes is told when to try again, and loses nothing else."""
    taking = Taking(tmp_path / "journal.db", Retention())
    receiver = Receiver(taking, requests=Rate(0, 2))
    with TestClient(Starlette(routes=receiver.routes())) as client:
        answers = [send(client, document()) for _ in range(3)]
    taking.close()
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "1"
    assert answers[2].json()["code"] == 8  # RESOURCE_EXHAUSTED


_METRICS = {
    "resourceMetrics": [
        {
            "scopeMetrics": [
                {
                    "metrics": [
                        {"name": "a", "gauge": {"dataPoints": [{"asInt": "1"}, {"asInt": "2"}]}},
                        {"name": "b", "histogram": {"dataPoints": [{"count": "3"}]}},
                        {"name": "c"},
                    ]
                }
            ]
        }
    ]
}
_LOGS = {
    "resourceLogs": [
        {"scopeLogs": [{"logRecords": [{"body": {"stringValue": "x"}, "traceId": "ab" * 16}]}]}
    ]
}


@pytest.mark.parametrize(
    ("path", "content", "rejected"),
    [
        ("/v1/metrics", _METRICS, {"rejectedDataPoints": "3"}),
        ("/v1/logs", _LOGS, {"rejectedLogRecords": "1"}),
    ],
)
def test_metrics_and_log_records_are_told_not_to_be_kept(
    viewer: TestClient,
    caplog: pytest.LogCaptureFixture,
    path: str,
    content: Any,
    rejected: dict[str, str],
) -> None:
    """A program that sends all signals here is told so as OTLP has it, and the terminal once."""
    variable = f"OTEL_{path[4:].upper()}_EXPORTER=none"
    with caplog.at_level("WARNING", "nodespan.telemetry"):
        for _ in range(3):
            answer = viewer.post(path, json=content)
    assert answer.status_code == 200
    said = answer.json()["partialSuccess"]
    assert variable in said.pop("errorMessage")
    assert said == rejected
    assert [variable in each.getMessage() for each in caplog.records] == [True]
    empty = viewer.post(path, content=b"", headers={"Content-Type": PROTOBUF})
    assert (empty.status_code, empty.content) == (200, b"")
    wrong = viewer.post(path, content=b"\xff\xff", headers={"Content-Type": PROTOBUF})
    assert wrong.status_code == 400
    assert "ServiceRequest in protobuf" in Status.FromString(wrong.content).message


@pytest.mark.parametrize(
    ("path", "what"),
    [("traces", "spans"), ("metrics", "metrics"), ("logs", "log records")],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_who_does_not_post_is_told_to(
    viewer: TestClient, path: str, what: str, method: str
) -> None:
    """The address is right, and the method is not: the answer says both, in OTLP's own form."""
    answer = viewer.request(method, f"/v1/{path}")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    said = {"code": 3, "message": f"POST {what} here, as OTLP/HTTP does"}
    assert (answer.content == b"") if method == "HEAD" else (answer.json() == said)


@pytest.mark.parametrize("path", ["/v1/profiles", "/v1/traces/more", "/v1/"])
def test_what_is_not_received_is_not_found(viewer: TestClient, path: str) -> None:
    """An address that takes nothing is said to be none."""
    assert viewer.get(path).status_code == viewer.post(path).status_code == 404
