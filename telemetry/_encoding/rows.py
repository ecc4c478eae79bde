"""Spans as rows: their OTLP encoding, and beside it what a list shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opentelemetry.trace import StatusCode

from .._semconv import names as semconv
from .._values.pacing import paced_unless_many
from .spans import SpanEncoder, encoded_origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from opentelemetry.proto.trace.v1.trace_pb2 import Span
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

ERROR: Final = "error"
OK: Final = "ok"
LOST: Final = "lost"

# Of these the tokens and the cost are summed up; an agent tells those of its models once more.
_MODELS: Final = frozenset(("chat", "text_completion", "generate_content", "embeddings"))
_REMOTE: Final = 0x200
# OTLP's STATUS_CODE_ERROR.
_FAILED: Final = 2
_MOST_ORIGINS: Final = 1_000
# SQLite's largest integer is beyond: sums of many must fit, too.
_MOST: Final = 1 << 53
# In seconds: what is said to be longer, or less than nothing, is no time to a first chunk.
_LONGEST_WAIT: Final = 1e8


class Origin(NamedTuple):
    """Who made a span, in OTLP encoding without any span."""

    resource: bytes
    scope: bytes


class SpanRow(NamedTuple):
    """A span as the journal keeps it; times in ns since 1970, tokens and cost of models alone."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes | None
    run_id: bytes | None
    is_root: bool
    name: str
    operation: str | None
    started_at: int
    ended_at: int | None
    outcome: str | None
    error: str | None
    agent: str | None
    conversation: str | None
    origin: Origin
    span: bytes
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    currency: str | None = None
    first_chunk_at: int | None = None
    chunks: int | None = None
    stalls: int | None = None


class Encoder:
    """Encodes spans one by one, and who made them once: most are made by few."""

    def __init__(self) -> None:
        self._encoder = SpanEncoder()
        # With the resource itself: an id is used again. Its hash would encode it as JSON.
        self._origins: dict[tuple[int, InstrumentationScope | None], tuple[Resource, Origin]] = {}

    def rows(
        self, spans: Iterable[ReadableSpan], run_ids: Mapping[bytes, bytes]
    ) -> Iterator[SpanRow]:
        """Yield the rows of spans, ended ones and open ones.

        Args:
            spans: of the SDK's, in any order.
            run_ids: LangChain's, by the ids of the spans that have one.

        Raises:
            Exception: a span has what the official encoder does not take.
        """
        for span in spans:
            yield _row_of_sdk(self._encoder, span, self._origin(span), run_ids)

    def _origin(self, span: ReadableSpan) -> Origin:
        key = (id(span.resource), span.instrumentation_scope)
        known = self._origins.get(key)
        if known is None:
            if len(self._origins) >= _MOST_ORIGINS:
                self._origins.clear()
            known = self._origins[key] = (span.resource, Origin(*encoded_origin(span)))
        return known[1]


def encoded_rows(
    encoder: Encoder, spans: Sequence[ReadableSpan], run_ids: dict[bytes, bytes]
) -> tuple[list[SpanRow], int]:
    """Return the rows of spans, and how many have what cannot be encoded."""
    try:
        return list(encoder.rows(paced_unless_many(spans), run_ids)), 0
    except Exception:  # noqa: BLE001 - one span's attribute of any kind, or one that changes now
        rows: list[SpanRow] = []
        for span in spans:
            rows += _encoded_alone(encoder, span, run_ids)
        return rows, len(spans) - len(rows)


def _encoded_alone(
    encoder: Encoder, span: ReadableSpan, run_ids: dict[bytes, bytes]
) -> list[SpanRow]:
    for _ in range(3):
        try:
            return list(encoder.rows([span], run_ids))
        except RuntimeError:  # an open span's attributes have changed meanwhile
            continue
        except Exception:  # noqa: BLE001 - as above
            break
    return []


def _row_of_sdk(
    encoder: SpanEncoder, span: ReadableSpan, origin: Origin, run_ids: Mapping[bytes, bytes]
) -> SpanRow:
    # A copy, since each look into the SDK's own mapping costs as much as all else here.
    values = span.attributes.copy() if span.attributes else _NOTHING  # type: ignore[attr-defined]  # as it says
    encoded = encoder.encoded(span, values)
    span_id = encoded.span_id
    parent = span.parent
    return _row(
        (
            encoded.trace_id,
            span_id,
            encoded.parent_span_id or None,
            run_ids.get(span_id),
            parent is None or parent.is_remote,
            span.name,
        ),
        (encoded.start_time_unix_nano, encoded.end_time_unix_nano or None),
        values,
        origin,
        encoded.SerializeToString(),
        has_failed=span.status.status_code is StatusCode.ERROR,
    )


