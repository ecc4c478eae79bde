"""What is kept of one run for the next that is alike: it tells the same as if nothing were kept."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nodespan.telemetry._semconv.names import NEWEST, RELEASED
from nodespan.telemetry._translation import request
from nodespan.telemetry._translation.kinds import RunKind
from nodespan.telemetry._translation.spans import span_details, span_plan
from nodespan.telemetry._translation.start import Start
from nodespan.telemetry._values.attributes import attribute_text

PREFIX = "langchain.identifying_params."
IDS = st.uuids(version=4).map(str)


def asked(params: dict[str, Any], *, newest: bool = False, **metadata: Any) -> dict[str, Any]:
    """Return all attributes of the span of a model that is asked with parameters."""
    start = Start({"id": ["somewhere", "ChatIt"]}, "ChatIt", (), metadata, params)
    told = span_plan(RunKind.CHAT, start)
    details = span_details(RunKind.CHAT, start, NEWEST if newest else RELEASED)
    return {**told.attributes, **details}


def test_values_that_are_equal_are_told_by_their_types() -> None:
    """1, 1.0 and True are equal, and three parameters; each is told as what it is."""
    for value in (1, True, 1.0, True, 1):
        told = asked({"model": "m", "n_beams": value})
        assert type(told[f"{PREFIX}n_beams"]) is type(value)


@pytest.mark.parametrize("name", ["model", "model_name", "model_id", "base_url", "_type"])
def test_each_that_names_a_model_or_its_server_is_told(name: str) -> None:
    """Two models that differ in one name, or in the server, do not get each other's spans."""
    values = ["https://a.example/v1", "https://b.example/v1"]
    first, second = (asked({name: value}) for value in values)
    assert first != second
    assert asked({name: values[0]}) == first


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"stop": ["a"]}, {"stop": ["b"]}),
        ({"stop": "a"}, {"stop": "b"}),
        ({"stop": ["a", "b"]}, {"stop": ["a"]}),
        ({"stop": ["ab"]}, {"stop": ["a", "b"]}),
        ({"stop": ["a"], "seed": 1}, {"stop": [], "seed": 1}),
        ({"modalities": ["text"]}, {"modalities": ["audio"]}),
        ({"response_format": {"type": "text"}}, {"response_format": {"type": "json_object"}}),
        ({"options": {"a": 1}}, {"options": {"a": 2}}),
        ({"temperature": 0.1}, {"temperature": 0.2}),
        ({"max_tokens": 1}, {"max_tokens": None}),
        ({"x" * 300: 1}, {"x" * 300: 2}),
        ({"text_of_it": "a" * 5_000}, {"text_of_it": "b" * 5_000}),
    ],
    ids=str,
)
def test_nothing_is_told_of_another_call(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Whatever a call asks for, what was told of the call before is not told of it."""
    told = [asked({"model": "m", **each}) for each in (first, second, first)]
    assert told[0] != told[1]
    assert told[0] == told[2]


def test_metadata_and_editions_are_told_apart() -> None:
    """What metadata say of a call, and the edition of the conventions, make another span, too."""
    params = {"model": "m", "top_k": 3}
    assert asked(params, ls_temperature=0.5) != asked(params, ls_temperature=0.6)
    assert asked(params, ls_provider="openai") != asked(params, ls_provider="groq")
    assert asked(params, ls_stop=["a"]) != asked(params, ls_stop=["b"])
    assert type(asked(params)["gen_ai.request.top_k"]) is float
    assert type(asked(params, newest=True)["gen_ai.request.top_k"]) is int
    assert type(asked(params)["gen_ai.request.top_k"]) is float


def test_what_is_told_may_be_changed() -> None:
    """Who gets the attributes may add to them: the next run has its own."""
    start = Start(None, "ChatIt", (), {}, {"model": "m"})
    span_details(RunKind.CHAT, start, RELEASED)["more"] = 1
    assert "more" not in span_details(RunKind.CHAT, start, RELEASED)


def test_what_is_kept_is_bounded_and_holds_no_secret() -> None:
    """However many calls differ, so many are kept and no more, and no secret is among them."""
    for number in range(2_000):
        asked({"model": f"m{number}", "seed": number, "api_key": "sk-hidden", "tools": ["hidden"]})
    for kept in (request._plans_of_requests, request._telling_names):
        assert 0 < len(kept) <= 512
        assert "hidden" not in repr(list(kept.items()))


@given(st.text(min_size=1, max_size=140), IDS)
@example("api_key", "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d")
@example("data", "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d")
@example("password", str(UUID(int=2**127)))
@example("plan|deep", str(UUID(int=2**127)))
@example("\ud800", str(UUID(int=2**127)))
def test_a_place_is_told_as_any_text_is(node: str, task: str) -> None:
    """A place that was never seen is told as if each had been looked at, whatever its node."""
    place = f"{node}:{task}"
    metadata = {"langgraph_node": "n", "langgraph_checkpoint_ns": place}
    told = span_details(RunKind.NODE, Start(None, "n", (), metadata), RELEASED)
    assert told["langgraph.checkpoint_ns"] == attribute_text(place)


@given(st.text(min_size=1, max_size=400))
@example("data:image/png;base64,AAAA")
@example("sk-proj-" + "a1" * 30)
def test_a_node_is_told_as_any_text_is(node: str) -> None:
    """So is the name of a node."""
    start = Start(None, node, (), {"langgraph_node": node})
    assert span_details(RunKind.NODE, start, RELEASED)["langgraph.node"] == attribute_text(node)
