"""`nodespan trace ID --as-script`: a recorded trace as a Python test that passes as it stands."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk

from nodespan.graph import build_agent
from nodespan.graph.cli._script.literals import literal
from nodespan.graph.cli._script.recorded import Call, Failure, Said, Thought, ToolCall, Wait
from nodespan.graph.cli._script.source import script_of
from nodespan.model import Pause, RateLimitError, ScriptedChatModel
from nodespan.telemetry._context.starting import STARTING_RUN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.command import Result
    from support.recording import Recording

    Command = Callable[..., Result]
    Recorded = Callable[..., dict[str, Any]]

WEATHER = {"name": "weather", "args": {"city": "Bern"}, "id": "call-1"}
TRACE = "ab" * 16
HOSTILE = (
    "'''",
    '"""',
    "\\",
    "\\'",
    "' + __import__('os').system('x') + '",
    "'); raise SystemExit(1)  # ",
    '"""\nraise SystemExit(1)\n"""',
    "\n    raise SystemExit(1)\n",
    "\r\x00\x1b[31m\u2028\u202e\ufeff",
    "{0} {PACE} %s",
    "# -*- coding: utf-7 -*-",
    "ünïcödé 🐈",
)


@pytest.fixture(autouse=True)
def _no_run_is_starting() -> Iterator[None]:
    yield
    STARTING_RUN.set(None)


def weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"Sunny in {city}."


def script(command: Command, recording: Recording, name: str = "last") -> tuple[str, str]:
    """Return what `--as-script` prints, and what it says beside."""
    recording.flush()
    result = command("trace", name, "--as-script", "--journal", str(recording.path))
    assert result.code == 0, result.err
    return result.out, result.err


def run(source: str) -> dict[str, Any]:
    """Run a script's tests without waiting, and return its names."""
    names: dict[str, Any] = {}
    exec(compile(source.replace("PACE = 1.0", "PACE = 0"), "script", "exec"), names)  # noqa: S102 - the script under test
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 1
    tests[0]()
    return names


def a_call(*pieces: Any, **changes: Any) -> Call:
    """Return a call of a model that gave these pieces."""
    told: dict[str, Any] = {
        "name": "chat cat-1",
        "model": "cat-1",
        "pieces": pieces,
        "failure": None,
        "outcome": None,
        "finish_reason": None,
        "input_tokens": None,
        "output_tokens": None,
        "is_recorded": True,
        "is_cut": False,
        "left_out": (),
    }
    return Call(**(told | changes))


