"""What the page is told of a journal: lists, traces, spans, conversations, graphs, files."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver

from nodespan.graph import build_agent
from nodespan.model import ScriptedChatModel
from nodespan.telemetry import OpenTelemetryCallbackHandler, record_evaluation

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from support.recording import Recording

HOSTILE = '</script><img src=x onerror="alert(1)">\u202e\x1b[31m\u2028'
PRICES = {"scripted": {"input": 1, "output": 2}}
USAGE: Any = {"input_tokens": 1_000_000, "output_tokens": 7, "total_tokens": 1_000_007}


def weather(city: str) -> str:
    """Tell the weather in a city."""
    if city == "nowhere":
        raise LookupError(city)
    return f"Sunny in {city}."


def ask(recording: Recording, city: str, thread: str = "thread-1", said: str = "Weather?") -> Any:
    """Have an agent asked about a city; the answer may be an exception."""
    call = {"name": "weather", "args": {"city": city}, "id": "call-1"}
    answers = [AIMessage("", tool_calls=[call]), AIMessage("It is.", usage_metadata=USAGE)]
    agent = build_agent(
        ScriptedChatModel(answers), tools=[weather], name="seer", checkpointer=InMemorySaver()
    )
    handler = OpenTelemetryCallbackHandler(
        tracer_provider=recording.provider, capture_content="SPAN_ONLY", prices=PRICES
    )
    config: Any = {"callbacks": [handler], "configurable": {"thread_id": thread}}
    agent.invoke({"messages": [("user", said)]}, config)
    recording.flush()


def get(viewer: TestClient, address: str, **query: str) -> Any:
    """The answer to a question, which must be one."""
    answer = viewer.get(address, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_list_and_its_filters(recording: Recording, viewer: TestClient) -> None:
    """The newest is first; each filter leaves what it asks for, and the totals are of that."""
    ask(recording, "Bern", "thread-1")
    with pytest.raises(LookupError):
        ask(recording, "nowhere", "thread-2")
    recording.flush()
    everything = get(viewer, "/api/traces")
    assert (everything["total"], everything["is_complete"]) == (2, True)
    columns = everything["columns"]
    assert columns["outcome"] == ["error", "ok"]
    assert columns["conversation"] == ["thread-2", "thread-1"]
    assert columns["name"] == ["invoke_agent seer"] * 2
    found = {
        "outcome=error": ["error"],
        "conversation=thread-1": ["ok"],
        "agent=seer": ["error", "ok"],
        "agent=nobody": [],
        "model=scripted": ["error", "ok"],
        "text=sunny": ["ok"],
        "stalled=1": [],
    }
    for query, outcomes in found.items():
        name, value = query.split("=")
        assert get(viewer, "/api/traces", **{name: value})["columns"]["outcome"] == outcomes, query
    totals = get(viewer, "/api/totals", outcome="ok")
    assert (totals["runs"], totals["errors"]) == (1, 0)
    # The first answer has not counted: what it took is estimated, of a few words.
    assert 1_000_000 < totals["input_tokens"] < 1_000_100
    (cost,) = totals["costs"]
    assert (cost["currency"], round(cost["amount"], 3)) == ("USD", 1.0)


def test_windows_do_not_shift(recording: Recording, viewer: TestClient) -> None:
    """What comes after the first window is in none that belongs to it."""
    ask(recording, "Bern")
    first = get(viewer, "/api/traces", limit="1")
    ask(recording, "Basel")
    again = get(viewer, "/api/traces", limit="10", as_of=str(first["as_of"]))
    assert again["columns"]["trace_id"] == first["columns"]["trace_id"]
    assert get(viewer, "/api/traces")["total"] == 2


def test_a_trace_and_its_spans(recording: Recording, viewer: TestClient) -> None:
    """The skeleton has the tree, without attributes; a span has all that it says."""
    ask(recording, "Bern")
    skeleton = get(viewer, "/api/traces/last")
    spans = skeleton["spans"]
    names = [skeleton["names"][place] for place in spans["name"]]
    assert names == [
        *("invoke_agent seer", "node model", "chat scripted"),
        *("node tools", "execute_tool weather", "node model", "chat scripted"),
    ]
    assert spans["parent"] == [-1, 0, 1, 0, 3, 0, 5]
    assert {skeleton["outcomes"][place] for place in spans["outcome"]} == {"ok"}
    assert "Sunny" not in json.dumps(skeleton)
    tool = get(viewer, f"/api/traces/last/spans/{spans['span_id'][4]}")
    assert tool["io"]["arguments"] == {"city": "Bern"}
    assert "Sunny in Bern." in json.dumps(tool["io"]["result"])
    chat = get(viewer, f"/api/traces/last/spans/{spans['span_id'][6]}")
    assert chat["messages"]["output"][0]["parts"] == [{"type": "text", "content": "It is."}]
    assert (chat["model"], chat["input_tokens"]) == ("scripted", 1_000_000)
    marks = get(viewer, "/api/traces/last/marks", spans=",".join(spans["span_id"]))
    assert set(marks["spans"]) == set(spans["span_id"])


def test_a_conversation(recording: Recording, viewer: TestClient) -> None:
    """Its runs are in order, with what was said and the time that a person took."""
    ask(recording, "Bern", "talk", "And Bern?")
    ask(recording, "Basel", "talk", "And Basel?")
    listed = get(viewer, "/api/conversations")
    assert [(each["id"], each["runs"]) for each in listed["conversations"]] == [("talk", 2)]
    runs = get(viewer, "/api/conversation", id="talk")["runs"]
    assert runs[0]["wait_before_ms"] is None
    assert runs[1]["wait_before_ms"] >= 0
    said = [run["messages"][0]["parts"][0]["content"] for run in runs]
    assert said == ["And Bern?", "And Basel?"]


def test_the_graph_is_langgraphs_own(recording: Recording, viewer: TestClient) -> None:
    """A trace's graph has the nodes and edges that were compiled, and how often each was run."""
    ask(recording, "Bern")
    trace = get(viewer, "/api/traces")["columns"]["trace_id"][0]
    found = get(viewer, "/api/graph", trace=trace)
    assert (found["is_known"], found["reason"]) == (True, None)
    (graph,) = found["graphs"]
    edges = {(each["source"], each["target"], each["is_conditional"]) for each in graph["edges"]}
    assert edges == {
        ("__start__", "model", False),
        ("model", "tools", True),
        ("tools", "model", False),
        ("model", "__end__", True),
    }
    visits = {each["node"]: each["visits"] for each in found["visits"]}
    assert visits == {"model": 2, "tools": 1}
    spans = get(viewer, f"/api/traces/{trace}")["spans"]
    (tools,) = [each["spans"] for each in found["visits"] if each["node"] == "tools"]
    assert tools == [spans["span_id"][3]]


