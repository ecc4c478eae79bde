"""Durations, and text from elsewhere, as people read them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodespan.graph.cli._terminal.plain_text import plain, plain_lines
from nodespan.telemetry.console import duration

US, MS, S = 1_000, 1_000_000, 1_000_000_000


class TestDuration:
    """Three digits and a unit."""

    @pytest.mark.parametrize(
        ("nanoseconds", "text"),
        [
            (-5, "0.00 µs"),
            (0, "0.00 µs"),
            (123, "0.12 µs"),
            (9_994, "9.99 µs"),
            (9_996, "10.0 µs"),
            (850 * US, "850 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (12.34 * MS, "12.3 ms"),
            (999.4 * MS, "999 ms"),
            (999.6 * MS, "1.00 s"),
            (59.94 * S, "59.9 s"),
            (59.96 * S, "1 min 00 s"),
            (123 * S, "2 min 03 s"),
            (3_600 * S, "1 h 00 min"),
            (90_061 * S, "25 h 01 min"),
        ],
    )
    def test_examples(self, nanoseconds: float, text: str) -> None:
        """Units change where three digits would not do."""
        assert duration(nanoseconds) == text

    @given(st.integers(0, 59 * S))
    def test_accurate(self, nanoseconds: int) -> None:
        """What is shown is within half of its last digit of the truth, and never long."""
        text = duration(nanoseconds)
        number, unit = text.split(" ")
        size = {"µs": US, "ms": MS, "s": S}[unit]
        last_digit = 10.0 ** -len(number.partition(".")[2])

        assert len(text) <= 7
        assert abs(float(number) - nanoseconds / size) <= last_digit / 2 * 1.000_001

    @given(st.integers(0, 10**15))
    def test_ascii(self, nanoseconds: int) -> None:
        """Where only ASCII can be shown, microseconds are `us`."""
        assert duration(nanoseconds, ascii_only=True) == duration(nanoseconds).replace("µ", "u")


CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class TestPlainText:
    """Control characters are shown, not obeyed."""

    @given(st.text())
    def test_harmless(self, text: str) -> None:
        """No control character is left, but line breaks and tabs where there may be lines."""
        assert not CONTROL.search(plain(text))
        assert set(CONTROL.findall(plain_lines(text))) <= {"\n", "\t"}

    @given(st.text(st.characters(exclude_categories=["Cc"])))
    def test_untouched(self, text: str) -> None:
        """Anything else stays as it is."""
        assert plain(text) == plain_lines(text) == text

    def test_shown(self) -> None:
        """What was there can be seen."""
        assert plain("\x1b[31m\n\x7f") == "␛[31m␊␡"
