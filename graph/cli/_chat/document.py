"""A turn and its spans as one JSON document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .._terminal.plain_text import escaped_in_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ....telemetry import SpanRecord
    from .turn import Turn


def document(turn: Turn, spans: Sequence[SpanRecord]) -> dict[str, Any]:
    """Put together what came of *turn*: answer, outcome, error if there was one, and spans."""
    error = turn.error
    return {
        "answer": turn.answer,
        "outcome": turn.outcome,
        **({"error": {"type": type(error).__name__, "message": str(error)}} if error else {}),
        "trace_id": spans[0].trace_id if spans else None,
        "spans": [span.to_json() for span in spans],
    }


def as_text(content: dict[str, Any], *, ascii_only: bool = False) -> str:
    """Write *content* for programs that people look over the shoulder of."""
    return escaped_in_json(json.dumps(content, indent=2, ensure_ascii=ascii_only)) + "\n"
