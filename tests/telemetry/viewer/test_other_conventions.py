"""Spans as released instrumentations of others write them are shown as what they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from starlette.testclient import TestClient

TRACE_ID, SPAN_ID = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
FAILED = {"code": 2, "message": "no such city: Bern"}
ASKED = '{"inputs": {"messages": [["user", "Weather in Bern?"]]}, "tags": []}'
ANSWERED = '{"outputs": {"messages": []}}'
# As opentelemetry-instrumentation-langchain 0.62.4 writes a node of LangGraph.
TRACELOOP_NODE = {
    "traceloop.workflow.name": "forecaster",
    "traceloop.association.properties.session_id": "talk-7",
    "traceloop.association.properties.langgraph_node": "model",
    "traceloop.span.kind": "task",
    "traceloop.entity.name": "model",
    "gen_ai.provider.name": "langgraph",
    "gen_ai.operation.name": "execute_task",
    "gen_ai.task.name": "model",
    "traceloop.entity.input": ASKED,
    "gen_ai.task.input": ASKED,
    "gen_ai.task.status": "success",
    "traceloop.entity.output": ANSWERED,
    "gen_ai.task.output": ANSWERED,
}
CALLED = '{"input_str": "{\'city\': \'Bern\'}", "inputs": {"city": "Bern"}}'
TRACELOOP_TOOL = {
    "traceloop.span.kind": "tool",
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": "get_weather",
    "gen_ai.tool.call.arguments": CALLED,
    "traceloop.entity.input": CALLED,
}
TRACELOOP_RETRIEVER = {
    "traceloop.span.kind": "task",
    "gen_ai.operation.name": "vector_db_retrieve",
    "traceloop.entity.input": '{"query": "Bern"}',
    "traceloop.entity.output": '{"documents": [{"page_content": "Bern is a city."}]}',
}
# As opentelemetry-instrumentation-genai-langchain 1.3b0 writes a tool that failed: no exception.
OFFICIAL_TOOL = {
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": "get_weather",
    "gen_ai.tool.call.id": "call_1",
    "gen_ai.tool.call.arguments": '{"city":"Bern"}',
    "gen_ai.agent.name": "breaker",
    "error.type": "LookupError",
}
# As opentelemetry-instrumentation-openai-v2 2.3b0 writes a call, its content in log records.
OPENAI_CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.usage.input_tokens": 31,
    "gen_ai.usage.output_tokens": 9,
}
# As openinference-instrumentation-langchain 0.1.80 writes a call that failed.
OPENINFERENCE_CALL = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "gpt-4o-mini",
    "llm.system": "openai",
    "llm.input_messages.0.message.role": "user",
    "llm.input_messages.0.message.content": "please fail",
    "input.value": "{}",
    "input.mime_type": "application/json",
}


def shown(viewer: TestClient, said: dict[str, Any], **span: Any) -> dict[str, Any]:
    """Send a span that says this, and return what the panel shows of it."""
    values = [
        {"key": key, "value": {"intValue" if isinstance(value, int) else "stringValue": value}}
        for key, value in said.items()
    ]
    made = {
        "traceId": TRACE_ID,
        "spanId": SPAN_ID,
        "name": "a span",
        "startTimeUnixNano": "1544712660000000000",
        "endTimeUnixNano": "1544712661000000000",
        "attributes": values,
        **span,
    }
    viewer.post("/v1/traces", json={"resourceSpans": [{"scopeSpans": [{"spans": [made]}]}]})
    told: dict[str, Any] = viewer.get(f"/api/traces/{TRACE_ID}/spans/{SPAN_ID}").json()
    return told


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (TRACELOOP_NODE, "chain"),
        (TRACELOOP_TOOL, "tool"),
        (TRACELOOP_RETRIEVER, "retrieval"),
        (OFFICIAL_TOOL, "tool"),
        (OPENAI_CALL, "chat"),
        (OPENINFERENCE_CALL, "chat"),
    ],
    ids=["node", "tool", "retriever", "official tool", "openai", "openinference"],
)
def test_a_span_is_of_its_kind(viewer: TestClient, said: dict[str, Any], kind: str) -> None:
    """Whatever its convention calls the operation; the tree and the panel agree."""
    assert shown(viewer, said)["kind"] == kind
    told = viewer.get(f"/api/traces/{TRACE_ID}").json()
    assert [told["kinds"][place] for place in told["spans"]["kind"]] == [kind]


def test_what_a_node_was_given_is_content(viewer: TestClient) -> None:
    """It is shown once, as input and output, and is no attribute; a trace for others lacks it."""
    told = shown(viewer, TRACELOOP_NODE)
    assert (told["io"]["input"], told["io"]["output"]) == (ASKED, ANSWERED)
    assert "Weather in Bern?" not in json.dumps(told["attributes"])
    assert viewer.get("/api/traces").json()["columns"]["conversation"] == ["talk-7"]
    saved = viewer.get(f"/api/traces/{TRACE_ID}/download/chrome.json").text
    assert "execute_task" in saved
    assert "Weather in Bern?" not in saved


def test_what_a_tool_is_called_with_is_shown_once(viewer: TestClient) -> None:
    """Not as its arguments and as its input again."""
    io = shown(viewer, TRACELOOP_TOOL)["io"]
    assert io["arguments"]["inputs"] == {"city": "Bern"}
    assert io["input"] is None


def test_a_failure_without_an_exception_says_what_its_status_says(viewer: TestClient) -> None:
    """The official conventions have no event of it, and the words in the span's status."""
    told = shown(viewer, OFFICIAL_TOOL, status=FAILED)
    assert (told["outcome"], told["error"]) == ("error", "LookupError")
    assert (told["exception"], told["status_message"]) == (None, "no such city: Bern")
    assert told["io"]["arguments"] == {"city": "Bern"}


def test_a_model_is_the_one_that_answered(viewer: TestClient) -> None:
    """And not the one that was asked for; tokens are those that it counted."""
    told = shown(viewer, OPENAI_CALL)
    counted = (told["model"], told["input_tokens"], told["output_tokens"])
    assert counted == ("gpt-4o-mini-2024-07-18", 31, 9)


def test_a_call_that_failed_has_its_question(viewer: TestClient) -> None:
    """And no answer, of OpenInference's flat messages."""
    told = shown(viewer, OPENINFERENCE_CALL, status={"code": 2, "message": "on fire"})
    assert told["messages"]["input"][0]["parts"] == [{"type": "text", "content": "please fail"}]
    assert (told["messages"]["output"], told["status_message"]) == ([], "on fire")
