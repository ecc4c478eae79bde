"""`nodespan chat` on a terminal: one answer, and a conversation."""

from typing import Any

from support.command import Typed

CALLER = ("--model", "own_models:tool_caller")


class TestOneShot:
    """One answer on a terminal."""

    def test_colours(self, terminal: Any) -> None:
        """The trace has colours; outcomes that are well are green."""
        screen = terminal("chat", "Meow!")

        assert screen.end() == 0
        assert "\x1b[32mok" in screen.raw
        assert "└─ chat echo" in screen.text

    def test_narrow(self, terminal: Any) -> None:
        """On a narrow terminal names are cut, and no line is wrapped."""
        screen = terminal("chat", "Meow!", columns=70)

        assert screen.end() == 0
        table = screen.text[screen.text.index("span ") :].splitlines()
        assert len(table) == 4
        assert all(len(line) <= 70 for line in table)
        assert "…" in table[1]
        assert table[3].rstrip().endswith("ok")

    def test_control_characters(self, terminal: Any) -> None:
        """An answer cannot command the terminal: control characters are shown, not obeyed."""
        screen = terminal("chat", "\x1b]0;owned\x07Meow\r!", "--no-trace", NO_COLOR="1")

        assert screen.end() == 0
        assert screen.raw == "␛]0;owned␇Meow!\r\n"


def test_what_is_typed_is_answered(nodespan: Any) -> None:
    """Each line is a prompt, with what was said before, until one of them ends it."""
    result = nodespan(
        *("chat", "--model", "own_models:RecallingChatModel", "--no-trace"),
        stdin="one\n\nfail\n/nope\ntwo\nexit\nthree\n",
        reader=Typed,
    )

    assert result.code == 0
    said = [line for line in result.out.splitlines() if line]
    assert said == ["[human: one]", "[human: one] [ai: [human: one]] [human: two]"]
    assert "Ctrl-C stops an answer, Ctrl-D ends." in result.err
    assert "error: ConnectionError: the cable is out" in result.err
    assert "there is no /nope" in result.err


class TestConversation:
    """A conversation, from the first prompt to Ctrl-D."""

    def test_conversation(self, terminal: Any) -> None:
        """History is kept; a stopped answer counts as far as it came, a failed one not at all."""
        screen = terminal("chat", "--model", "own_models:RecallingChatModel", "--no-trace")
        screen.until("Ctrl-C stops an answer, Ctrl-D ends.")

        screen.until("> ")
        screen.type("one\n")
        screen.until("[human: one]\n")

        screen.until("> ")
        screen.type("count\n")
        screen.until("0 1 2")
        screen.type("\x03")
        counted = screen.until("> ").partition("^C")[0]

        screen.type("fail\n")
        screen.until("error: ConnectionError: the cable is out")

        screen.until("> ")
        screen.type("dropped")
        screen.until("dropped")
        screen.press_ctrl_c()
        screen.type("\n")
        screen.until("> ")
        screen.type("two\n")
        recalled = screen.until("[human: two]\n")

        screen.until("> ")
        screen.type("\x04")
        assert screen.end() == 0
        assert recalled.partition("\n\n")[2] == (
            f"[human: one] [ai: [human: one]] [human: count] [ai: 0 1 2{counted}] [human: two]\n"
        )

    def test_traces(self, terminal: Any, otlp_receiver: Any) -> None:
        """Each answer has its trace, and only its own; they are exported as one conversation."""
        screen = terminal("chat", "--n", "2", OTEL_EXPORTER_OTLP_ENDPOINT=otlp_receiver.endpoint)

        for prompt in ("Meow!", "Purr!"):
            screen.until("> ")
            screen.type(f"{prompt}\n")
            turn = screen.until("chat echo")
            assert f"\n{prompt[:2]}\n" in turn
            assert turn.count("trace ") == 1
        screen.until("> ")
        screen.type("\x04")

        assert screen.end() == 0
        assert len({span.trace_id for span in otlp_receiver.spans}) == 2
        conversations = {
            attribute.value.string_value
            for span in otlp_receiver.spans
            for attribute in span.attributes
            if attribute.key == "gen_ai.conversation.id"
        }
        assert len(otlp_receiver.spans) == 6
        assert len(conversations) == 1

    def test_nothing_to_stop(self, terminal: Any) -> None:
        """Ctrl-C where there is nothing to stop does no harm, however often."""
        screen = terminal("chat", "--no-trace")
        screen.until("> ")

        screen.press_ctrl_c()
        screen.press_ctrl_c()
        screen.type("still here\n")
        screen.until("\nstill here\n")
        screen.until("> ")
        screen.type("\x04")

        assert screen.end() == 0

    def test_words_of_its_own(self, terminal: Any) -> None:
        """`/help` says what there is, and `exit` ends; the model hears of neither."""
        screen = terminal("chat", "--no-trace")
        screen.until("/help says more.")
        screen.until("> ")
        screen.type("/help\n")
        assert "Ctrl-D, exit" in screen.until("shows this")
        screen.until("> ")
        screen.type("/clear\n")
        assert "there is no /clear" in screen.until("shows this")
        screen.until("> ")
        screen.type("exit the room\n")
        screen.until("\nexit the room\n")
        screen.until("> ")
        screen.type(" exit\n")

        assert screen.end() == 0

    def test_ctrl_c_has_its_line(self, terminal: Any) -> None:
        """What the terminal shows of Ctrl-C does not stand before the trace."""
        screen = terminal("chat", "sleep cat", *CALLER, "--tool=own_tools:sleep")
        screen.until("Asleep.\r\n".replace("\r", ""))
        screen.type("\x03")

        assert screen.end() == 130
        assert "\ntrace " in screen.text
        assert "^Ctrace" not in screen.text
