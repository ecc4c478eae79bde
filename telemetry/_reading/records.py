"""What a journal tells, as records."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RUNNING: Final = "running"

# A value as OTLP has them; bytes become hexadecimal digits.
Value = str | bool | int | float | list["Value"] | dict[str, "Value"] | None


_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def moment(nanoseconds: int) -> datetime:
    """Return a time in ns since 1970 as one in UTC; one that no date can be is the nearest."""
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC)
    except (OverflowError, ValueError, OSError):
        return _LAST if nanoseconds > 0 else _FIRST


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """Which traces are asked for; what is None asks for nothing.

    Args:
        conversation: its id.
        agent: its name.
        model: a model's name that the trace has a call of.
        service: the name of the service that it is of.
        outcome: how it ended, such as `ok`, `error` or `lost`; `running` where it has not.
        slower_than: it took, or takes already, longer than that, in seconds.
        stalled: only those in which a stream has stalled.
        since: only those that started then, or later.
        before: only those that started earlier, in ns since 1970: for the next page of a list.
        text: what stands in the name, or in an attribute or event, of one of its spans, in upper
            or lower case.
    """

    conversation: str | None = None
    agent: str | None = None
    model: str | None = None
    outcome: str | None = None
    slower_than: float | None = None
    stalled: bool = False
    since: datetime | None = None
    before: int | None = None
    text: str | None = None
    service: str | None = None


@dataclass(frozen=True, slots=True)
class TraceRecord:
    """A trace in a line.

    Attributes:
        trace_id: in 32 hexadecimal digits.
        name: of its root, or of its first span where the root is elsewhere.
        started_at: in ns since 1970.
        ended_at: when the last of its spans ended, in ns since 1970; None while one is open.
        outcome: how its root ended: `ok`, or a value of `nodespan.outcome`; `running` while a
            span is open.
        error: type of the root's error, where it has one.
        agent: the root's name as an agent, or that of its first agent.
        conversation: id of the conversation.
        models: whose calls it has, in the order of the alphabet.
        input_tokens: sum over its models; None where none told.
        output_tokens: as above.
        cost: as above, in *currency*.
        currency: such as `USD`.
        time_to_first_chunk: from its start to the first chunk of any stream, in seconds.
        stalls: how often a stream stalled.
        spans: how many it has.
        open_spans: how many of them have not ended.
        errors: how many of them failed.
        is_estimated: whether its tokens are an estimate, in part at least.
        service: name of the service whose process has made its root; None where none is named.
    """

    trace_id: str
    name: str
    started_at: int
    ended_at: int | None
    outcome: str
    error: str | None
    agent: str | None
    conversation: str | None
    models: tuple[str, ...]
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    currency: str | None
    time_to_first_chunk: float | None
    stalls: int
    spans: int
    open_spans: int
    errors: int
    is_estimated: bool = False
    service: str | None = None

    @property
    def duration(self) -> float | None:
        """How long it took, in seconds; None while it is running."""
        return (self.ended_at - self.started_at) / 1e9 if self.ended_at is not None else None

    @property
    def started(self) -> datetime:
        """When it started, in UTC; a time beyond what a date can be is its limit."""
        return moment(self.started_at)


@dataclass(frozen=True, slots=True)
class OpenRunRecord:
    """A span that has not ended, with how far its stream has come; times in ns since 1970.

    Attributes:
        trace_id: in 32 hexadecimal digits.
        span_id: in 16 hexadecimal digits.
        run_id: LangChain's id of the run; None where the span is of other code.
        name: of the span.
        operation: as in `gen_ai.operation.name`.
        model: of a model.
        agent: of the trace.
        conversation: of the trace.
        started_at: when it started.
        chunks: how many its stream has given; None where it does not stream, or not yet.
        first_chunk_at: when the first came.
        last_chunk_at: when the last came.
    """

    trace_id: str
    span_id: str
    run_id: str | None
    name: str
    operation: str | None
    model: str | None
    agent: str | None
    conversation: str | None
    started_at: int
    chunks: int | None
    first_chunk_at: int | None
    last_chunk_at: int | None


@dataclass(frozen=True, slots=True)
class EventOfSpan:
    """An event of a span; its time in ns since 1970."""

    name: str
    at: int
    attributes: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class LinkOfSpan:
    """A link of a span to another."""

    trace_id: str
    span_id: str
    attributes: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class JournalSpan:
    """A span, with all that it says; times in ns since 1970.

    Attributes:
        trace_id: in 32 hexadecimal digits.
        span_id: in 16 hexadecimal digits.
        parent_id: as above; None where it has no parent.
        run_id: LangChain's id of the run; None where it is of other code.
        name: of the span.
        kind: as the specification names it, such as `internal` or `client`.
        operation: as in `gen_ai.operation.name`.
        started_at: when it started.
        ended_at: when it ended; None while it is open.
        outcome: `ok`, or a value of `nodespan.outcome`; `running` while it is open.
        error: type of its error, where it failed.
        model: of a model.
        input_tokens: of a model.
        output_tokens: of a model.
        cost: of a model.
        currency: of the cost.
        first_chunk_at: when the first chunk of its stream came.
        chunks: how many it gave, or has given.
        last_chunk_at: when the last of them came, as told while it was open.
        stalls: how often it stalled.
        delivery: `none` where it is owed to no endpoint or was taken, `owed`, or why it was
            refused for good.
        status: `unset`, `ok` or `error`.
        status_message: what was said of it; None where nothing was.
        attributes: of the span.
        events: of the span, in order.
        links: of the span.
        resource: attributes of the process that made it.
        scope: name of the library that made it.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    run_id: str | None
    name: str
    kind: str
    operation: str | None
    started_at: int
    ended_at: int | None
    outcome: str
    error: str | None
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    currency: str | None
    first_chunk_at: int | None
    chunks: int | None
    last_chunk_at: int | None
    stalls: int
    delivery: str
    status: str
    status_message: str | None = field(repr=False)
    attributes: Mapping[str, Value] = field(repr=False)
    events: tuple[EventOfSpan, ...] = field(repr=False)
    links: tuple[LinkOfSpan, ...] = field(repr=False)
    resource: Mapping[str, Value] = field(repr=False)
    scope: str = ""

    @property
    def duration(self) -> float | None:
        """How long it took, in seconds; None while it is open."""
        return (self.ended_at - self.started_at) / 1e9 if self.ended_at is not None else None