def test_two_runs_side_by_side(recording: Recording, viewer: TestClient) -> None:
    """What is the same, what only one of them has, and what became of it."""
    ask(recording, "Bern")
    with pytest.raises(LookupError):
        ask(recording, "nowhere")
    recording.flush()
    failed, well = get(viewer, "/api/traces")["columns"]["trace_id"]
    found = get(viewer, "/api/compare", left=well, right=failed)
    states = [(row["name"], row["state"]) for row in found["rows"] if row["state"] != "same"]
    assert ("execute_tool weather", "changed") in states
    assert [name for name, state in states if state == "left_only"] == [
        "node model",
        "chat scripted",
    ]


def test_files_of_a_trace(recording: Recording, viewer: TestClient) -> None:
    """As OTLP, as what tracing pages open, and as one page that needs nothing else."""
    ask(recording, "Bern", said=HOSTILE)
    address = "/api/traces/last/download"
    otlp = get(viewer, f"{address}/otlp.json")
    scopes = otlp["resourceSpans"][0]["scopeSpans"]
    assert len([span for scope in scopes for span in scope["spans"]]) == 7
    events = get(viewer, f"{address}/chrome.json")["traceEvents"]
    assert "chat scripted" in {each["name"] for each in events}
    page = viewer.get(f"{address}/trace.html")
    assert "attachment" in page.headers["content-disposition"]
    assert "<img src=x" not in page.text
    assert page.text.lower().count("</script>") == page.text.lower().count("<script")


def test_hostile_strings_are_data(recording: Recording, viewer: TestClient) -> None:
    """Whatever people or models say is JSON in an answer, never markup."""
    with recording.tracer.start_as_current_span(HOSTILE) as span:
        span.set_attribute(HOSTILE, HOSTILE)
        span.add_event(HOSTILE, {HOSTILE: HOSTILE})
    recording.flush()
    listed = viewer.get("/api/traces")
    assert listed.headers["content-type"].startswith("application/json")
    (trace,) = listed.json()["columns"]["trace_id"]
    (span_id,) = get(viewer, f"/api/traces/{trace}")["spans"]["span_id"]
    told = get(viewer, f"/api/traces/{trace}/spans/{span_id}")
    assert told["name"].startswith("</script><img src=x")
    assert len(told["events"]) == 1
    assert viewer.get(f"/api/traces/{trace}/download/trace.html").status_code == 200