class TestWhatIsGiven:
    """The recorded answers, calls of tools, pauses and failures, in their order."""

    def test_an_agent(self, command: Command, recording: Recording, recorded: Recorded) -> None:
        """The same answers, in the same chunks, after the same calls and waits."""
        answers: list[Any] = [
            AIMessage("", tool_calls=[WEATHER]),
            ["It ", Pause(0.05), "is ", "sunny."],
        ]
        agent = build_agent(ScriptedChatModel(answers), [weather])
        asked = {"messages": [("user", "Weather?")]}
        list(agent.stream(asked, recorded(), stream_mode="messages"))
        source, notes = script(command, recording)
        names = run(source)
        assert notes == ""
        assert names["QUESTION"] == "Weather?"
        replayed = build_agent(names["recorded_model"](), [weather])
        assert replayed.invoke(asked)["messages"][-1].text == "It is sunny."
        model = names["recorded_model"]()
        model.invoke("?")
        assert [chunk.text for chunk in model.stream("?")][:3] == ["It ", "is ", "sunny."]
        (pause,) = (
            float(line.partition("PACE * ")[2].rstrip(",)"))
            for line in source.splitlines()
            if "Pause(PACE * 0.0" in line and float(line.partition("* ")[2].rstrip(",)")) >= 0.05
        )
        assert pause >= 0.05

    def test_pauses_are_waited_for(self) -> None:
        """A pause is as long as it was, as long as nobody changes the pace."""
        source = script_of(TRACE, [a_call(Wait(0.05), Said("a"))], None)
        names: dict[str, Any] = {}
        exec(source, names)  # noqa: S102 - the script under test
        begun = time.monotonic()
        names[f"test_trace_{TRACE[:12]}"]()
        assert time.monotonic() - begun >= 0.05

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (ConnectionError("gone"), "ConnectionError"),
            (KeyError("city"), "KeyError"),
            (RateLimitError("slow down"), "RateLimitError"),
            (UnicodeDecodeError("utf-8", b"", 0, 1, "bad"), "RecordedError"),
            (json.JSONDecodeError("bad", "", 0), "RecordedError"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_failures(
        self,
        command: Command,
        recording: Recording,
        recorded: Recorded,
        error: Exception,
        kind: str,
    ) -> None:
        """A failure is raised again after what came before it; one of elsewhere has a stand-in."""
        with pytest.raises(type(error)):
            list(ScriptedChatModel([["half ", error]]).stream("?", recorded()))
        source, _ = script(command, recording)
        names = run(source)
        said = []
        with pytest.raises(Exception, match=r".+") as failure:
            said += [chunk.text for chunk in names["recorded_model"]().stream("?")]
        assert type(failure.value).__name__ == kind

    def test_reasoning_usage_and_the_reason_of_the_end(
        self, command: Command, recording: Recording, recorded: Recorded
    ) -> None:
        """What an answer has beside its text is in the script."""
        usage = {"input_tokens": 3, "output_tokens": 5, "total_tokens": 8}
        end = {"finish_reason": "length"}
        thought = {"type": "reasoning", "reasoning": "Hm."}
        model = ScriptedChatModel(
            [
                [
                    AIMessageChunk([thought]),
                    "Mee",
                    AIMessageChunk("", response_metadata=end, usage_metadata=usage),
                ]
            ]
        )
        model.invoke("?", recorded())
        answer = run(script(command, recording)[0])["recorded_model"]().invoke("?")
        assert answer.text == "Mee"
        assert answer.content[0] == thought
        assert answer.usage_metadata == usage
        assert answer.response_metadata["finish_reason"] == "length"

    def test_calls_whose_arguments_are_no_json(self) -> None:
        """They are as invalid as they were."""
        call = ToolCall("weather", '{"city": "Be', "1")
        answer = run(script_of(TRACE, [a_call(call)], None))["recorded_model"]().invoke("?")
        assert [each["args"] for each in answer.invalid_tool_calls] == ['{"city": "Be']

    def test_calls_of_an_answer_that_was_cut_off(self) -> None:
        """A program that has acted on them gets them again."""
        call = a_call(ToolCall("weather", {"city": "Bern"}, "1"), finish_reason="max_tokens")
        answer = run(script_of(TRACE, [call], None))["recorded_model"]().invoke("?")
        assert [each["args"] for each in answer.tool_calls] == [{"city": "Bern"}]

    def test_no_answer_at_all(self) -> None:
        """A call that gave nothing gives nothing."""
        assert run(script_of(TRACE, [a_call()], None))


class TestHostileContent:
    """What was recorded is data, whatever it looks like."""

    @pytest.mark.parametrize("text", HOSTILE, ids=ascii)
    def test_in_every_place(self, text: str) -> None:
        """Names, texts, arguments, messages and types of errors: none of it is code."""
        calls = [
            a_call(
                Said(text),
                Thought(text),
                ToolCall(text or "x", {text: [text, {text: text}]}, text),
                name=text,
                model=text,
                finish_reason="stop",
                outcome=text,
                left_out=(text,),
            ),
            a_call(Said(text), failure=Failure(text, text)),
            a_call(failure=Failure(f"builtins.{text}", None)),
        ]
        names = run(script_of(TRACE, calls, text))
        assert names["QUESTION"] == text
        model = names["recorded_model"]()
        answer = model.invoke("?")
        assert answer.text == text
        assert answer.tool_calls[0]["args"] == {text: [text, {text: text}]}
        with pytest.raises(names["RecordedError"]):
            model.invoke("?")

    @pytest.mark.parametrize(
        "kind",
        [
            "SystemExit",
            "KeyboardInterrupt",
            "StopIteration",
            "eval",
            "print",
            "nodespan.model.Pause",
        ],
    )
    def test_types_that_are_no_failures(self, kind: str) -> None:
        """What is no error of a program's, or would be another one, has a stand-in."""
        run(script_of(TRACE, [a_call(failure=Failure(kind, "x"))], None))

    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        )
    )
    def test_literals(self, value: Any) -> None:
        """A literal gives just what was written, and is one line."""
        written = literal(value)
        assert "\n" not in written
        assert eval(written, {"__builtins__": {}, "json": json}) == value  # noqa: S307 - the literal under test

    def test_deep_arguments(self) -> None:
        """What nests deeper than Python's parser goes is given all the same."""
        deep: Any = "end"
        for _ in range(300):
            deep = {"in": [deep]}
        call = ToolCall("dig", deep, "1")
        answer = run(script_of(TRACE, [a_call(call)], None))["recorded_model"]().invoke("?")
        assert answer.tool_calls[0]["args"] == deep

    def test_halves_of_characters(self, command: Command, recording: Recording) -> None:
        """Half a character, as JSON may have it, becomes the sign for one that is none."""
        messages = (
            '[{"role":"assistant","parts":[{"type":"text","content":"a\\ud800b"},'
            '{"type":"tool_call","id":"1","name":"n","arguments":{"x":NaN,"\\udc00":1}}]}]'
        )
        attributes = {"gen_ai.operation.name": "chat", "gen_ai.output.messages": messages}
        recording.tracer.start_span("chat", attributes=attributes).end()
        answer = run(script(command, recording)[0])["recorded_model"]().invoke("?")
        assert answer.text == "a\ufffdb"
        assert answer.tool_calls[0]["args"] == {"x": "NaN", "\ufffd": 1}

    @pytest.mark.parametrize(
        "messages",
        ["", "no JSON", "[]", "{}", "[1]", '[{"parts":1}]', "[" * 100_000, '[{"parts":[1,{}]}]'],
        ids=lambda text: text[:12],
    )
    def test_messages_of_any_shape(
        self, command: Command, recording: Recording, messages: str
    ) -> None:
        """What is no message gives an empty answer, and is said to be cut."""
        attributes = {"gen_ai.operation.name": "chat", "gen_ai.output.messages": messages}
        recording.tracer.start_span("chat", attributes=attributes).end()
        source, notes = script(command, recording)
        run(source)
        assert notes


