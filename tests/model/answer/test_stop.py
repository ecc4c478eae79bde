"""Stop strings over a stream give what the naive method gives on the whole text."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nodespan.model import BadRequestError
from nodespan.model._answer.stop import StopScanner

# Few letters, so that stop strings overlap, repeat, and contain one another; and pieces of
# graphemes that span several code points.
_LETTERS = st.sampled_from(["a", "b", "é", "e", "\u0301", "👩", "\u200d", "👧", "\n"])
_TEXTS = st.lists(_LETTERS, max_size=40).map("".join)
_STOPS = st.lists(st.lists(_LETTERS, min_size=1, max_size=5).map("".join), max_size=5)


def _naive(text: str, stops: list[str]) -> str:
    """Cut the whole text where it first ends with a stop string."""
    for end in range(1, len(text) + 1):
        if text[:end].endswith(tuple(stops)):
            return text[:end]
    return text


def _chunked(text: str, cuts: list[int]) -> list[str]:
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]


@given(_TEXTS, st.lists(st.integers(min_value=0), max_size=20), _STOPS)
@example("abcd", [2], ["bcd", "ab"])
@example("abc", [], ["abc", "b"])
@example("x👩\u200d👧y", [2, 3], ["👩\u200d👧"])
def test_any_chunking_equals_the_naive_method(text: str, cuts: list[int], stops: list[str]) -> None:
    """For any text, chunking and stop strings, the answer is that of the naive method."""
    scanner = StopScanner(stops)
    answer = "".join(scanner.feed(chunk) for chunk in _chunked(text, cuts))
    expected = _naive(text, stops)
    assert answer == expected
    assert (scanner.matched is not None) == expected.endswith(tuple(stops))


@given(_TEXTS, st.lists(st.integers(min_value=0), max_size=20), _STOPS)
def test_nothing_is_held_back(text: str, cuts: list[int], stops: list[str]) -> None:
    """A piece comes back at once and whole, up to the end of the first stop string."""
    scanner = StopScanner(stops)
    for chunk in _chunked(text, cuts):
        kept = scanner.feed(chunk)
        if scanner.matched is not None:
            break
        assert kept == chunk


@given(_TEXTS, st.integers(min_value=1, max_value=50), _STOPS)
def test_memory_is_bounded_by_the_longest_stop_string(
    text: str, repeats: int, stops: list[str]
) -> None:
    """However long the text, less than the longest stop string of it is remembered."""
    scanner = StopScanner(stops)
    for _ in range(repeats):
        scanner.feed(text)
        assert len(scanner._tail) < max(map(len, stops), default=1)


def test_nothing_follows_a_stop_string() -> None:
    """Text that comes after a stop string, in the same piece or a later one, is dropped."""
    scanner = StopScanner(["END"])
    assert [scanner.feed(piece) for piece in ("a E", "ND b", "c END")] == ["a E", "ND", ""]
    assert scanner.matched == "END"


def test_an_empty_stop_string_is_refused() -> None:
    """An empty stop string would end every answer before it began, so it is an error."""
    with pytest.raises(BadRequestError, match="no stop string"):
        StopScanner(["ok", ""])