def test_evaluations_hang_on_what_they_judge(recording: Recording, viewer: TestClient) -> None:
    """A judgement is on its span, with score and label."""
    ask(recording, "Bern")
    spans = get(viewer, "/api/traces/last")
    trace, root = spans["summary"]["trace_id"], spans["spans"]["span_id"][0]
    record_evaluation(
        "correctness",
        score=0.9,
        label="good",
        trace_id=trace,
        span_id=root,
        tracer_provider=recording.provider,
    )
    recording.flush()
    (found,) = get(viewer, f"/api/traces/{trace}/evaluations")["evaluations"]
    assert (found["name"], found["score"], found["label"]) == ("correctness", 0.9, "good")
    assert found["span_id"] == root
    after = get(viewer, "/api/traces")["columns"]["ended_at"]
    assert after == [spans["summary"]["ended_at"]]


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("/api/traces/0123", 404, "not_found"),
        ("/api/traces?limit=many", 400, "bad_request"),
        ("/api/conversation", 400, "bad_request"),
        ("/api/traces/last/spans/zz", 404, "not_found"),
        ("/api/nothing", 404, "not_found"),
    ],
)
def test_what_cannot_be_answered(
    recording: Recording, viewer: TestClient, address: str, status: int, code: str
) -> None:
    """An error says in plain English what is wrong, and has a word for programs."""
    ask(recording, "Bern")
    answer = viewer.get(address)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert len(answer.json()["error"]["message"]) > 10


def test_without_a_journal(viewer: TestClient) -> None:
    """Where nothing was recorded yet that is said, and the page is there."""
    answer = viewer.get("/api/traces")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_journal")
    assert viewer.get("/api/about").json()["is_there"] is False
    assert viewer.get("/").status_code == 200


def test_a_damaged_journal(recording: Recording, viewer: TestClient) -> None:
    """The page is told which file is damaged, and what recovers what can be read of it."""
    for number in range(80):
        recording.tracer.start_span(f"{number}", attributes={"a": "x" * 1000}).end()
    recording.flush()
    recording.writer.stop(10)
    sqlite3.connect(recording.path).execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    content = bytearray(recording.path.read_bytes())
    content[20_000:90_000] = b"\x7f" * 70_000
    recording.path.write_bytes(content)
    answer = viewer.get("/api/traces")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "journal_error")
    said = f"the journal {recording.path} is damaged; `nodespan doctor --repair` makes a new"
    assert answer.json()["error"]["message"].startswith(said)


def test_the_list_goes_by_cost_and_the_like(recording: Recording, viewer: TestClient) -> None:
    """What cost most, took longest or used most tokens comes first, also of what a text is in."""
    for number, cost in enumerate((0.5, 2.0, None, 1.0)):
        attributes = {"nodespan.cost": cost, "nodespan.cost.currency": "USD"} if cost else {}
        said = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 10 - number}
        name = f"chat {number}"
        span = recording.tracer.start_span(name, attributes=said | attributes, start_time=10**18)
        span.end(10**18 + [3, 1, 2, 4][number])
    recording.flush()
    orders = {"cost": "1302", "time": "3021", "tokens": "0123", "started": "3210"}
    for order, places in orders.items():
        for text in ("", "chat"):
            found = get(viewer, "/api/traces", order=order, text=text)["columns"]["name"]
            assert "".join(name[-1] for name in found) == places, (order, text)
    refused = viewer.get("/api/traces", params={"order": "beauty"})
    assert refused.status_code == 400
    assert "started, cost, tokens, time, first_chunk" in refused.json()["error"]["message"]


def test_a_failure_counts_where_it_arose(recording: Recording, viewer: TestClient) -> None:
    """One tool that fails makes its node and its agent fail, and is one error."""
    with pytest.raises(LookupError):
        ask(recording, "nowhere")
    recording.flush()
    assert get(viewer, "/api/traces")["columns"]["errors"] == [1]
    assert get(viewer, "/api/traces/last")["summary"]["errors"] == 1


def test_estimated_tokens_say_so(recording: Recording, viewer: TestClient) -> None:
    """Tokens that nobody counted have their mark in the list, in the head and in their row."""
    ask(recording, "Bern")
    assert get(viewer, "/api/traces")["columns"]["is_estimated"] == [True]
    spans = get(viewer, "/api/traces/last")["spans"]["span_id"]
    marks = get(viewer, "/api/traces/last/marks", spans=",".join(spans))["spans"]
    chats = [marks[spans[place]]["is_estimated"] for place in (2, 6)]
    assert chats == [True, False]
