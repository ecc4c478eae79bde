"""The tokens of an answer are told, in whatever words a provider's package has for them."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage

from nodespan.telemetry.testing import capture_spans
from support.reporters import Reporter

PRICES = {
    "m": {"input": 1, "output": 10, "cached": 0.1, "cache_write": 2, "cache_write_1h": 3},
}
USAGE = "gen_ai.usage."
WRITTEN = "cache_creation.input_tokens"
READ = "cache_read.input_tokens"
REASONING = "reasoning.output_tokens"
LONG = "nodespan.usage.cache_write_1h.input_tokens"
DROPPED = "nodespan.usage.dropped"


def told(**answer: Any) -> dict[str, Any]:
    """Return the attributes of a call that is answered so."""
    model = Reporter(params={"model_name": "m"}, replies=[AIMessage("so", **answer)])
    with capture_spans(prices=PRICES) as captured:
        model.invoke("hello", {"callbacks": [captured.handler]})
    (span,) = captured.spans
    return dict(span.attributes)


def usage(inputs: int, outputs: int, **details: Any) -> Any:
    """Return LangChain's usage metadata."""
    given = {"input_tokens": inputs, "output_tokens": outputs, "total_tokens": inputs + outputs}
    return {**given, **{f"{side}_token_details": each for side, each in details.items()}}


ANTHROPIC = {
    "cache_read": 200,
    "cache_creation": 0,
    "ephemeral_5m_input_tokens": 900,
    "ephemeral_1h_input_tokens": 100,
}


def test_what_stays_in_a_cache_is_told_as_a_whole() -> None:
    """Anthropic's and Bedrock's parts make the whole, and each part costs what it costs."""
    attributes = told(usage_metadata=usage(1_210, 5, input=ANTHROPIC))
    assert attributes[USAGE + "input_tokens"] == 1_210
    assert attributes[USAGE + WRITTEN] == 1_000
    assert attributes[USAGE + READ] == 200
    assert attributes[LONG] == 100
    cost = (10 * 1 + 200 * 0.1 + 900 * 2 + 100 * 3 + 5 * 10) / 1e6
    assert attributes["nodespan.cost"] == pytest.approx(cost)


@pytest.mark.parametrize("tier", ["", "priority_", "flex_"])
def test_a_service_tier_hides_no_tokens(tier: str) -> None:
    """OpenAI's package puts the tier before the names of details."""
    inputs = {f"{tier}cache_read": 40, f"{tier}cache_creation": 3, tier.rstrip("_") or "x": 60}
    details = {"input": inputs, "output": {f"{tier}reasoning": 7}}
    attributes = told(usage_metadata=usage(100, 20, **details))
    assert attributes[USAGE + READ] == 40
    assert attributes[USAGE + WRITTEN] == 3
    assert attributes[USAGE + REASONING] == 7


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (  # OpenAI's own, and xAI's, Groq's and Mistral's
            {
                "token_usage": {
                    "prompt_tokens": 100,
                    "completion_tokens": 20,
                    "prompt_tokens_details": {"cached_tokens": 40},
                    "completion_tokens_details": {"reasoning_tokens": 7},
                }
            },
            (100, 20, 40, None, 7),
        ),
        (  # DeepSeek's
            {
                "token_usage": {
                    "prompt_tokens": 100,
                    "completion_tokens": 20,
                    "prompt_cache_hit_tokens": 30,
                }
            },
            (100, 20, 30, None, None),
        ),
        (  # Anthropic's own tells input tokens without the cache
            {
                "usage": {
                    "input_tokens": 10,
                    "output_tokens": 20,
                    "cache_read_input_tokens": 200,
                    "cache_creation_input_tokens": 1_000,
                    "cache_creation": {"ephemeral_5m_input_tokens": 1_000},
                }
            },
            (1_210, 20, 200, 1_000, None),
        ),
        (  # Bedrock's
            {
                "usage": {
                    "inputTokens": 10,
                    "outputTokens": 20,
                    "cacheReadInputTokens": 5,
                    "cacheWriteInputTokens": 6,
                }
            },
            (21, 20, 5, 6, None),
        ),
        (  # Google's, which counts thoughts, and what its own tools have found, beside the rest
            {
                "usage_metadata": {
                    "prompt_token_count": 100,
                    "candidates_token_count": 20,
                    "thoughts_token_count": 7,
                    "cached_content_token_count": 40,
                    "tool_use_prompt_token_count": 5,
                    "total_token_count": 132,
                }
            },
            (105, 27, 40, None, 7),
        ),
        (  # the same, as its API writes it
            {"usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 20}},
            (100, 20, None, None, None),
        ),
        (  # Cohere's
            {"token_count": {"input_tokens": 90.0, "output_tokens": 18.0, "total_tokens": 108.0}},
            (90, 18, None, None, None),
        ),
        ({"prompt_eval_count": 9, "eval_count": 3}, (9, 3, None, None, None)),  # Ollama's
        (  # a stream of Bedrock's
            {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 4, "outputTokenCount": 2}},
            (4, 2, None, None, None),
        ),
    ],
)
def test_a_provider_is_understood_without_usage_metadata(
    metadata: dict[str, Any], expected: tuple[int | None, ...]
) -> None:
    """Its own words are read where LangChain's usage metadata is missing."""
    attributes = told(response_metadata=metadata)
    names = ("input_tokens", "output_tokens", READ, WRITTEN, REASONING)
    assert tuple(attributes.get(USAGE + name) for name in names) == expected


