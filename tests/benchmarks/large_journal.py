"""A journal of a gigabyte: few things to find in much that was said."""

from __future__ import annotations

import json
import time
from random import Random
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace
from opentelemetry.context import Context

from nodespan.telemetry._journal.retention import Retention
from support.recording import Recording

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.trace import Span, Tracer

_MOST_BYTES: Final = 4 << 30
_CALLS: Final = 50
_TEXTS: Final = 200
_WORDS: Final = 3_500
_SAID: Final = [
    "bern",
    "zurich",
    "rain",
    "sun",
    "wind",
    "cloud",
    "train",
    "hotel",
    "alps",
    "lake",
    "river",
    "snow",
    "city",
    "night",
]
_AGENT: Final = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "walker"}
_CALL: Final = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "writer-small",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
}
_MINUTE: Final = 60_000_000_000
_TENTH: Final = 100_000_000


def write_large(journal: Path, traces: int) -> None:
    """Write so many traces of an agent and fifty calls, each of which has 20 kB of text."""
    recording = Recording(journal, Retention(_MOST_BYTES))
    chance = Random(1)  # noqa: S311 - of texts, and of no secret
    texts = [_text(chance) for _ in range(_TEXTS)]
    start = time.time_ns() - traces * _MINUTE
    for place in range(traces):
        at = start + place * _MINUTE
        about = _AGENT | {"gen_ai.conversation.id": f"talk {place // 5}"}
        root = _span(recording.tracer, "invoke_agent walker", at, about)
        for call in range(_CALLS):
            said = _CALL | {"gen_ai.output.messages": chance.choice(texts)}
            begun = at + call * _TENTH
            _span(recording.tracer, "chat writer-small", begun, said, root).end(begun + _TENTH)
        root.end(at + (_CALLS + 1) * _TENTH)
        recording.flush()
    recording.writer.stop(_CALLS)


def _text(chance: Random) -> str:
    part = {"type": "text", "content": " ".join(chance.choices(_SAID, k=_WORDS))}
    return json.dumps([{"role": "assistant", "parts": [part]}])


def _span(
    tracer: Tracer, name: str, at: int, attributes: dict[str, Any], parent: Span | None = None
) -> Span:
    above = trace.set_span_in_context(parent) if parent is not None else Context()
    return tracer.start_span(name, context=above, start_time=at, attributes=attributes)