@dataclass(frozen=True, slots=True)
class JournalTrace:
    """A trace with its spans.

    Attributes:
        summary: the trace in a line.
        spans: by their start, at most as many as were asked for.
        dropped: how many spans more there are.
    """

    summary: TraceRecord
    spans: tuple[JournalSpan, ...]
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """What the traces of a span of time come to.

    Attributes:
        traces: how many started in it.
        running: how many of all are still running.
        errors: how many of its traces ended as `error` or `lost`.
        input_tokens: of its models.
        output_tokens: as above.
        cost: as above.
        stalls: of their streams.
        mean_time_to_first_chunk: over its traces that streamed, in seconds; None where none did.
    """

    traces: int
    running: int
    errors: int
    input_tokens: int
    output_tokens: int
    cost: float
    stalls: int
    mean_time_to_first_chunk: float | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is owed to an endpoint.

    Attributes:
        url: of the endpoint, without credentials.
        spans: how many wait for it.
        log_records: as above.
        oldest: when the oldest of the spans ended, in ns since 1970; None where none waits.
        refused: how many spans it has refused for good.
        forwarder: process id of who sends them; None where nobody does.
    """

    url: str
    spans: int
    log_records: int
    oldest: int | None
    refused: int
    forwarder: int | None


@dataclass(frozen=True, slots=True)
class JournalStatus:
    """What state a journal is in.

    Attributes:
        path: of its file.
        bytes: that it takes on the disk.
        version: of its tables.
        traces: how many it holds.
        spans: as above.
        open_spans: how many of them have not ended.
        oldest: when its oldest trace started, in ns since 1970; None where it has none.
        writers: process ids of those that write into it.
        backlogs: what is owed to each endpoint.
        dropped: how many spans and log records were dropped before an endpoint had them, or
            before they were written.
        lost: how many spans were open when their process died.
        refused: how many an endpoint has refused, in whole or in part.
    """

    path: Path
    bytes: int
    version: int
    traces: int
    spans: int
    open_spans: int
    oldest: int | None
    writers: tuple[int, ...]
    backlogs: tuple[Backlog, ...]
    dropped: int
    lost: int
    refused: int