def test_reasoning_beside_the_output_is_output() -> None:
    """Vertex AI's package tells the output without it; the total shows that, and it costs."""
    thinking = {**usage(100, 20, output={"reasoning": 7}), "total_tokens": 127}
    attributes = told(usage_metadata=thinking)
    assert attributes[USAGE + "output_tokens"] == 27
    assert attributes[USAGE + REASONING] == 7
    assert attributes["nodespan.cost"] == pytest.approx((100 + 27 * 10) / 1e6)
    included = told(usage_metadata=usage(100, 20, output={"reasoning": 7}))
    assert included[USAGE + "output_tokens"] == 20


@pytest.mark.parametrize(
    ("raw", "name", "count"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 40}}, USAGE + READ, 40),  # Mistral's
        ({"num_cached_tokens": 40}, USAGE + READ, 40),
        ({"prompt_cache_hit_tokens": 40}, USAGE + READ, 40),  # DeepSeek's, by an older package
        ({"completion_tokens_details": {"reasoning_tokens": 7}}, USAGE + REASONING, 7),
        ({"cache_creation": {"ephemeral_1h_input_tokens": 3}}, LONG, 3),
    ],
)
def test_details_that_the_provider_alone_tells(raw: Any, name: str, count: int) -> None:
    """A package may write the two sums, and leave the rest in the provider's own words."""
    given = {"prompt_tokens": 100, "completion_tokens": 20, **raw}
    attributes = told(usage_metadata=usage(100, 20), response_metadata={"token_usage": given})
    assert attributes[name] == count
    assert attributes[USAGE + "input_tokens"] == 100
    assert attributes[USAGE + "output_tokens"] == 20


@pytest.mark.parametrize("count", [-5, 10**18])
def test_a_count_that_can_be_none_is_left_out(count: int) -> None:
    """It is counted, nothing else is lost, and it costs nothing."""
    details = {"input": {"cache_read": count}, "output": {"reasoning": count}}
    attributes = told(usage_metadata=usage(10, count, **details))
    kept = {name: value for name, value in attributes.items() if name.startswith(USAGE)}
    assert kept == {USAGE + "input_tokens": 10}
    assert attributes[DROPPED] == 3
    assert attributes["nodespan.cost"] == pytest.approx(10 / 1e6)


def test_the_line_of_a_call_has_its_cost_and_its_stalls(caplog: pytest.LogCaptureFixture) -> None:
    """They are those of its span."""
    model = Reporter(
        params={"model_name": "m"}, replies=[AIMessage("so", usage_metadata=usage(7, 2))]
    )
    with (
        caplog.at_level("INFO", logger="nodespan.telemetry.runs"),
        capture_spans(prices=PRICES, stall_threshold=1e-9) as captured,
    ):
        model.invoke("hello", {"callbacks": [captured.handler]})
    (span,) = captured.spans
    line = vars(caplog.records[-1])
    assert line["cost"] == span.attributes["nodespan.cost"]
    assert line["currency"] == "USD"
    assert line["stalls"] == span.attributes["nodespan.stream.stalls"] == 1
