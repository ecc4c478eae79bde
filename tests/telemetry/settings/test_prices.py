"""A table of prices tells what calls cost, and is refused early where it cannot work."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage

from nodespan.telemetry import (
    ConfigurationError,
    OpenTelemetryCallbackHandler,
    TelemetryConfig,
    configure,
)
from nodespan.telemetry._semconv.names import NEWEST, RELEASED
from nodespan.telemetry._settings.prices import PriceTable
from support.meters import metered
from support.reporters import Reporter, StreamingReporter
from support.strangers import MODEL_CALLS, Call, Talker

if TYPE_CHECKING:
    from collections.abc import Mapping

# LangChain says so of each of its v3 streams.
pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")

PRICES = {"m": {"input": 2.5, "output": 10, "cached": 1.25}}
USAGE: Any = {
    "input_tokens": 1_000,
    "output_tokens": 500,
    "total_tokens": 1_500,
    "input_token_details": {"cache_read": 400},
    "output_token_details": {"reasoning": 100},
}
COST = (600 * 2.5 + 400 * 1.25 + 500 * 10) / 1_000_000
METRIC = "nodespan.cost"


def answering(model: str = "m", answers_as: str | None = None, **settings: Any) -> Reporter:
    """Return a model of that name, whose answers use tokens and may name another."""
    told = {"model_name": answers_as} if answers_as else {}
    reply = AIMessage("so it is", usage_metadata=USAGE, response_metadata=told)
    return StreamingReporter(params={"model_name": model}, replies=[reply], **settings)


@pytest.mark.parametrize("call", MODEL_CALLS, ids=str)
def test_a_call_has_its_cost(call: Call) -> None:
    """Span and counter tell the same cost, with its currency, however the model was called."""
    with metered(prices=PRICES) as meter:
        call.run(answering(), "hello", meter.config)
        (span,) = meter.captured.spans
        assert span.attributes["nodespan.cost"] == pytest.approx(COST)
        assert span.attributes["nodespan.currency"] == "USD"
        point = meter.only(METRIC, {"nodespan.currency": "USD", "gen_ai.request.model": "m"})
        assert point.value == pytest.approx(COST)


def test_costs_add_up() -> None:
    """The counter grows with each call."""
    with metered(prices=PRICES) as meter:
        for _ in range(3):
            answering().invoke("hello", meter.config)
        assert meter.only(METRIC).value == pytest.approx(3 * COST)


@pytest.mark.parametrize(
    "model",
    [answering("unknown"), Talker(model_name="m"), answering("m ")],
    ids=["not in the table", "no usage", "not quite the name"],
)
def test_without_a_price_or_usage_there_is_no_cost(model: Any) -> None:
    """No price is guessed, and no use is."""
    with metered(prices=PRICES) as meter:
        model.invoke("hello", meter.config)
        (span,) = meter.captured.spans
        assert not {"nodespan.cost", "nodespan.currency"} & set(span.attributes)
        assert meter.points(METRIC) == []


def test_the_answer_s_own_name_counts_first() -> None:
    """A table may tell the versions of a model apart; else the name that was asked for holds."""
    prices = {**PRICES, "m-2": {"input": 0, "output": 0}}
    with metered(prices=prices) as meter:
        answering("m", "m-2").invoke("hello", meter.config)
        answering("m", "m-3").invoke("hello", meter.config)
        costs = [span.attributes["nodespan.cost"] for span in meter.captured.spans]
    assert costs == [0, pytest.approx(COST)]


def test_a_cached_answer_costs_nothing() -> None:
    """LangChain's cache repeats an answer that was paid for."""
    with metered(prices=PRICES) as meter:
        model = answering(cache=InMemoryCache())
        for _ in range(2):
            model.invoke("hello", meter.config)
        assert meter.only(METRIC).value == pytest.approx(COST)


@pytest.mark.parametrize("edition", [RELEASED, NEWEST], ids=["released", "newest"])
def test_tokens_of_the_provider_s_cache_have_their_prices(edition: Any) -> None:
    """What was read from the cache, or written to it, is part of the input and counts once."""
    table = PriceTable.of(
        {"m": {"input": 10, "output": 20, "cached": 1, "cache_write": 12.5}},
    )
    told = {
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": 30,
        edition.usage_cache_write: 20,
    }
    cost = table.attributes(told, "m", edition)["nodespan.cost"]
    assert cost == pytest.approx((50 * 10 + 30 * 1 + 20 * 12.5 + 10 * 20) / 1e6)


@given(st.dictionaries(st.sampled_from(["input", "output", "cached"]), st.integers(0, 10**12)))
def test_a_cost_is_never_below_nothing(tokens: Mapping[str, int]) -> None:
    """Whatever a model reports, its cost is a number from 0 up, or there is none."""
    names = {
        "input": "gen_ai.usage.input_tokens",
        "output": "gen_ai.usage.output_tokens",
        "cached": "gen_ai.usage.cache_read.input_tokens",
    }
    told = {names[kind]: count for kind, count in tokens.items()}
    cost = PriceTable.of(PRICES).attributes(told, "m", RELEASED).get("nodespan.cost")
    assert (cost is None) == (not {"input", "output"} & set(tokens))
    assert cost is None or cost >= 0


