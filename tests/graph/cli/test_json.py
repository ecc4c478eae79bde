"""The command's JSON: its keys are those that are documented, and they stay."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from opentelemetry.trace import Link, SpanContext, StatusCode

from support.json_keys import DOCUMENTS, keys_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opentelemetry.trace import Span

    from support.command import Result
    from support.recording import Recording

# What programs rely on: a key may come, none may go or be renamed.
KEPT: Final = {
    "`chat`": "answer outcome error trace_id spans",
    "one of `spans`": "trace_id span_id parent_id name kind started_at ended_at duration outcome "
    "error status status_message attributes events links",
    "a trace": "trace_id name started_at ended_at outcome error agent conversation models "
    "input_tokens output_tokens cost currency time_to_first_chunk stalls spans open_spans errors "
    "duration",
    "`trace`": "span_list dropped_spans",
    "a span": "trace_id span_id parent_id run_id name kind operation started_at ended_at outcome "
    "error model input_tokens output_tokens cost currency first_chunk_at chunks last_chunk_at "
    "stalls delivery status attributes events links resource scope duration",
    "an event": "name at attributes",
    "a link": "trace_id span_id attributes",
    "a look": "at journal trouble activity",
    "`activity`": "at seconds open_traces open_runs running traces left_out failed_traces "
    "traces_with_errors failures calls output_tokens tokens_per_second "
    "mean_time_to_first_chunk slowest_first_chunk stalls longest_wait",
    "an open run": "trace_id span_id run_id name operation model agent conversation started_at "
    "chunks first_chunk_at last_chunk_at",
    "`doctor`": "path bytes version traces spans open_spans oldest writers backlogs dropped lost "
    "refused is_sound trouble aside is_well endpoints settings",
    "what is owed": "url spans log_records oldest refused forwarder",
    "an endpoint": "signal url is_well answer message seconds",
    "a setting": "name value source trouble",
}


def documented(kind: str) -> set[str]:
    """Return the keys that README has for a kind of document."""
    (name,) = (name for name in DOCUMENTS if name.startswith(kind))
    return set(keys_of(name))


@pytest.mark.parametrize("kind", KEPT)
def test_keys_stay(kind: str) -> None:
    """What programs rely on is documented, by the same names."""
    assert set(KEPT[kind].split()) <= documented(kind)


def start_a_root(recording: Recording) -> Span:
    """Record an open span, and one that has failed, with an event and a link."""
    other = SpanContext(1, 2, is_remote=False)
    open_root = recording.tracer.start_span("root")
    failed = recording.tracer.start_span("failed", links=[Link(other)])
    failed.add_event("on_interrupt")
    failed.set_status(StatusCode.ERROR)
    failed.end()
    recording.flush()
    return open_root


def test_a_span_of_chat_has_the_names_of_trace(
    nodespan: Callable[..., Result], tmp_path: Path
) -> None:
    """What both tell of one run is the same, by the same key; no key goes undocumented."""
    journal = str(tmp_path / "journal.db")
    failed = nodespan("chat", "hi", "--json", "--model", "own_models:FailingChatModel")
    assert failed.code == 1
    failure = json.loads(failed.out)
    assert failure.keys() == documented("`chat`")
    chat = json.loads(nodespan("chat", "Meow!", "--json", NODESPAN_JOURNAL=journal).out)
    trace = json.loads(nodespan("trace", "last", "--json", "--journal", journal).out)
    assert chat.keys() == documented("`chat`") - {"error"}
    for span, kept in zip(chat["spans"], trace["span_list"], strict=True):
        assert span.keys() == documented("one of `spans`")
        assert span == {key: kept[key] for key in span}
    assert [span["outcome"] for span in failure["spans"]] == ["error"] * 3
    assert [span["error"] for span in failure["spans"]] == ["ConnectionError"] * 3
    (event, *_) = chat["spans"][-1]["events"]
    assert event.keys() == documented("an event")


def test_keys_are_what_is_documented(
    command: Callable[..., Result],
    recording: Recording,
    monkeypatch: pytest.MonkeyPatch,
    dead_port: int,
) -> None:
    """Each document has just the keys that README names, and each meaning is said."""
    open_root = start_a_root(recording)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{dead_port}")

    def lines(*arguments: str) -> list[dict[str, Any]]:
        result = command(*arguments, "--json", "--journal", str(recording.path))
        return [json.loads(line) for line in result.out.splitlines()]

    listed, *_ = lines("traces")
    (trace,) = lines("trace", "last")
    (span,) = trace["span_list"]
    look, *_ = lines("watch", "--count", "1")
    (doctor,) = lines("doctor")
    open_root.end()
    activity = look["activity"]
    found = {
        "a trace": listed,
        "a span": span,
        "an event": span["events"][0],
        "a link": span["links"][0],
        "a look": look,
        "`activity`": activity,
        "an open run": activity["open_runs"][0],
        "`doctor`": doctor,
        "an endpoint": doctor["endpoints"][0],
        "a setting": doctor["settings"][0],
    }
    assert {kind: set(document) for kind, document in found.items()} == {
        kind: documented(kind) for kind in found
    }
    assert trace.keys() == documented("a trace") | documented("`trace`")
    assert activity["failures"][0].keys() == documented("a trace") - {"duration"}
    assert all(text for kind in DOCUMENTS for text in keys_of(kind).values())
