"""What the page is told of streams that are open: how fast they go, and what they say."""

from __future__ import annotations

import sqlite3
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage

from nodespan.model import ScriptedChatModel
from nodespan.telemetry import OpenTelemetryCallbackHandler
from nodespan.telemetry._content.door import CaptureContent, ContentDoor
from nodespan.telemetry._stream.text import StreamText

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.testclient import TestClient

    from support.recording import Recording

SECRET = "sk-proj-" + "aB3" * 16
SAID = ["The ", f"key {SECRET} ", "is ", "out, and ", "more."]
USAGE: Any = {"input_tokens": 3, "output_tokens": 9, "total_tokens": 12}


def opened(recording: Recording, **settings: Any) -> Any:
    """A stream of five chunks that has given three."""
    handler = OpenTelemetryCallbackHandler(tracer_provider=recording.provider, **settings)
    stream = ScriptedChatModel([SAID]).stream("Hi", {"callbacks": [handler]})
    list(islice(stream, 3))
    return stream


def only(viewer: TestClient) -> Any:
    """The run that is open."""
    (run,) = viewer.get("/api/open").json()["runs"]
    return run


def test_an_open_streams_text_is_shown_as_it_comes(
    recording: Recording, viewer: TestClient, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    """It has come so far, without credentials, and is gone from beside the span at its end."""
    stream = opened(recording, capture_content="SPAN_ONLY")
    recording.flush()
    eventually(lambda: only(viewer)["text"] is not None)
    run = only(viewer)
    assert (run["chunks"], run["text"][:8]) == (3, "The key ")
    assert run["text"].rstrip().endswith("is")
    assert SECRET not in run["text"]
    list(stream)
    recording.flush()
    assert viewer.get("/api/open").json()["runs"] == []
    with sqlite3.connect(tmp_path / "journal.db") as journal:
        assert journal.execute("SELECT count(*) FROM stream_texts").fetchone() == (0,)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings", [{}, {"capture_content": "SPAN_ONLY", "redact": lambda _, value: value}]
)
def test_text_stays_where_it_may_not_be_seen(
    recording: Recording,
    viewer: TestClient,
    eventually: Callable[..., None],
    settings: dict[str, Any],
) -> None:
    """Without content, and with a redaction, which sees whole answers, there is no text."""
    stream = opened(recording, **settings)
    recording.flush()
    eventually(lambda: only(viewer)["chunks"] == 3)
    assert only(viewer)["text"] is None
    list(stream)


@pytest.mark.slow
def test_a_chunk_is_as_many_tokens_as_in_the_models_last_calls(
    recording: Recording, viewer: TestClient, eventually: Callable[..., None]
) -> None:
    """Nobody says how many tokens an open stream has had: calls that have ended tell the ratio."""
    handler = OpenTelemetryCallbackHandler(tracer_provider=recording.provider)
    whole = AIMessage("one two three", usage_metadata=USAGE)
    list(ScriptedChatModel([whole]).stream("Hi", {"callbacks": [handler]}))
    recording.flush()
    names = viewer.get("/api/traces/last").json()["spans"]
    (chunks,) = names["chunks"]
    stream = opened(recording)
    recording.flush()
    eventually(lambda: only(viewer)["per_second"] is not None)
    run = only(viewer)
    seconds = (run["last_chunk_at"] - run["first_chunk_at"]) / 1e3
    assert run["tokens_per_chunk"] == pytest.approx(9 / chunks)
    assert run["per_second"] == pytest.approx(2 / seconds * 9 / chunks, rel=0.05)
    list(stream)


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("Hello wor", "Hello "),
        ("Meow", ""),
        ("Hello, world ", "Hello, world "),
        ("你好", "你好"),
        ("你好 sk-proj", "你好 "),
        (f"my key {SECRET[:20]}", "my key "),
    ],
)
def test_the_last_word_waits_for_its_end(text: str, passed: str) -> None:
    """Half of a credential is not known for one, so a word is shown when it has ended."""
    door = ContentDoor(CaptureContent.SPAN_ONLY)
    assert door.so_far(text) == passed


def test_of_a_long_stream_the_end_is_shown() -> None:
    """It has at most 2,000 characters, and what is looked at for it is bounded, too."""
    looked: list[str] = []
    text = StreamText(1_000_000, lambda said: looked.append(said) or said)
    for number in range(20_000):
        text.add(f"word{number} ")
    shown = text.so_far()
    assert shown is not None
    assert (len(shown), shown[-10:]) == (2_000, "word19999 ")
    assert [len(said) for said in looked] == [10_000]
