"""The calls of models in a trace: what was answered, in which pieces, after which waits (pure)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ....telemetry.journal import EventOfSpan, JournalSpan, JournalTrace

_OPERATIONS: Final = ("chat", "text_completion")
_OUTPUT: Final = "gen_ai.output.messages"
_INPUT: Final = "gen_ai.input.messages"
_DROPPED: Final = "nodespan.output.dropped"
_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
_ESTIMATED: Final = "nodespan.usage.is_estimated"
_WINDOW: Final = "on_chat_model_stream"
_WINDOW_TEXT: Final = "nodespan.stream.window.text"
_FAILURE: Final = "error"
# A shorter wait is the machine's, and no model's.
_SHORTEST_PAUSE: Final = 0.001


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool that a model asked for; its arguments are a text where they are no JSON."""

    name: str
    arguments: Any
    call_id: str | None


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait before the next piece, in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of text."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class Failure:
    """What a call failed with."""

    error_type: str
    message: str | None


Piece = Wait | Said | Thought | ToolCall


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a model.

    Attributes:
        name: of its span.
        model: that was called.
        pieces: of its answer, in order.
        failure: that it ended with.
        outcome: how it ended, where neither simply nor with a failure.
        finish_reason: why the model stopped, in its provider's word.
        input_tokens: that the provider has counted.
        output_tokens: as above.
        is_recorded: whether its answer was recorded at all.
        is_cut: whether its answer was recorded in part.
        left_out: kinds of content that a script cannot give.
    """

    name: str
    model: str | None
    pieces: tuple[Piece, ...]
    failure: Failure | None
    outcome: str | None
    finish_reason: str | None
    input_tokens: int | None
    output_tokens: int | None
    is_recorded: bool
    is_cut: bool
    left_out: tuple[str, ...]

    @property
    def text(self) -> str:
        """All text of the answer."""
        return "".join(piece.text for piece in self.pieces if isinstance(piece, Said))

    @property
    def tool_calls(self) -> list[ToolCall]:
        """Its calls of tools."""
        return [piece for piece in self.pieces if isinstance(piece, ToolCall)]


def calls_of(trace: JournalTrace) -> list[Call]:
    """Return the calls of models in a trace, in the order of their starts."""
    return [_call(span) for span in trace.spans if span.operation in _OPERATIONS]


def question_of(trace: JournalTrace) -> str | None:
    """Return what a person asked last before the first call; None where that is not recorded."""
    first = next((span for span in trace.spans if span.operation in _OPERATIONS), None)
    if first is None:
        return None
    messages = _messages(first.attributes.get(_INPUT))
    asked = [message for message in messages if message.get("role") == "user"]
    parts = _parts(asked[-1]) if asked else ()
    texts = [_text(part.get("content")) for part in parts if part.get("type") == "text"]
    return "".join(texts) or None


def _call(span: JournalSpan) -> Call:
    attributes = span.attributes
    recorded = attributes.get(_OUTPUT)
    parts = [part for message in _messages(recorded)[:1] for part in _parts(message)]
    waits = list(_waits(span))
    spoken = "".join(_text(part.get("content")) for part in parts if part.get("type") == "text")
    reasons = attributes.get(_FINISH_REASONS)
    counts = (None, None) if attributes.get(_ESTIMATED) else (span.input_tokens, span.output_tokens)
    failure = _failure(span)
    has_ended_well = span.outcome == "ok" or failure is not None
    return Call(
        name=span.name,
        model=span.model,
        pieces=tuple(_pieces(span, parts, waits, spoken)),
        failure=failure,
        outcome=None if has_ended_well else span.outcome,
        finish_reason=_text(reasons[0]) if isinstance(reasons, list) and reasons else None,
        input_tokens=counts[0],
        output_tokens=counts[1],
        is_recorded=recorded is not None or span.outcome != "ok",
        is_cut=bool(attributes.get(_DROPPED)) or (recorded is not None and not parts),
        left_out=tuple(sorted(set(_left_out(parts)))),
    )


def _pieces(
    span: JournalSpan, parts: list[dict[str, Any]], waits: list[Piece], spoken: str
) -> Iterator[Piece]:
    """Yield the pieces of an answer: its stream's, where that is known whole, or its parts."""
    streamed = "".join(piece.text for piece in waits if isinstance(piece, Said))
    is_whole = bool(waits) and streamed == spoken
    others = [piece for part in parts if (piece := _piece(part)) is not None]
    thoughts = [piece for piece in others if isinstance(piece, Thought)]
    calls = [piece for piece in others if isinstance(piece, ToolCall)]
    if not is_whole:
        yield from _first_wait(span)
        yield from others
        return
    # The waits before the first piece come before reasoning too: text comes after it.
    said = iter(waits)
    first = next(said)
    if isinstance(first, Wait):
        yield first
        yield from thoughts
    else:
        yield from thoughts
        yield first
    yield from said
    yield from calls


def _first_wait(span: JournalSpan) -> Iterator[Wait]:
    until = span.first_chunk_at if span.first_chunk_at is not None else span.ended_at
    if until is not None:
        yield from _wait((until - span.started_at) / 1e9)


def _wait(seconds: float) -> Iterator[Wait]:
    if seconds >= _SHORTEST_PAUSE:
        yield Wait(round(seconds, 3))


def _waits(span: JournalSpan) -> Iterator[Piece]:
    """Yield what each window of a stream said, after the wait for it."""
    last = span.started_at
    for event in span.events:
        if event.name == _WINDOW:
            yield from _wait((event.at - last) / 1e9)
            last = max(last, event.at)
            if text := _window_text(event):
                yield Said(text)


def _window_text(event: EventOfSpan) -> str:
    return _text(event.attributes.get(_WINDOW_TEXT))


def _piece(part: Mapping[str, Any]) -> Piece | None:
    kind = part.get("type")
    if kind == "text" and _text(part.get("content")):
        return Said(_text(part.get("content")))
    if kind == "reasoning" and _text(part.get("content")):
        return Thought(_text(part.get("content")))
    if kind == "tool_call":
        call_id = part.get("id")
        return ToolCall(
            _text(part.get("name")),
            part.get("arguments"),
            call_id if isinstance(call_id, str) else None,
        )
    return None


def _left_out(parts: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for part in parts:
        kind = part.get("type")
        if kind not in ("text", "reasoning", "tool_call"):
            yield _text(part.get("modality")) or _text(kind) or "unknown"


def _failure(span: JournalSpan) -> Failure | None:
    if span.outcome != _FAILURE:
        return None
    raised = [event.attributes for event in span.events if event.name == "exception"]
    told = raised[-1] if raised else {}
    message = told.get("exception.message")
    return Failure(
        _text(told.get("exception.type")) or span.error or "Exception",
        _whole(message) if isinstance(message, str) else None,
    )


def _messages(text: object) -> list[dict[str, Any]]:
    if not isinstance(text, str):
        return []
    try:
        messages = _whole(json.loads(text, parse_constant=str))
    except (ValueError, RecursionError):
        return []
    if not isinstance(messages, list):
        return []
    return [message for message in messages if isinstance(message, dict)]


def _whole(value: Any) -> Any:
    """Return a value without halves of characters, which no message takes."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_whole(key): _whole(each) for key, each in value.items()}
    return [_whole(each) for each in value] if isinstance(value, list) else value


def _parts(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    parts = message.get("parts")
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
