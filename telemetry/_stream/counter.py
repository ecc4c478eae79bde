"""Counts the chunks of one model's stream: the token path."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from .._context.stack import chunk_in_events
from .answer import PartialAnswer
from .clock import FOR_EVER, StreamClock
from .pieces import (
    carries_content,
    delta_carries_content,
    deltas_around,
    event_shows_reasoning,
    shows_reasoning,
    start_carries_content,
)
from .text import event_text, token_text

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Mapping

    from langchain_core.outputs import LLMResult

    from .clock import Waits
    from .text import StreamText


class ChunkCounter:
    """Feeds a stream's clock from both of LangChain's protocols, each chunk once.

    A chunk is a piece of generated content: one that carries only metadata does not count.

    Args:
        started_at: when the run started, in ns of the monotonic clock.
        on_begin: called when the first chunk comes, whatever it carries.
        waits: how long chunks may be waited for.
        text: keeps what the chunks say, where content may be recorded.

    Attributes:
        begun: whether a chunk has come.
        clock: of the stream.
        plain: the times that wait to be counted, where a token that is text is one more of them
            and nothing else; None where each has to be looked at.
        text: of the stream; None where it is not kept.
    """

    __slots__ = (
        "_answer",
        "_chunk",
        "_counts_events",
        "_deltas_left",
        "_keeps_text",
        "_on_begin",
        "_reporters",
        "_reports",
        "begun",
        "clock",
        "plain",
        "text",
    )

    def __init__(
        self,
        started_at: int,
        on_begin: Callable[[], None],
        waits: Waits = FOR_EVER,
        text: StreamText | None = None,
    ) -> None:
        self.clock = StreamClock(started_at, waits)
        self.text = text
        self.begun = False
        self._on_begin = on_begin
        self._counts_events = False
        self._reporters = 1
        self._reports = 0
        self._answer: PartialAnswer | None = None
        self.plain: array[int] | None = None
        self._keeps_text = False
        self._chunk: Any = None
        self._deltas_left = 0

    @property
    def has_anything(self) -> bool:
        """Whether there is anything to tell of it: chunks, or a wait that was too long."""
        return self.begun or self.clock.stalls_noted > 0

    def add_reporter(self) -> None:
        """Say that one handler more reports each chunk: a handler may be given twice."""
        self._reporters += 1
        self.plain, self._keeps_text = None, False

    def token(self, token: Any, chunk: Any) -> None:
        """Take what `on_llm_new_token` reports.

        Args:
            token: the chunk's text, or its content blocks.
            chunk: LangChain's chunk, where it gives one.
        """
        is_text = token.__class__ is str and token
        if is_text and (self.plain is not None or self._takes_text(token, chunk)):
            self.clock.tick(perf_counter_ns())
        else:
            self._take_slowly(token, chunk)

    def _takes_text(self, token: str, chunk: Any) -> bool:
        """Take a token where content is kept, if its chunk says nothing else; return whether."""
        if not self._keeps_text or self.text is None or not self._told().take_text(token, chunk):
            return False
        self.text.add(token)
        return True

    def _take_slowly(self, token: Any, chunk: Any) -> None:
        """Take any other token: the first, or where its text is empty, kept or reported twice."""
        now = perf_counter_ns()
        if self._reporters > 1 and not self._count_report():
            return
        if not self.begun:
            self._begin()
        counts = not self._counts_events
        tells_usage = self._told().take(chunk, says=counts)
        if counts and carries_content(token, chunk):
            self._tick(now, token_text, token)
            if not self.clock.shows_reasoning:
                self.clock.shows_reasoning = shows_reasoning(token, chunk)
        if token and not tells_usage:
            # Of a stream that tells of usage with its text each chunk is looked at.
            is_usual = counts and self._reporters == 1
            self.plain = self.clock.pending if is_usual and self.text is None else None
            self._keeps_text = is_usual and self.text is not None

    def event(self, event: Mapping[str, Any]) -> None:
        """Take what `on_stream_event` reports.

        A model that reports its own tokens to a stream of events does so just before each: the
        events are what counts.
        """
        now = perf_counter_ns()
        if self._reporters > 1 and not self._count_report():
            return
        if not self._counts_events:
            self._counts_events = True
            self.plain, self._keeps_text = None, False
            self.clock.restart()
            if self.text is not None:
                self.text.clear()
        if not self.begun:
            self._begin()
        if not self.clock.shows_reasoning:
            self.clock.shows_reasoning = event_shows_reasoning(event)
        self._take_event(now, event.get("event"), event)

    def _take_event(self, now: int, kind: object, event: Mapping[str, Any]) -> None:
        if kind == "message-start":
            self._told().begin_message(event)
        elif kind == "content-block-start":
            self._start_block(now, event)
        elif kind == "content-block-delta" and delta_carries_content(event):
            if self._deltas_left:
                self._go_on(event)
            else:
                self._tick(now, event_text, event)

    def answer(self) -> LLMResult | None:
        """Return what the chunks have told so far; None where that is nothing."""
        return self._told().result(self.text.whole if self.text is not None else "")

    def _told(self) -> PartialAnswer:
        """Return what the chunks have told: most answers come whole, and tell nothing here."""
        if self._answer is None:
            self._answer = PartialAnswer(self.text.max_characters if self.text is not None else 0)
        return self._answer

    def _start_block(self, now: int, event: Mapping[str, Any]) -> None:
        """Take the start of a content block: a chunk that has several is one all the same.

        The events of one chunk follow each other like those of two, so the chunk itself is asked.
        """
        chunk, block = chunk_in_events()
        if chunk is not None and chunk is self._chunk:
            return
        self._chunk = chunk
        if chunk is not None:
            self._told().take(chunk, says=False)
        before, self._deltas_left = deltas_around(chunk, block) if chunk is not None else (0, 0)
        if not before and (self._deltas_left or start_carries_content(event)):
            self._tick(now, event_text, event)

    def _go_on(self, event: Mapping[str, Any]) -> None:
        """Take a delta of a chunk that counts already."""
        self._deltas_left -= 1
        if self.text is not None:
            self.text.extend(event_text(event))

    def _tick(self, now: int, text_of: Callable[[Any], str], source: Any) -> None:
        self.clock.tick(now)
        if self.text is not None:
            self.text.add(text_of(source))

    def _count_report(self) -> bool:
        """Count a report, and return whether it is the first of its chunk."""
        self._reports += 1
        return self._reports % self._reporters == 1

    def _begin(self) -> None:
        self.begun = True
        self._on_begin()
