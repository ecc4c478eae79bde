"""What runs just now: how far each stream has come, how fast it goes, and what it says."""

from __future__ import annotations

from threading import Lock
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any, Final

from .._details.values import hex_or_none, kind_of, ms
from .._journal.recording import has_texts

if TYPE_CHECKING:
    import sqlite3

_MOST_OPEN: Final = 200
# A stream that has given nothing for so long is taken for one that has stalled, in ns.
_STALLED_AFTER: Final = 2_000_000_000
# What a model's last calls say of its chunks holds for so long, in seconds.
_HOLDS_FOR: Final = 30.0
_MOST_MODELS: Final = 200
_OPEN: Final = """
SELECT t.trace_id, s.span_id, s.name, s.operation, s.model, t.agent, t.conversation,
    s.started_at, s.chunks, s.first_chunk_at, s.last_chunk_at, {text}
FROM spans AS s INDEXED BY spans_open JOIN traces AS t ON t.id = s.trace
WHERE s.ended_at IS NULL ORDER BY s.started_at DESC LIMIT ?
"""
_TEXT: Final = "(SELECT text FROM stream_texts WHERE span = s.id)"
_LAST_CALLS: Final = """
SELECT sum(output_tokens) * 1.0 / sum(chunks) FROM (
    SELECT s.output_tokens, s.chunks FROM
        (SELECT trace FROM models WHERE model = :model ORDER BY started_at DESC LIMIT 10) AS m
        CROSS JOIN spans AS s ON s.trace = m.trace
    WHERE s.model = :model AND s.ended_at IS NOT NULL AND s.chunks > 0 AND s.output_tokens > 0
    LIMIT 100
)
"""


class OpenRuns:
    """Reads the runs that are open.

    Nobody says how many tokens an open stream has had. Its speed is that of its chunks, each as
    many tokens as the last calls of its model had a chunk; without any, each is taken for one.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._ratios: dict[str, tuple[float | None, float]] = {}

    def read(self, connection: sqlite3.Connection) -> list[dict[str, Any]]:
        """Return the spans that are open, the newest first, with how far their streams are."""
        text = _TEXT if has_texts(connection) else "NULL"
        rows = connection.execute(_OPEN.format(text=text), (_MOST_OPEN,)).fetchall()
        now = time_ns()
        return [self._run(connection, row, now) for row in rows]

    def _run(self, connection: sqlite3.Connection, row: Any, now: int) -> dict[str, Any]:
        (
            trace_id, span_id, name, operation, model, agent, conversation, started_at, chunks,
            first, last, text,
        ) = row  # fmt: skip
        streamed = (last - first) / 1e9 if first is not None and last is not None else 0.0
        is_measured = streamed > 0 and chunks > 1
        per_chunk = self._tokens_per_chunk(connection, model) if is_measured else None
        return {
            "trace_id": trace_id.hex(),
            "span_id": hex_or_none(span_id),
            "name": name,
            "kind": kind_of(operation, name),
            "model": model,
            "agent": agent,
            "conversation": conversation,
            "started_at": ms(started_at),
            "chunks": chunks or 0,
            "first_chunk_at": ms(first),
            "last_chunk_at": ms(last),
            "per_second": (chunks - 1) / streamed * (per_chunk or 1) if is_measured else None,
            "unit": "tokens",
            "tokens_per_chunk": per_chunk,
            "is_stalled": last is not None and now - last > _STALLED_AFTER,
            "text": text,
        }

    def _tokens_per_chunk(self, connection: sqlite3.Connection, model: str | None) -> float | None:
        """Return how many tokens a chunk had in a model's last calls; None where unknown."""
        if model is None:
            return None
        with self._lock:
            ratio, until = self._ratios.get(model, (None, 0.0))
            if monotonic() < until:
                return ratio
        found: float | None
        ((found,),) = connection.execute(_LAST_CALLS, {"model": model})
        with self._lock:
            if len(self._ratios) >= _MOST_MODELS:
                self._ratios.clear()
            self._ratios[model] = (found, monotonic() + _HOLDS_FOR)
        return found
