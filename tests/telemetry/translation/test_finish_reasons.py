"""Why an answer ends is told in whatever words a provider's package has for it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage

from support.reporters import Reporter
from support.signals import record_signals

REASONS = [
    ({"finish_reason": "length"}, "length", "length"),
    ({"stop_reason": "max_tokens"}, "max_tokens", "length"),  # Anthropic's
    ({"stopReason": "max_tokens"}, "max_tokens", "length"),  # Bedrock's Converse
    ({"stopReason": "guardrail_intervened"}, "guardrail_intervened", "content_filter"),
    ({"finish_reason": "COMPLETE"}, "COMPLETE", "stop"),  # Cohere's
    ({"finish_reason": "MAX_TOKENS"}, "MAX_TOKENS", "length"),  # Google's
    ({"done_reason": "length"}, "length", "length"),  # Ollama's
    (  # OpenAI's API of responses
        {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
        "max_output_tokens",
        "length",
    ),
    ({"status": "completed", "incomplete_details": None}, None, "stop"),
    ({"finish_reason": None}, None, "stop"),
]


@pytest.mark.parametrize(("metadata", "said", "meant"), REASONS)
def test_why_an_answer_ends_in_the_words_of_each_package(
    metadata: Any, said: str | None, meant: str
) -> None:
    """It is told on the model's span, in its content, and in that of the node around it."""
    model = Reporter(replies=[AIMessage("so it is", response_metadata=metadata)])
    agent = create_agent(model, name="clerk")
    with record_signals(capture_content="SPAN_ONLY") as signals:
        agent.invoke({"messages": [("user", "hello")]}, signals.config)
        spans = {span.name.split()[0]: span.attributes for span in signals.spans}
    told = spans["chat"].get("gen_ai.response.finish_reasons")
    assert told == (None if said is None else (said,))
    for name in ("chat", "node", "invoke_agent"):
        (message,) = json.loads(str(spans[name]["gen_ai.output.messages"]))
        assert message["finish_reason"] == meant


def test_an_answer_that_calls_a_tool_has_not_stopped() -> None:
    """Where nobody says why it ends, the calls do."""
    call = {"name": "look", "args": {}, "id": "1", "type": "tool_call"}
    with record_signals(capture_content="SPAN_ONLY") as signals:
        Reporter(replies=[AIMessage("", tool_calls=[call])]).invoke("hello", signals.config)
        (span,) = signals.spans
    (message,) = json.loads(str(span.attributes["gen_ai.output.messages"]))
    assert message["finish_reason"] == "tool_call"