class TestWhatCannotBeGiven:
    """Said, with the way out."""

    def test_content_that_was_not_recorded(
        self, command: Command, recording: Recording, recorded: Recorded
    ) -> None:
        """The message names the variable that would have recorded it."""
        ScriptedChatModel(["a"]).invoke("?", recorded("NO_CONTENT"))
        recording.flush()
        result = command("trace", "last", "--as-script", "--journal", str(recording.path))
        assert (result.code, result.out) == (1, "")
        assert "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY" in result.err

    def test_a_trace_without_a_model(self, command: Command, recording: Recording) -> None:
        """There is nothing to script."""
        recording.tracer.start_span("root").end()
        recording.flush()
        result = command("trace", "last", "--as-script", "--journal", str(recording.path))
        assert (result.code, result.out) == (1, "")
        assert "has no call of a chat model" in result.err

    def test_an_answer_that_was_cut(
        self, command: Command, recording: Recording, recorded: Recorded
    ) -> None:
        """The script has what was recorded, and says that this is a part."""
        ScriptedChatModel(["word " * 100]).invoke("?", recorded(max_content_characters=200))
        source, notes = script(command, recording)
        assert "call 1: its answer was cut when it was recorded (max_content_characters)" in notes
        assert "was cut when it was recorded" in source
        run(source)

    def test_a_consumer_that_walked_away(
        self, command: Command, recording: Recording, recorded: Recorded
    ) -> None:
        """The answer ends where it was left, and the script says so."""
        stream = ScriptedChatModel([["one ", "two"]]).stream("?", recorded())
        next(stream)
        stream.close()
        source, notes = script(command, recording)
        assert "it did not end by itself ('abandoned')" in notes
        assert run(source)["recorded_model"]().invoke("?").text == "one "

    def test_what_is_no_text(self, command: Command, recording: Recording) -> None:
        """An image is left out, and named."""
        parts = [{"type": "text", "content": "Look:"}, {"type": "blob", "modality": "image"}]
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": parts}]),
        }
        recording.tracer.start_span("chat", attributes=attributes).end()
        source, notes = script(command, recording)
        assert "left out of its answer: 'image'" in notes
        assert run(source)["recorded_model"]().invoke("?").text == "Look:"


@pytest.mark.end_to_end
def test_the_file_passes_as_it_stands(
    command: Command, recording: Recording, recorded: Recorded, tmp_path: Path
) -> None:
    """pytest, in a process of its own, runs the file that was printed, and it passes."""
    agent = build_agent(
        ScriptedChatModel([AIMessage("", tool_calls=[WEATHER]), "\n".join(HOSTILE)]), [weather]
    )
    agent.invoke({"messages": [("user", '"""?')]}, recorded())
    file = tmp_path / "test_recorded.py"
    file.write_text(script(command, recording)[0], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
