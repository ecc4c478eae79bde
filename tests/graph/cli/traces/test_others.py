"""`nodespan trace` of spans that other programs have sent, by other conventions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from nodespan.telemetry.viewer import viewer_app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.command import Result

    Command = Callable[..., Result]

SPAN = {
    "traceId": "5b8efff798038103d269b633813fc60c",
    "spanId": "eee19b7ec3c1b174",
    "name": "ask",
    "startTimeUnixNano": "1544712660000000000",
    "endTimeUnixNano": "1544712661000000000",
}
FAILED = {"code": 2, "message": "it broke\x1b[2J"}
EXCEPTION = {
    "timeUnixNano": "1544712660500000000",
    "name": "exception",
    "attributes": [{"key": "exception.message", "value": {"stringValue": "it broke"}}],
}
OPENINFERENCE = [
    {"key": "openinference.span.kind", "value": {"stringValue": "LLM"}},
    {"key": "llm.model_name", "value": {"stringValue": "cat-1"}},
    {"key": "llm.token_count.prompt", "value": {"intValue": "15"}},
    {"key": "llm.token_count.completion", "value": {"intValue": "9"}},
]


@pytest.fixture
def received(tmp_path: Path) -> Callable[..., Path]:
    """Return a journal that has received a span."""

    def receive(**more: Any) -> Path:
        path = tmp_path / "journal.db"
        with TestClient(viewer_app(4319, path), base_url="http://127.0.0.1:4319") as client:
            body = {"resourceSpans": [{"scopeSpans": [{"spans": [{**SPAN, **more}]}]}]}
            assert client.post("/v1/traces", json=body).status_code == 200
        return path

    return receive


def test_what_is_said_of_a_failure_is_shown(
    command: Command, received: Callable[..., Path]
) -> None:
    """Its status says why, where no exception does: in the tree, with `--all`, for programs."""
    journal = ("--journal", str(received(status=FAILED)))
    assert command("trace", "last", *journal).out.endswith("error, it broke\u241b[2J\n")
    assert "status  it broke\u241b[2J\n" in command("trace", "last", "--all", *journal).out
    document = json.loads(command("trace", "last", "--json", *journal).out)
    assert document["span_list"][0]["status_message"] == FAILED["message"]


def test_what_an_exception_says_is_shown_once(
    command: Command, received: Callable[..., Path]
) -> None:
    """The exception comes first: the status says the same once more."""
    path = received(status=FAILED, events=[EXCEPTION])
    assert command("trace", "last", "--journal", str(path)).out.count("error, it broke\n") == 1


def test_tokens_have_their_columns_by_any_convention(
    command: Command, received: Callable[..., Path]
) -> None:
    """OpenInference names them otherwise; `--all` shows attributes as they are."""
    journal = ("--journal", str(received(attributes=OPENINFERENCE)))
    head, line = command("trace", "last", *journal).out.splitlines()[1:3]
    assert "tokens in" in head
    assert line.split()[-3:] == ["15", "9", "ok"]
    assert "gen_ai.usage" not in command("trace", "last", "--all", *journal).out
