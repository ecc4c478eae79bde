"""The content door: what passes is cut to its size, valid JSON, and as redaction left it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage

from nodespan.telemetry import CaptureContent, ConfigurationError
from nodespan.telemetry._content.door import ContentDoor, Passed, within_sdk_limit
from nodespan.telemetry._content.messages import conversation, output_message
from nodespan.telemetry._settings.record import Settings
from nodespan.telemetry._values.lazy_sequence import LazySequence
from support.values import PLAIN, VALUES

if TYPE_CHECKING:
    from collections.abc import Callable

INPUT = "gen_ai.input.messages"
VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


def passed(value: object, limit: int = 100_000, name: str = "state", **door: Any) -> Passed | None:
    """Return what of a value passes an open door."""
    return ContentDoor(CaptureContent.SPAN_ONLY, max_characters=limit, **door).on_span(
        name, lambda: value
    )


def talk(*texts: str) -> LazySequence:
    """Return a conversation of a person with a model."""
    kinds = (HumanMessage, AIMessage)
    return conversation([kinds[place % 2](text) for place, text in enumerate(texts)])


def told(found: Passed | None) -> list[str]:
    """Return the texts of a conversation that passed."""
    assert found is not None
    return [message["parts"][0]["content"] for message in json.loads(found.text)]


class TestSize:
    """What is cut, and how."""

    @given(VALUES, st.integers(2, 300))
    def test_any_value_keeps_to_the_limit_and_stays_json(self, value: object, limit: int) -> None:
        """No attribute is longer than the limit, and what is JSON can be read."""
        found = passed(value, limit)
        assert found is not None
        assert len(found.text) <= limit
        if found.is_json:
            json.loads(found.text)

    @given(st.lists(st.text(max_size=200), max_size=30), st.integers(2, 3_000))
    def test_conversations_keep_to_the_limit_and_stay_json(
        self, texts: list[str], limit: int
    ) -> None:
        """A conversation of any length is cut to a valid conversation."""
        found = passed(talk(*texts), limit, INPUT)
        assert found is not None
        assert len(found.text) <= limit
        assert all({"role", "parts"} <= message.keys() for message in json.loads(found.text))

    @given(PLAIN)
    def test_what_fits_passes_whole(self, value: Any) -> None:
        """Content within the limit passes as it is, text as text and all else as JSON."""
        found = passed(value)
        assert found is not None
        assert found.dropped == 0
        assert (json.loads(found.text) if found.is_json else found.text) == value

    @given(st.integers(0, 2_000), st.integers(150, 1_000), st.booleans())
    def test_what_a_message_is_survives_the_cut(
        self, size: int, limit: int, is_redacted: bool
    ) -> None:
        """However long its text, a message keeps its role, its kinds of part, and why it ended."""
        answer = [output_message(AIMessage("x" * size), "length")]
        same = {"redact": lambda _name, value: value} if is_redacted else {}
        found = passed(answer, limit, "gen_ai.output.messages", **same)
        assert found is not None
        (message,) = json.loads(found.text)
        assert (message["role"], message["finish_reason"]) == ("assistant", "length")
        assert [part["type"] for part in message["parts"]] == (["text"] if size else [])

    def test_a_credential_does_not_pass_as_what_a_message_is(self) -> None:
        """What is kept whole is still without credentials."""
        found = passed({"name": "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"}, 100)
        assert found is not None
        assert "abcdefghijklmnopqrstuvwxyz" not in found.text

    def test_long_text_is_cut_and_counted(self) -> None:
        """Of a long text the beginning passes, and the rest is counted."""
        assert passed("x" * 1_000, 100) == Passed("x" * 100, 900, is_json=False, value="x" * 100)

    def test_a_long_conversation_keeps_its_first_message_and_the_newest(self) -> None:
        """Of 10,000 messages the first and the newest pass, and one that says what is left out."""
        texts = [f"message {place} " + "x" * 100 for place in range(10_000)]
        found = passed(talk(*texts), 10_000, INPUT)
        first, stand_in, *newest = told(found)
        assert first == texts[0]
        assert len(newest) > 30
        assert newest[1:] == texts[len(texts) - len(newest) + 1 :]
        assert stand_in == f"{10_000 - 1 - len(newest):,} messages left out"
        assert found is not None
        assert found.dropped >= 10_000 - 1 - len(newest)

    def test_a_first_message_of_any_size_leaves_room_for_the_newest(self) -> None:
        """A first message that would fill the room gets a quarter of it, or what is left over."""
        first, newest = told(passed(talk("a" * 10**6, "b" * 10**6), 4_000, INPUT))
        assert 700 < len(first) < 1_000
        assert 2_500 < len(newest) < 3_000
        first, newest = told(passed(talk("a" * 10**6, "b"), 4_000, INPUT))
        assert len(first) > 3_500
        assert newest == "b"

    def test_only_what_can_be_kept_is_read(self) -> None:
        """Of a conversation that is cut, the messages in the middle are not even looked at."""
        seen: list[int] = []

        def make(place: int) -> Any:
            seen.append(place)
            return {"role": "user", "parts": [{"type": "text", "content": "x" * 100}]}

        passed(LazySequence(range(10_000), make), 5_000, INPUT)
        assert len(set(seen)) < 100


class TestRedaction:
    """What a user's function may do, and must not be able to."""

    def test_it_sees_plain_data_and_its_answer_passes(self) -> None:
        """Redaction gets the attribute's name and plain data; what it returns is recorded."""
        seen: list[tuple[str, Any]] = []

        def redact(name: str, content: Any) -> Any:
            seen.append((name, content))
            return [*content, "redacted"]

        found = passed([HumanMessage("hello"), {1: b"x"}], redact=redact)
        message = {"role": "user", "parts": [{"type": "text", "content": "hello"}]}
        assert seen == [("state", [message, {"1": "<1 bytes>"}])]
        assert found is not None
        assert json.loads(found.text) == [message, {"1": "<1 bytes>"}, "redacted"]

    def test_it_sees_more_than_is_kept(self) -> None:
        """The cut comes after redaction: it must not tear what redaction looks for."""
        found = passed("x" * 95 + "Bob Smith" + "x" * 99, 100, redact=replacing("Bob Smith", "-"))
        assert found is not None
        assert found.text == "x" * 95 + "-" + "x" * 4

    def test_it_cannot_change_what_the_application_has(self) -> None:
        """What redaction changes in place is a copy."""
        state = {"items": [1, 2]}

        def redact(_name: str, content: Any) -> Any:
            content["items"].clear()
            return content

        found = passed(state, redact=redact)
        assert state == {"items": [1, 2]}
        assert found is not None
        assert found.text == '{"items":[]}'

    def test_one_that_returns_nothing_records_nothing(self) -> None:
        """None in place of content is no content."""
        assert passed("text", redact=lambda _name, _content: None) is None

    @pytest.mark.parametrize("error", [ValueError("planted"), RecursionError(), MemoryError()])
    def test_one_that_raises_records_nothing(self, error: Exception) -> None:
        """Content that redaction fails on is not recorded, and the failure is reported."""
        reported: list[tuple[str, BaseException]] = []

        def redact(_name: str, _content: Any) -> Any:
            raise error

        found = passed("text", redact=redact, report=lambda *told: reported.append(told))
        assert found is None
        assert reported == [("content could not be recorded", error)]

    def test_one_that_is_interrupted(self) -> None:
        """A person at the keyboard is heard, whoever is at work."""

        def redact(_name: str, _content: Any) -> Any:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            passed("text", redact=redact)

    @given(VALUES)
    def test_one_that_returns_garbage(self, garbage: object) -> None:
        """Whatever redaction returns passes as plain data does: cut, valid, without credentials."""
        found = passed("text", 200, redact=lambda _name, _content: garbage)
        if found is not None:
            assert len(found.text) <= 200
            found.text.encode()

    def test_it_cannot_bring_credentials_back(self) -> None:
        """What redaction returns is looked through as any content."""
        found = passed("x", redact=lambda _name, _content: {"api_key": "k", "n": 1})
        assert found is not None
        assert found.text == '{"n":1}'


