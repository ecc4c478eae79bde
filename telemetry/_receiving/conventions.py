"""Spans of other conventions as the journal's rows: what lists and trees show of them (pure).

What they say stays as it is; only the row beside it is filled. Sources:
https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md and
https://opentelemetry.io/docs/specs/semconv/gen-ai/, with what came before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.proto.trace.v1.trace_pb2 import Status

from .._encoding.rows import SpanRow, row_of
from .._reading.decoding import attributes_of
from .._semconv import names as semconv

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from .._encoding.rows import Origin

_OF_OPENINFERENCE: Final = {
    "LLM": "chat",
    "EMBEDDING": "embeddings",
    "TOOL": "execute_tool",
    "RETRIEVER": "retrieval",
    "AGENT": "invoke_agent",
    "CHAIN": "chain",
    "GUARDRAIL": "guardrail",
    "RERANKER": "reranker",
    "EVALUATOR": "evaluator",
}
_OF_TRACELOOP: Final = {
    "workflow": "invoke_workflow",
    "agent": "invoke_agent",
    "task": "chain",
    "tool": "execute_tool",
}
_OF_REQUEST_TYPE: Final = {
    "chat": "chat",
    "completion": "text_completion",
    "embedding": "embeddings",
}
_MODELS: Final = frozenset(("chat", "text_completion", "generate_content", "embeddings"))
_MODEL: Final = (
    semconv.RESPONSE_MODEL,
    semconv.REQUEST_MODEL,
    "llm.model_name",
    "embedding.model_name",
    "llm.request.model",
)
_INPUT_TOKENS: Final = (
    semconv.USAGE_INPUT_TOKENS,
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
)
_OUTPUT_TOKENS: Final = (
    semconv.USAGE_OUTPUT_TOKENS,
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
)
_COST: Final = (semconv.COST, "llm.cost.total", "gen_ai.usage.cost")
_CONVERSATION: Final = (
    semconv.CONVERSATION_ID,
    semconv.SESSION_ID,
    "traceloop.association.properties.session_id",
)
_AGENT: Final = (semconv.AGENT_NAME, "agent.name")
_FIRST_TOKEN: Final = ("First Token Stream Event", "gen_ai.content.first_token")
_DOLLARS: Final = "USD"
# SQLite's largest integer is beyond: sums of many must fit, too.
_MOST: Final = 1 << 53
_UNKNOWN_ERROR: Final = "_OTHER"


def received_row(span: Span, origin: Origin) -> SpanRow:
    """Return the row of a span that another program has sent."""
    row = row_of(span, origin)
    said = attributes_of(span.attributes)
    operation = row.operation or _operation(said)
    row = row._replace(
        operation=operation,
        conversation=_text(said, _CONVERSATION),
        agent=row.agent or _agent(span, said, operation),
        error=_error(span, row),
    )
    return _with_model(row, span, said) if operation in _MODELS else row


def _with_model(row: SpanRow, span: Span, said: Mapping[str, Any]) -> SpanRow:
    cost = _number(said, _COST)
    currency = said.get(semconv.CURRENCY, _DOLLARS)
    return row._replace(
        model=_text(said, _MODEL),
        input_tokens=_count(said, _INPUT_TOKENS),
        output_tokens=_count(said, _OUTPUT_TOKENS),
        cost=cost,
        currency=currency if cost is not None and isinstance(currency, str) else None,
        first_chunk_at=row.first_chunk_at or _first_token(span),
    )


def _operation(said: Mapping[str, Any]) -> str | None:
    if semconv.LANGGRAPH_NODE in said and "langsmith.span.kind" not in said:
        return None  # a node of nodespan's, which the conventions do not have
    for name, known in (
        (semconv.OPENINFERENCE_SPAN_KIND, _OF_OPENINFERENCE),
        ("traceloop.span.kind", _OF_TRACELOOP),
        ("llm.request.type", _OF_REQUEST_TYPE),
    ):
        kind = said.get(name)
        found = known.get(kind) or known.get(kind.upper()) if isinstance(kind, str) else None
        if found is not None:
            return found
    is_model = _text(said, _MODEL) is not None and ("gen_ai.system" in said or "llm.system" in said)
    return "chat" if is_model else None


def _agent(span: Span, said: Mapping[str, Any], operation: str | None) -> str | None:
    named = _text(said, _AGENT)
    is_agent = operation == "invoke_agent"
    return named or (span.name or None if is_agent else None)


def _error(span: Span, row: SpanRow) -> str | None:
    if row.error != _UNKNOWN_ERROR or span.status.code != Status.STATUS_CODE_ERROR:
        return row.error
    for event in span.events:
        if event.name == semconv.EXCEPTION_EVENT:
            kind = attributes_of(event.attributes).get(semconv.EXCEPTION_TYPE)
            if isinstance(kind, str) and kind:
                return kind
    return row.error


def _first_token(span: Span) -> int | None:
    for event in span.events:
        if event.name in _FIRST_TOKEN and event.time_unix_nano >= span.start_time_unix_nano:
            return event.time_unix_nano
    return None


def _text(said: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    found = (said.get(name) for name in names)
    return next((each for each in found if isinstance(each, str) and each), None)


def _count(said: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    number = _number(said, names)
    return min(max(int(number), 0), _MOST) if number is not None else None


def _number(said: Mapping[str, Any], names: tuple[str, ...]) -> float | None:
    for name in names:
        value = said.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            continue
        if abs(value) <= _MOST:  # neither infinite nor no number
            return value
    return None
