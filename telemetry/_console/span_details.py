"""What stands beneath a span in a tree: its waits, its events, and all its attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.text import Text

from .._values.visible import visible
from .duration import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .._traces.records import EventRecord, SpanRecord

_STALL: Final = "nodespan.stream.stall"
_EXCEPTION: Final = "exception"
_STACKTRACE: Final = "exception.stacktrace"
# What every stream has, and the columns tell of.
_OF_EVERY_STREAM: Final = ("on_chat_model_start", "on_chat_model_stream", "on_chat_model_end")
_SHOWN_EVENTS: Final = 20


@dataclass(frozen=True, slots=True)
class Details:
    """What a tree shows beyond a line of results a span.

    Attributes:
        now: in ns since 1970, up to which open spans have taken.
        last_chunks: when the last chunk of each open stream came, by the span's id.
        all: whether each attribute and each event is shown.
    """

    now: int
    last_chunks: Mapping[str, int]
    all: bool = False

    def wait(self, span: SpanRecord) -> float | None:
        """Return the longest wait of a stream, or how long an open call has waited, in seconds."""
        if span.end_ns is None:
            is_call = "gen_ai.request.model" in span.attributes
            since = self.last_chunks.get(span.span_id, span.start_ns if is_call else None)
            return (self.now - since) / 1e9 if since is not None else None
        longest = span.attributes.get("nodespan.stream.gap.max")
        return longest if isinstance(longest, float) else None

    def lines(self, span: SpanRecord, began: int, *, ascii_only: bool) -> Iterator[Text]:
        """Give the lines beneath a span.

        Args:
            span: that has been shown.
            began: when its trace began, in ns since 1970.
            ascii_only: whether nothing but ASCII can be shown.
        """

        def time(nanoseconds: float) -> str:
            """Return a duration as people read it."""
            return duration(nanoseconds, ascii_only=ascii_only)

        if self.all:
            yield from _attributes(span.attributes)
            if span.status_description:
                yield from _attributes({"status": span.status_description})
            for link in span.links:
                yield Text(f"link to span {link.span_id} of trace {link.trace_id}", style="dim")
        shown = [one for one in span.events if self.all or one.name not in _OF_EVERY_STREAM]
        most = len(shown) if self.all else _SHOWN_EVENTS
        for event in shown[:most]:
            at = time(event.time_ns - began)
            yield _stall(event, at, time) if event.name == _STALL else self._event(event, at)
            if self.all:
                yield from (Text("  ").append(each) for each in _attributes(event.attributes))
        if len(shown) > most:
            yield Text(f"and {len(shown) - most:,} more events: --all shows them", style="dim")

    def _event(self, event: EventRecord, at: str) -> Text:
        is_error = event.name == _EXCEPTION
        text = Text(f"{visible(event.name)} at {at}", style="red" if is_error else "blue")
        if not self.all:
            for name, value in event.attributes.items():
                if name != _STACKTRACE:
                    text.append(f"  {visible(name)}={visible(_written(value))}", style="dim")
        return text


def _stall(event: EventRecord, at: str, time: Callable[[float], str]) -> Text:
    attributes = event.attributes
    waited = attributes.get("nodespan.stream.stall.duration")
    took = f" for {time(waited * 1e9)}" if isinstance(waited, float) else ""
    chunk = attributes.get("nodespan.stream.stall.chunk")
    before = f", before chunk {chunk + 1}" if isinstance(chunk, int) else ""
    return Text(f"! stalled at {at}{took}{before}", style="bold yellow")


def _attributes(attributes: Mapping[str, object]) -> Iterator[Text]:
    for name, value in sorted(attributes.items()):
        if name == _STACKTRACE:
            yield Text(visible(name), style="dim")
            yield from (Text(f"  {visible(line)}") for line in _written(value).splitlines())
        else:
            yield Text.assemble((visible(name), "dim"), "  ", visible(_written(value)))


def _written(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
