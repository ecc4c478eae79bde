"""What is written beside an answer waits until that has ended, and is never lost."""

from __future__ import annotations

import io

from nodespan.graph.cli._terminal.held import HeldBack


class Broken(io.StringIO):
    """A stream whose reader is gone."""

    def write(self, text: str) -> int:
        """Fail."""
        raise BrokenPipeError(text)


def test_it_is_written_when_the_answer_has_ended() -> None:
    """Before and after, it is written at once."""
    stream = io.StringIO()
    beside = HeldBack(stream)
    print("before", file=beside)
    assert stream.getvalue() == "before\n"
    with beside.holding():
        print("meanwhile", file=beside, flush=True)
        assert stream.getvalue() == "before\n"
    assert stream.getvalue() == "before\nmeanwhile\n"
    print("after", file=beside)
    assert stream.getvalue() == "before\nmeanwhile\nafter\n"


def test_what_is_too_long_is_not_held_back() -> None:
    """What is held back is bounded, and all of it comes out."""
    stream = io.StringIO()
    beside = HeldBack(stream)
    with beside.holding():
        for _ in range(12):
            beside.write("x" * 100_000)
        assert 1_000_000 <= len(stream.getvalue()) < 1_200_000
    assert len(stream.getvalue()) == 1_200_000


def test_a_reader_that_is_gone_is_no_failure() -> None:
    """The command goes on."""
    beside = HeldBack(Broken())
    with beside.holding():
        beside.write("meanwhile")
    assert beside.getvalue() == ""
