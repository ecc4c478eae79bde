"""Takes the starts and ends of spans on the application's threads: an append each, no more."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace import SpanProcessor

from .._context.starting import STARTING_RUN
from .._values.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Event

    from opentelemetry.context import Context
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.trace import ReadableSpan, Span

    from .._context.starting import StartingRun

# Each span is two entries, its start and its end. A burst of 65,536 is taken; of large ones, so
# many bytes' worth.
_MOST_ENTRIES: Final = 131_072
_LEAST_ENTRIES: Final = 8_192
_MOST_BYTES: Final = 160 << 20


# Plain classes: one is made for each start and each end, on the application's threads.
class Started:
    """A span has started, of a run or of the application's own code."""

    __slots__ = ("run", "span")

    def __init__(self, span: Span, run: StartingRun | None) -> None:
        self.span = span
        self.run = run


class Ended:
    """A span has ended."""

    __slots__ = ("span",)

    def __init__(self, span: ReadableSpan) -> None:
        self.span = span


class Logged:
    """A log record was written."""

    __slots__ = ("record",)

    def __init__(self, record: ReadableLogRecord) -> None:
        self.record = record


class Mark:
    """Everything before it shall be written; then the event is set."""

    __slots__ = ("is_passed",)

    def __init__(self, is_passed: Event) -> None:
        self.is_passed = is_passed


Entry = Started | Ended | Logged | Mark


class Queue:
    """What waits to be written, bounded: what finds no room is counted.

    Attributes:
        entries: what waits, oldest first; the writer takes an entry out when it is written.
        limit: how many may wait.
    """

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()
        self.limit = _MOST_ENTRIES
        self.is_awake = False
        self.wake: Callable[[], None] = lambda: None
        self._drops = Tally()
        self._dropped_ends = Tally()

    def put(self, entry: Entry) -> None:
        """Take an entry; of the application's threads this alone is called."""
        entries = self.entries
        if len(entries) >= self.limit:
            self._drops.add()
            if type(entry) is Ended:
                self._dropped_ends.add()
            return
        entries.append(entry)
        if not self.is_awake:
            self.is_awake = True
            self.wake()

    def fit(self, mean_bytes: float) -> None:
        """Bound the queue by bytes: spans of *mean_bytes* wait in it."""
        wanted = int(2 * _MOST_BYTES / max(mean_bytes, 1.0))
        self.limit = max(_LEAST_ENTRIES, min(_MOST_ENTRIES, wanted))

    @property
    def dropped(self) -> int:
        """How many entries found no room."""
        return self._drops.total

    @property
    def dropped_spans(self) -> int:
        """How many of them were the ends of spans."""
        return self._dropped_ends.total

    def waiting(self, kind: type[Entry]) -> int:
        """Return how many entries of a kind wait."""
        return sum(type(entry) is kind for entry in self.entries.copy())

    def taken(self) -> Iterator[Entry]:
        """Take out what waits."""
        with suppress(IndexError):
            while True:
                yield self.entries.popleft()

    def clear(self) -> None:
        """Forget what waits, and what was dropped."""
        self.entries = deque()
        self._drops, self._dropped_ends = Tally(), Tally()
        self.is_awake = False


class JournalProcessor(SpanProcessor):
    """Puts the starts and ends of sampled spans into a queue.

    Args:
        queue: of the journal's writer.

    Attributes:
        instead: takes the spans where there can be no journal.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self.instead: SpanProcessor | None = None

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Take note that a span has started."""
        if self.instead is not None:
            self.instead.on_start(span, parent_context)
        elif (context := span.context) is not None and context.trace_flags.sampled:
            run = STARTING_RUN.get()
            if run is not None:
                run.enter_journal()
            self._queue.put(Started(span, run))

    def on_end(self, span: ReadableSpan) -> None:
        """Take note that a span has ended."""
        if self.instead is not None:
            self.instead.on_end(span)
        elif (context := span.context) is not None and context.trace_flags.sampled:
            self._queue.put(Ended(span))

    def shutdown(self) -> None:
        """Shut down what takes the spans instead: the journal's maker stops the journal."""
        if self.instead is not None:
            self.instead.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush what takes the spans instead: the journal's maker flushes the journal."""
        return self.instead is None or self.instead.force_flush(timeout_millis)