def row_of(span: Span, origin: Origin, run_id: bytes | None = None) -> SpanRow:
    """Return the row of a span that is encoded already."""
    values = {item.key: _value(item.value) for item in span.attributes if item.key in _READ}
    return _row(
        (
            span.trace_id,
            span.span_id,
            span.parent_span_id or None,
            run_id,
            not span.parent_span_id or bool(span.flags & _REMOTE),
            span.name,
        ),
        (span.start_time_unix_nano, span.end_time_unix_nano or None),
        values,
        origin,
        span.SerializeToString(),
        has_failed=span.status.code == _FAILED,
    )


def _row(  # noqa: PLR0913 - what a span is, and what it says
    named: tuple[bytes, bytes, bytes | None, bytes | None, bool, str],
    times: tuple[int, int | None],
    values: Mapping[str, Any],
    origin: Origin,
    encoded_span: bytes,
    *,
    has_failed: bool,
) -> SpanRow:
    operation = _text(values.get(semconv.OPERATION_NAME))
    return SpanRow(
        *named,
        operation,
        *times,
        _outcome(values, has_failed=has_failed) if times[1] is not None else None,
        # Not the status's text: what others write there is content.
        (_text(values.get(semconv.ERROR_TYPE)) or "_OTHER") if has_failed else None,
        _text(values.get(semconv.AGENT_NAME)) if operation else None,
        _text(values.get(semconv.CONVERSATION_ID)),
        origin,
        encoded_span,
        *(_of_model(times[0], values) if operation in _MODELS else ()),
    )


_NOTHING: Final[Mapping[str, Any]] = {}


def _of_model(started_at: int, values: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what the row of a model's span has beside that of any other."""
    first = _number(values.get(semconv.RESPONSE_TIME_TO_FIRST_CHUNK))
    if first is not None and not 0 <= first < _LONGEST_WAIT:
        first = None
    cost = _number(values.get(semconv.COST))
    return (
        _text(values.get(semconv.RESPONSE_MODEL) or values.get(semconv.REQUEST_MODEL)),
        _count(values.get(semconv.USAGE_INPUT_TOKENS)),
        _count(values.get(semconv.USAGE_OUTPUT_TOKENS)),
        cost,
        _text(values.get(semconv.CURRENCY)) if cost is not None else None,
        started_at + int(first * 1e9) if first is not None else None,
        _count(values.get(semconv.STREAM_CHUNKS)),
        _count(values.get(semconv.STREAM_STALLS)),
    )


def lost(span: bytes, ended_at: int, chunks: int | None) -> Span:
    """Return a span that was open when its process died, ended at its last known time.

    Args:
        span: in OTLP encoding, as it was when it was open.
        ended_at: in ns since 1970.
        chunks: how many its stream had given, where it is known.
    """
    from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status  # noqa: PLC0415 - late

    ended = Span.FromString(span)
    ended.end_time_unix_nano = max(ended_at, ended.start_time_unix_nano)
    ended.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message=LOST))
    for name in (semconv.OUTCOME, semconv.ERROR_TYPE):
        ended.attributes.add(key=name).value.string_value = LOST
    if chunks is not None:
        ended.attributes.add(key=semconv.STREAM_CHUNKS).value.int_value = chunks
    return ended


_READ: Final = frozenset(
    (
        semconv.OPERATION_NAME,
        semconv.AGENT_NAME,
        semconv.RESPONSE_MODEL,
        semconv.REQUEST_MODEL,
        semconv.CONVERSATION_ID,
        semconv.USAGE_INPUT_TOKENS,
        semconv.USAGE_OUTPUT_TOKENS,
        semconv.COST,
        semconv.CURRENCY,
        semconv.RESPONSE_TIME_TO_FIRST_CHUNK,
        semconv.STREAM_CHUNKS,
        semconv.STREAM_STALLS,
        semconv.OUTCOME,
        semconv.ERROR_TYPE,
    )
)


def _outcome(values: Mapping[str, Any], *, has_failed: bool) -> str:
    return _text(values.get(semconv.OUTCOME)) or (ERROR if has_failed else OK)


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind is not None else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return min(max(value, 0), _MOST)


def _number(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None  # type: ignore[arg-type]  # a number
