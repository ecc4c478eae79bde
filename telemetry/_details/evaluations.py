"""What somebody thought of answers: spans beneath the judged one, or events on it.

Source: `gen_ai.evaluation.result`, https://github.com/open-telemetry/semantic-conventions-genai
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from .._reading.decoding import attributes_of
from .values import EVALUATION, ms

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

_EVENT: Final = "gen_ai.evaluation.result"
_NAME: Final = "gen_ai.evaluation.name"
_SCORE: Final = "gen_ai.evaluation.score.value"
_LABEL: Final = "gen_ai.evaluation.score.label"
_EXPLANATION: Final = "gen_ai.evaluation.explanation"
_MOST: Final = 1_000


def evaluations_of_trace(connection: sqlite3.Connection, trace: int) -> list[dict[str, Any]]:
    """Return the evaluations in a trace, by their start, at most 1,000."""
    rows = connection.execute(
        "SELECT span FROM spans WHERE trace = ? AND name LIKE ? ORDER BY started_at LIMIT ?",
        (trace, f"{EVALUATION}%", _MOST),
    )
    return _of_spans(rows)


def evaluations_of(connection: sqlite3.Connection, trace: int, span: Span) -> list[dict[str, Any]]:
    """Return the evaluations of one span: beneath it, on it, or what it is itself."""
    rows = connection.execute(
        "SELECT span FROM spans WHERE trace = ? AND name LIKE ? AND parent_id = ? "
        "ORDER BY started_at LIMIT ?",
        (trace, f"{EVALUATION}%", span.span_id, _MOST),
    )
    found = [*_of_spans(rows), *_of_spans([(span.SerializeToString(),)], of_itself=True)]
    return found + [
        made for event in span.events if (made := evaluation_of_event(event, span.span_id))
    ]


def evaluation_of_event(event: Span.Event, span_id: bytes = b"") -> dict[str, Any] | None:
    """Return the evaluation that an event of a span tells; None where it is another event."""
    if event.name != _EVENT:
        return None
    return _made(attributes_of(event.attributes), event.time_unix_nano, span_id)


def _of_spans(rows: Iterable[tuple[bytes]], *, of_itself: bool = False) -> list[dict[str, Any]]:
    found = []
    for (encoded,) in rows:
        span = Span.FromString(encoded)
        said = attributes_of(span.attributes)
        if _NAME in said:
            judged = span.span_id if of_itself else span.parent_span_id
            found.append(_made(said, span.start_time_unix_nano, judged))
    return found


def _made(said: Mapping[str, Any], at: int, span_id: bytes) -> dict[str, Any]:
    return {
        "name": said.get(_NAME, ""),
        "score": said.get(_SCORE),
        "label": said.get(_LABEL),
        "explanation": said.get(_EXPLANATION),
        "error": said.get("error.type"),
        "at": ms(at),
        "span_id": span_id.hex(),
        "run_id": None,
    }
