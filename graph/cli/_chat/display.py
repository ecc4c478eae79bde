"""What a turn looks like: answer, trace and what went wrong, or one JSON document of them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from .._terminal.console import PlainConsole
from .._terminal.exit import report
from .._terminal.plain_text import escaped_in_json, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ....telemetry import EventRecord, SpanRecord
    from .._terminal.held import HeldBack
    from .._terminal.output import Output
    from .turn import Turn

_EMPTY = "the answer is empty"
_NO_SPANS = "no span was recorded: look at OTEL_SDK_DISABLED and OTEL_TRACES_SAMPLER"


@dataclass(frozen=True, slots=True)
class Display:
    """Shows turns as the user wants them.

    Args:
        output: Where to.
        console: Takes what telemetry prints of its own accord.
        as_json: Whether to write one JSON document instead of text.
        trace: Whether to show the spans.
        traceback: Whether to show the traceback of an error.
    """

    output: Output
    console: HeldBack
    as_json: bool
    trace: bool
    traceback: bool

    @property
    def shows_trees(self) -> bool:
        """Whether each trace is shown as a tree."""
        return self.trace and not self.as_json

    def write(self, text: str) -> None:
        """Write a piece of an answer as it comes."""
        if not self.as_json:
            self.output.write(text)

    def show(self, turn: Turn, spans: Sequence[SpanRecord]) -> None:
        """End the answer and show its trace, or all of it as a document; then any error."""
        if self.as_json:
            content = document(turn, spans if self.trace else ())
            self.output.write_exactly(as_text(content, ascii_only=not self.output.is_unicode))
        else:
            self.output.end_line()
            if turn.outcome == "cancelled":
                self.output.leave_echo()
            if turn.outcome == "ok" and not turn.answer.strip():
                self.note(_EMPTY)
            self._show_trace(spans, beneath_answer=bool(turn.answer))
        if turn.error:
            report(turn.error, traceback=self.traceback)

    def _show_trace(self, spans: Sequence[SpanRecord], *, beneath_answer: bool) -> None:
        if not self.trace:
            return
        if not spans:
            self.note(_NO_SPANS)
            return
        if beneath_answer:
            self.output.write("\n")
        from ....telemetry.console import TraceTree  # noqa: PLC0415 - `--help` need not wait for it

        self.output.show(TraceTree(spans))

    def note(self, text: str) -> None:
        """Say something that is neither answer nor trace."""
        note = Text(plain(text), style="dim")
        PlainConsole(stderr=True, soft_wrap=True, highlight=False).print(note)


def document(turn: Turn, spans: Sequence[SpanRecord]) -> dict[str, Any]:
    """Put together what came of *turn*: answer, outcome, error if there was one, and spans."""
    error = turn.error
    return {
        "answer": turn.answer,
        "outcome": turn.outcome,
        **({"error": {"type": type(error).__name__, "message": str(error)}} if error else {}),
        "trace_id": spans[0].trace_id if spans else None,
        "spans": [span_document(span) for span in spans],
    }


def span_document(span: SpanRecord) -> dict[str, Any]:
    """Return a span for programs; what `nodespan trace` tells too has its name from there."""
    is_open, has_failed = span.end_ns is None, span.status == "error"
    ended = span.attributes.get("nodespan.outcome") or ("error" if has_failed else "ok")
    return {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "name": span.name,
        "kind": span.kind,
        "started_at": span.start_ns,
        "ended_at": span.end_ns,
        "duration": (span.end_ns - span.start_ns) / 1e9 if span.end_ns is not None else None,
        "outcome": "running" if is_open else ended,
        "error": span.attributes.get("error.type") or "_OTHER" if has_failed else None,
        "status": span.status,
        "status_message": span.status_description,
        "attributes": dict(span.attributes),
        "events": [_event_document(event) for event in span.events],
        "links": [asdict(link) for link in span.links],
    }


def _event_document(event: EventRecord) -> dict[str, Any]:
    return {"name": event.name, "at": event.time_ns, "attributes": dict(event.attributes)}


def as_text(content: dict[str, Any], *, ascii_only: bool = False) -> str:
    """Write *content* for programs that people look over the shoulder of."""
    return escaped_in_json(json.dumps(content, indent=2, ensure_ascii=ascii_only)) + "\n"
