"""What a span says beside its numbers: what it was given, how it was cut off, what it cost."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from .._values.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._traces.records import SpanRecord

_MOST: Final = 60
# Of a shorter stream a speed says nothing that anybody could see.
_SHORTEST: Final = 0.1
_TOTAL_COST: Final = "nodespan.total.cost."
# Why an answer ends that is whole, in the words of one provider or another.
_WHOLE: Final = frozenset(
    (
        *("stop", "end", "end_turn", "stop_sequence", "eos", "eos_token", "complete", "completed"),
        *("tool_calls", "tool_call", "tool_use", "function_call"),
    )
)
_CUT_OFF: Final = frozenset(
    (
        *("length", "max_tokens", "max_output_tokens", "max_length", "model_length", "incomplete"),
        "model_context_window_exceeded",
    )
)


def given(span: SpanRecord) -> str:
    """Return what a tool was called with, where that was recorded, or what was judged."""
    arguments = span.attributes.get("gen_ai.tool.call.arguments")
    if isinstance(arguments, str):
        return _short(arguments)
    judged = ("gen_ai.evaluation.score.value", "gen_ai.evaluation.score.label")
    found = (span.attributes.get(name) for name in judged)
    return " ".join(_short(_number(value)) for value in found if value is not None)


def notes(span: SpanRecord) -> Iterator[str]:
    """Give what there is to know of an end: cut off, sent again, and what was said of a failure."""
    reasons = span.attributes.get("gen_ai.response.finish_reasons")
    for reason in reasons if isinstance(reasons, list | tuple) else ():
        word = str(reason).lower()
        if word in _CUT_OFF:
            yield f"cut off ({_short(str(reason))})"
        elif word not in _WHOLE:
            yield f"ended by {_short(str(reason))}"
    resent = span.attributes.get("nodespan.http.resend_reasons")
    if isinstance(resent, list | tuple):
        count = span.attributes.get("http.request.resend_count", len(resent))
        yield f"sent again {count}x ({_short(', '.join(map(str, resent)))})"
    if message := _message(span):
        yield _short(message)


def cost(span: SpanRecord) -> str:
    """Return what a model's call, or all beneath a root, has cost, with its currency."""
    attributes = span.attributes
    amount, currency = attributes.get("nodespan.cost"), attributes.get("nodespan.currency")
    if isinstance(amount, int | float):
        return f"{_amount(amount)} {visible(str(currency))}"
    sums = (
        f"{_amount(value)} {visible(name.removeprefix(_TOTAL_COST))}"
        for name, value in attributes.items()
        if name.startswith(_TOTAL_COST) and isinstance(value, int | float)
    )
    return " + ".join(sums)


def speed(span: SpanRecord) -> str:
    """Return how many tokens came a second; nothing of a stream that was over at once."""
    value = span.attributes.get("nodespan.stream.tokens_per_second")
    took = span.attributes.get("nodespan.stream.duration")
    if not isinstance(value, int | float) or not isinstance(took, int | float):
        return ""
    if took < _SHORTEST:
        return ""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"  # noqa: PLR2004 - a digit is lost


def stalls(span: SpanRecord) -> str:
    """Return how often a stream has stalled."""
    count = span.attributes.get("nodespan.stream.stalls")
    return f"{count:,}" if isinstance(count, int) and count else ""


def _amount(value: float) -> str:
    """Write an amount with three digits, and never as a power of ten."""
    return f"{Decimal(f'{value:.3g}'):f}"


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _message(span: SpanRecord) -> str:
    exceptions = [event for event in span.events if event.name == "exception"]
    if not exceptions:
        return _said_of_status(span)
    found = (event.attributes.get("exception.message") for event in exceptions)
    return next((text for text in found if isinstance(text, str)), "")


def _said_of_status(span: SpanRecord) -> str:
    """Return what other programs say of a failure; ours say its type, which is shown anyway."""
    said = span.status_description or ""
    shown = (span.attributes.get("nodespan.outcome"), span.attributes.get("error.type"))
    return "" if said in shown else said


def _short(text: str) -> str:
    text = visible(text)
    return text if len(text) <= _MOST else f"{text[: _MOST - 3]}..."
