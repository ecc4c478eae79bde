"""Times, ids and kinds as the page has them (pure)."""

from __future__ import annotations

from typing import Final

KINDS: Final = (
    "agent",
    "workflow",
    "node",
    "chat",
    "completion",
    "embeddings",
    "tool",
    "retrieval",
    "chain",
    "guardrail",
    "reranker",
    "evaluator",
    "other",
)
_OF_OPERATION: Final = {
    "invoke_agent": "agent",
    "create_agent": "agent",
    "invoke_workflow": "workflow",
    "chat": "chat",
    "generate_content": "chat",
    "text_completion": "completion",
    "embeddings": "embeddings",
    "execute_tool": "tool",
    "retrieval": "retrieval",
    # Traceloop's own.
    "execute_task": "chain",
    "vector_db_retrieve": "retrieval",
    "chain": "chain",
    "guardrail": "guardrail",
    "reranker": "reranker",
    "evaluator": "evaluator",
}
NODE: Final = "node "
EVALUATION: Final = "evaluation "


def ms(nanoseconds: int | None) -> float | None:
    """Return a time, or a duration, in ms."""
    return nanoseconds / 1e6 if nanoseconds is not None else None


def kind_of(operation: str | None, name: str) -> str:
    """Return what a span is: one of `KINDS`."""
    if operation is not None:
        return _OF_OPERATION.get(operation, "other")
    if name.startswith(NODE):
        return "node"
    return "evaluator" if name.startswith(EVALUATION) else "other"


def hex_or_none(identity: bytes | None) -> str | None:
    """Return an id in hexadecimal digits."""
    return identity.hex() if identity else None