class TestClosed:
    """A door that is closed."""

    @pytest.mark.parametrize("mode", [CaptureContent.NO_CONTENT, CaptureContent.EVENT_ONLY])
    def test_nothing_is_made(self, mode: CaptureContent) -> None:
        """Content that must not pass is not even put together."""

        def make() -> Any:
            raise AssertionError

        door = ContentDoor(mode)
        assert door.on_span("state", make) is None
        assert list(door.all_on_span(make)) == []


class TestSettings:
    """What opens the door."""

    @pytest.mark.parametrize("value", ["span_only", " SPAN_ONLY ", "Span_Only"])
    def test_the_variable_in_any_case(self, value: str) -> None:
        """The official variable counts in upper and lower case."""
        assert chosen(None, {VARIABLE: value}) is CaptureContent.SPAN_ONLY

    @pytest.mark.parametrize("environ", [{}, {VARIABLE: ""}, {VARIABLE: " "}])
    def test_without_it_there_is_no_content(self, environ: dict[str, str]) -> None:
        """Unset or empty, the variable asks for no content."""
        assert chosen(None, environ) is CaptureContent.NO_CONTENT

    def test_an_argument_counts_first(self) -> None:
        """What the program says counts before the environment."""
        environ = {VARIABLE: "SPAN_ONLY"}
        assert chosen("NO_CONTENT", environ) is CaptureContent.NO_CONTENT

    @pytest.mark.parametrize("value", ["true", "1", "spans"])
    def test_an_unknown_value_is_an_error(self, value: str) -> None:
        """A value that is no mode is told, with the modes that there are."""
        with pytest.raises(ConfigurationError, match=f"{VARIABLE} is '{value}'.*SPAN_ONLY"):
            chosen(None, {VARIABLE: value})

    @pytest.mark.parametrize(
        ("environ", "limit"),
        [
            ({}, 1_000),
            ({"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "300"}, 300),
            ({"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": " 200 "}, 200),
            ({"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "many"}, 1_000),
            ({"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "100000"}, 1_000),
        ],
    )
    def test_the_sdk_must_not_cut_json(self, environ: dict[str, str], limit: int) -> None:
        """Where the SDK would cut attributes shorter, content is cut to that, as valid JSON."""
        assert within_sdk_limit(1_000, environ) == limit


def chosen(mode: str | None, environ: dict[str, str]) -> CaptureContent | str | None:
    """Return where content may go, by an argument or by the variable."""
    return Settings(capture_content=mode).checked(environ).capture_content


def replacing(old: str, new: str) -> Callable[[str, Any], Any]:
    """Return a redaction that replaces a text."""
    return lambda _name, content: content.replace(old, new)
