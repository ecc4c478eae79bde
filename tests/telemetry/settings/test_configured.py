"""What `configure` was told holds for every way to trace, until it is told otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nodespan.model import EchoChatModel
from nodespan.telemetry import (
    OpenTelemetryCallbackHandler,
    SpanCollector,
    Telemetry,
    TelemetryConfig,
    configure,
    instrument,
    uninstrument,
)
from nodespan.telemetry.testing import capture_spans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PRICES = {"echo": {"input": 1_000_000, "output": 0}}
CONFIG = TelemetryConfig(prices=PRICES, capture_content="SPAN_ONLY", metadata_keys=["shop"])
COST = "nodespan.cost"
CONTENT = "gen_ai.input.messages"
METADATA = "langchain.metadata.shop"


@pytest.fixture(autouse=True)
def _no_instrument() -> Iterator[None]:
    """Leave nothing instrumented."""
    yield
    uninstrument()


def _providers(telemetry: Telemetry) -> dict[str, Any]:
    return {
        "tracer_provider": telemetry.tracer_provider,
        "meter_provider": telemetry.meter_provider,
    }


WAYS: dict[str, Callable[[Telemetry], Any]] = {
    "telemetry.instrument": lambda telemetry: telemetry.instrument(),
    "instrument": lambda _: instrument(),
    "instrument of providers": lambda telemetry: instrument(**_providers(telemetry)),
    "handler": lambda _: OpenTelemetryCallbackHandler(),
    "handler of providers": lambda telemetry: OpenTelemetryCallbackHandler(**_providers(telemetry)),
    "telemetry.handler": lambda telemetry: telemetry.handler(),
}


def _attributes(
    config: TelemetryConfig, way: Callable[[Telemetry], OpenTelemetryCallbackHandler]
) -> dict[str, Any]:
    collector = SpanCollector()
    with configure(config, span_processors=[collector]) as telemetry:
        handler = way(telemetry)
        given: Any = {"callbacks": [handler], "metadata": {"shop": "north"}}
        EchoChatModel().invoke("Hi", given)
    (span,) = collector.spans()
    return dict(span.attributes or {})


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_its_settings_hold(way: Callable[[Telemetry], Any]) -> None:
    """However the tracing is switched on afterwards."""
    told = _attributes(CONFIG, way)
    assert {COST, CONTENT, METADATA} <= told.keys()
    assert told[METADATA] == "north"


def test_what_is_given_wins() -> None:
    """Each setting by itself, also where it is the default's value."""
    told = _attributes(CONFIG, lambda _: OpenTelemetryCallbackHandler(metadata_keys=()))
    assert {COST, CONTENT} <= told.keys()
    assert METADATA not in told
    uninstrument()
    told = _attributes(CONFIG, lambda _: instrument(capture_content="NO_CONTENT"))
    assert COST in told
    assert CONTENT not in told


def test_the_last_one_holds_until_it_is_shut_down() -> None:
    """Of two, the newer; after it the older; after both, the defaults."""
    handlers = []
    with configure(CONFIG):
        with configure(TelemetryConfig(max_content_characters=77)):
            handlers.append(_attributes_of(OpenTelemetryCallbackHandler))
        handlers.append(_attributes_of(OpenTelemetryCallbackHandler))
    handlers.append(_attributes_of(OpenTelemetryCallbackHandler))
    assert [CONTENT in told for told in handlers] == [False, True, False]


def _attributes_of(make: Callable[..., OpenTelemetryCallbackHandler]) -> dict[str, Any]:
    with capture_spans() as captured:
        handler = make(tracer_provider=captured.tracer_provider)
        EchoChatModel().invoke("Hi", {"callbacks": [handler]})
    (span,) = captured.spans
    return dict(span.attributes or {})


def test_tests_of_people_stand_alone() -> None:
    """`capture_spans` has the settings that it is given, and no others."""
    with configure(CONFIG), capture_spans() as captured:
        EchoChatModel().invoke("Hi", {"callbacks": [captured.handler]})
    (span,) = captured.spans
    assert CONTENT not in (span.attributes or {})


def test_one_handler_serves_both_ways() -> None:
    """`telemetry.instrument()` is `telemetry.handler()`: a call given that one is told once."""
    collector = SpanCollector()
    with configure(CONFIG, span_processors=[collector]) as telemetry:
        handler = telemetry.instrument()
        assert handler is telemetry.handler()
        assert telemetry.instrument() is handler
        assert instrument() is handler
        EchoChatModel().invoke("Hi", {"callbacks": [handler]})
        assert not handler.diagnostics.counts
    assert len(collector.spans()) == 1
