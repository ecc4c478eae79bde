"""What the windows of a stream said, on their span events: where content may be, and only there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodespan.telemetry._stream.clock import StreamClock
from nodespan.telemetry._stream.text import StreamText, token_text
from nodespan.telemetry._values.plain import clean_text
from nodespan.telemetry.testing import capture_spans
from support.strangers import AEVENTS_V3, ASTREAM, EVENTS_V2, EVENTS_V3, STREAM, Call, Talker

if TYPE_CHECKING:
    from nodespan.telemetry.testing import CapturedSpans

# LangChain says so of each of its v3 streams.
pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")

LONG = " ".join(f"word{number}" for number in range(100))
TEXT = "nodespan.stream.window.text"
ANSWER = "gen_ai.output.messages"
STREAMS = (STREAM, ASTREAM, EVENTS_V2, EVENTS_V3, AEVENTS_V3)


def said(captured: CapturedSpans) -> list[tuple[Any, Any]]:
    """Return the number of chunks and the text of each window of the only span."""
    (span,) = captured.spans
    windows = [event for event in span.events if event.name == "on_chat_model_stream"]
    return [
        (w.attributes["nodespan.stream.window.chunks"], w.attributes.get(TEXT)) for w in windows
    ]


def stream(captured: CapturedSpans, model: Any, call: Call = STREAM) -> list[tuple[Any, Any]]:
    """Stream a model, and return what its windows are told to have said."""
    call.run(model, "hello", {"callbacks": [captured.handler]})
    return said(captured)


@given(st.lists(st.text(max_size=8), max_size=300), st.integers(1, 500))
def test_windows_share_out_the_text(texts: list[str], room: int) -> None:
    """One after the other they say what the stream said, as far as there was room."""
    clock, text = StreamClock(0), StreamText(room)
    for at, piece in enumerate(texts):
        clock.tick(at)
        text.add(piece)
    assert "".join(text.of(window) for window in clock.windows) == text.whole
    assert text.whole == clean_text("".join(texts[:room])[:room])


@given(
    st.recursive(st.none() | st.text() | st.integers(), st.lists)
    | st.dictionaries(st.text(), st.text())
)
def test_a_token_of_any_shape_has_text(token: object) -> None:
    """Whatever a model reports as a token, its text is text."""
    assert isinstance(token_text([token]), str)
    assert isinstance(token_text(token), str)


@pytest.mark.parametrize("call", STREAMS, ids=str)
def test_a_window_says_what_its_chunks_did(call: Call) -> None:
    """By every way to stream, each window has the words of its own chunks."""
    with capture_spans(capture_content="SPAN_ONLY") as captured:
        windows = stream(captured, Talker(answer=LONG), call)
    assert "".join(text for _, text in windows).split() == LONG.split()
    assert all(len(text.split()) == chunks for chunks, text in windows)


@pytest.mark.parametrize("mode", ["NO_CONTENT", "EVENT_ONLY"])
@pytest.mark.parametrize("call", STREAMS, ids=str)
def test_nothing_is_said_unless_it_was_asked_for(call: Call, mode: str) -> None:
    """Where content must not be on spans, it is not on their events."""
    with capture_spans(capture_content=mode) as captured:
        assert {text for _, text in stream(captured, Talker(answer=LONG), call)} == {None}


@pytest.mark.parametrize(
    "redact",
    [
        lambda _name, value: json.loads(json.dumps(value).replace("it is", "[...]")),
        lambda name, value: None if name == ANSWER else value,
        lambda name, _value: 1 / 0 if name == ANSWER else _value,
    ],
    ids=["changes", "withholds", "raises"],
)
def test_what_redaction_would_change_is_not_said_in_pieces(redact: Any) -> None:
    """What it looks for may lie across windows: then no window says anything."""
    with capture_spans(capture_content="SPAN_ONLY", redact=redact) as captured:
        assert {text for _, text in stream(captured, Talker())} == {None}


def test_a_credential_is_not_said_in_pieces() -> None:
    """Cut up, it would not be known for one."""
    answer = "password = 'open sesame'"
    with capture_spans(capture_content="SPAN_ONLY") as captured:
        assert {text for _, text in stream(captured, Talker(answer=answer))} == {None}


def test_a_long_stream_is_told_from_its_beginning() -> None:
    """No more is kept than one attribute may have; the clock goes on."""
    with capture_spans(capture_content="SPAN_ONLY", max_content_characters=50) as captured:
        windows = stream(captured, Talker(answer=LONG))
    assert "".join(text or "" for _, text in windows) == f"{LONG} "[:50]
    assert sum(chunks for chunks, _ in windows) == 100
