"""Pauses between tries are bounded, spread, and never shorter than the server asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodespan.model._openai.retry import Backoff, is_worth_retrying, parse_retry_after

_NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
_chances = st.floats(0, 1, exclude_max=True)


@given(retries=st.integers(0, 10_000), chance=_chances)
def test_a_pause_is_bounded_and_spread(retries: int, chance: float) -> None:
    """Between half and all of a span that doubles up to its limit."""
    span = min(8.0, 0.5 * 2.0 ** min(retries, 10))
    pause = Backoff(max_retries=10_001).pause(retries, None, chance)
    assert pause is not None
    assert span / 2 <= pause <= span


@given(retries=st.integers(0, 20), asked=st.floats(0, 60), chance=_chances)
def test_a_server_that_asks_for_a_pause_gets_it(retries: int, asked: float, chance: float) -> None:
    """The pause is never shorter than the server asks for, and little longer."""
    pause = Backoff(max_retries=21).pause(retries, asked, chance)
    assert pause is not None
    assert asked <= pause <= asked + 4


@given(asked=st.floats(60, exclude_min=True), chance=_chances)
def test_a_pause_too_long_is_the_callers_to_decide(asked: float, chance: float) -> None:
    """Where the server asks for more than a minute, it is not tried again."""
    assert Backoff(max_retries=5).pause(0, asked, chance) is None


@given(most=st.integers(0, 50), more=st.integers(0, 50), chance=_chances)
def test_tries_are_counted(most: int, more: int, chance: float) -> None:
    """After `max_retries` it is not tried again."""
    assert Backoff(max_retries=most).pause(most + more, None, chance) is None


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_worth_retrying(status: int) -> None:
    """Timeouts, conflicts, rate limits and the server's own failures."""
    assert is_worth_retrying(status)


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 413, 422])
def test_what_stays_wrong_is_not(status: int) -> None:
    """The same wrong request would be wrong again."""
    assert not is_worth_retrying(status)


@given(seconds=st.integers(0, 10**6))
def test_retry_after_in_seconds(seconds: int) -> None:
    """A number is read as seconds."""
    assert parse_retry_after(f" {seconds} ", date=None, now=_NOW) == seconds


@given(seconds=st.integers(-(10**6), 10**6), skew=st.integers(-5000, 5000))
def test_retry_after_as_a_date(seconds: int, skew: int) -> None:
    """A date is read by the server's own clock, where it shows one; the past is now."""
    there = _NOW + timedelta(seconds=skew)
    value = format_datetime(there + timedelta(seconds=seconds), usegmt=True)
    date = format_datetime(there, usegmt=True)
    assert parse_retry_after(value, date=date, now=_NOW) == max(0, seconds)
    assert parse_retry_after(value, date=None, now=there) == max(0, seconds)
    assert parse_retry_after(value, date="some day", now=there) == max(0, seconds)


@given(value=st.text() | st.sampled_from(["-1", "nan", "inf", "1e9", "soon", "٣", "Mon, 99"]))
def test_nonsense_is_no_retry_after(value: str) -> None:
    """Whatever the header holds, reading it gives a number of seconds or nothing."""
    asked = parse_retry_after(value, date=value, now=_NOW)
    assert asked is None or 0 <= asked < float("inf")