def test_currencies_are_told_as_they_are() -> None:
    """A table has a currency, and so may a model; costs of different ones are not added."""
    prices = {"currency": "EUR", **PRICES, "n": {"input": 1, "output": 1, "currency": "CHF"}}
    with metered(prices=prices) as meter:
        for model in ("m", "n"):
            answering(model).invoke("hello", meter.config)
        assert meter.only(METRIC, {"nodespan.currency": "EUR"}).value == pytest.approx(COST)
        assert meter.only(METRIC, {"nodespan.currency": "CHF"}).value == pytest.approx(0.0015)


@pytest.mark.parametrize("kind", [str, Path], ids=["str", "Path"])
def test_a_table_may_be_a_toml_file(tmp_path: Path, kind: type) -> None:
    """A file says the same as a mapping, and is given by its path."""
    file = tmp_path / "prices.toml"
    file.write_text('currency = "EUR"\n\n["m"]\ninput = 2.5\noutput = 10\ncached = 1.25\n')
    with metered(prices=kind(file)) as meter:
        answering().invoke("hello", meter.config)
        (span,) = meter.captured.spans
    assert span.attributes["nodespan.cost"] == pytest.approx(COST)
    assert span.attributes["nodespan.currency"] == "EUR"


@pytest.mark.parametrize(
    ("prices", "told"),
    [
        ({"m": {"input": -1, "output": 1}}, "'input' of model 'm' is -1"),
        ({"m": {"input": 1, "output": "2"}}, "'output' of model 'm' is '2'"),
        ({"m": {"input": 1, "output": True}}, "'output' of model 'm' is True"),
        ({"m": {"input": 1, "output": 1, "cached": float("nan")}}, "'cached' of model 'm' is nan"),
        ({"m": {"input": 1}}, "model 'm' has no 'output'"),
        ({"m": {"input": 1, "output": 1, "outptu": 2}}, "model 'm' has 'outptu'"),
        ({"gpt-4": {"1": {"input": 1, "output": 1}}}, "put a name with dots in quotes"),
        ({"m": 3}, "model 'm' is 3"),
        ({"m": {"input": 1, "output": 1, "currency": ""}}, "model 'm': currency is ''"),
        ({"currency": 978, "m": {"input": 1, "output": 1}}, "currency is 978"),
        (7, "prices is 7"),
    ],
    ids=str,
)
def test_a_price_that_cannot_be_one_is_named(prices: Any, told: str) -> None:
    """The error comes at once, and says which model and which value."""
    with pytest.raises(ConfigurationError) as caught:
        OpenTelemetryCallbackHandler(prices=prices)
    assert told in str(caught.value)
    with pytest.raises(ConfigurationError):
        configure(TelemetryConfig(prices=prices))


@pytest.mark.parametrize(
    ("text", "told"),
    [(None, "cannot be read: No such file"), ("input = = 1", "is no TOML"), ("\0", "is no TOML")],
    ids=["missing", "no TOML", "binary"],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str | None, told: str) -> None:
    """The error has the file's path and the reason."""
    file = tmp_path / "prices.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        OpenTelemetryCallbackHandler(prices=file)
    assert str(file) in str(caught.value)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"\xff\xfe[\0m\0]\0", 1),
        ("# Preise\n[m]\ncurrency = 'Fr\xe4nkli'".encode("latin-1"), 3),
        (b"[m]\n# \xe2\x82", 2),
    ],
    ids=["UTF-16", "Latin-1", "cut"],
)
def test_a_file_that_is_not_in_utf_8_is_told_in_plain_english(
    tmp_path: Path, content: bytes, line: int
) -> None:
    """The error says which line it is, and what to do."""
    file = tmp_path / "prices.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        OpenTelemetryCallbackHandler(prices=file)
    assert str(caught.value) == (
        f"prices file {str(file)!r} is no TOML: line {line} is not in UTF-8; save the file as UTF-8"
    )


def test_a_file_that_is_too_long_is_told_so_whatever_it_is_cut_to(tmp_path: Path) -> None:
    """Where it is cut within a character, that is not its trouble."""
    file = tmp_path / "prices.toml"
    file.write_text("#" + "\u20ac" * 400_000, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="is longer than 1,000,000 bytes"):
        OpenTelemetryCallbackHandler(prices=file)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    """Nobody may ever write into it."""
    pipe = tmp_path / "prices.toml"
    os.mkfifo(pipe)
    with pytest.raises(ConfigurationError, match="cannot be read: it is no file"):
        OpenTelemetryCallbackHandler(prices=pipe)
