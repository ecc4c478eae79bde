"""Spans as rows: the official OTLP encoding, and beside it what lists and trees show."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypedDict

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from .._semconv import names as semconv
from .._upstream.opentelemetry import span_encoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

ERROR: Final = "error"
OK: Final = "ok"
LOST: Final = "lost"

# Of these the tokens and the cost are summed up; an agent tells those of its models once more.
_MODELS: Final = frozenset(("chat", "text_completion", "generate_content", "embeddings"))
_REMOTE: Final = 0x200
_MOST_ORIGINS: Final = 1_000
# SQLite's largest integer is beyond: sums of many must fit, too.
_MOST: Final = 1 << 53


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
    model: str | None
    conversation: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    currency: str | None
    first_chunk_at: int | None
    chunks: int | None
    stalls: int | None
    origin: Origin
    span: bytes


class Encoder:
    """Encodes spans one by one, and who made them once: most are made by few."""

    def __init__(self) -> None:
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
        encode = _encode()
        for span in spans:
            encoded = encode(span)
            run_id = run_ids.get(encoded.span_id)
            yield _row(encoded, span.attributes or _NOTHING, self._origin(span), run_id)

    def _origin(self, span: ReadableSpan) -> Origin:
        key = (id(span.resource), span.instrumentation_scope)
        known = self._origins.get(key)
        if known is None:
            if len(self._origins) >= _MOST_ORIGINS:
                self._origins.clear()
            known = self._origins[key] = (span.resource, _origin(span))
        return known[1]


def _origin(span: ReadableSpan) -> Origin:
    (group,) = encode_spans([span]).resource_spans
    (scope,) = group.scope_spans
    del scope.spans[:]
    made_by = scope.SerializeToString()
    del group.scope_spans[:]
    return Origin(group.SerializeToString(), made_by)


@cache
def _encode() -> Callable[[ReadableSpan], Span]:
    return span_encoder() or _encoded_publicly


def _encoded_publicly(span: ReadableSpan) -> Span:
    return encode_spans([span]).resource_spans[0].scope_spans[0].spans[0]


def row_of(span: Span, origin: Origin, run_id: bytes | None = None) -> SpanRow:
    """Return the row of a span that is encoded already."""
    values = {item.key: _value(item.value) for item in span.attributes if item.key in _READ}
    return _row(span, values, origin, run_id)


def _row(span: Span, values: Mapping[str, Any], origin: Origin, run_id: bytes | None) -> SpanRow:
    operation = _text(values.get(semconv.OPERATION_NAME))
    # Each look into the attributes of the SDK's spans costs as much as all else here.
    model = _model(span, values) if operation in _MODELS else _NO_MODEL
    return SpanRow(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_span_id or None,
        run_id=run_id,
        is_root=not span.parent_span_id or bool(span.flags & _REMOTE),
        name=span.name,
        operation=operation,
        started_at=span.start_time_unix_nano,
        ended_at=span.end_time_unix_nano or None,
        outcome=_outcome(span, values),
        error=_error(span, values),
        agent=_text(values.get(semconv.AGENT_NAME)) if operation else None,
        conversation=_text(values.get(semconv.CONVERSATION_ID)),
        origin=origin,
        span=span.SerializeToString(),
        **model,
    )


_NOTHING: Final[Mapping[str, Any]] = {}


class _OfModel(TypedDict):
    """What the row of a model's span has beside that of any other."""

    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    currency: str | None
    first_chunk_at: int | None
    chunks: int | None
    stalls: int | None


_NO_MODEL: Final[_OfModel] = {
    "model": None,
    "input_tokens": None,
    "output_tokens": None,
    "cost": None,
    "currency": None,
    "first_chunk_at": None,
    "chunks": None,
    "stalls": None,
}


def _model(span: Span, values: Mapping[str, Any]) -> _OfModel:
    first = _number(values.get(semconv.RESPONSE_TIME_TO_FIRST_CHUNK))
    at = span.start_time_unix_nano + int(first * 1e9) if first is not None else None
    cost = _number(values.get(semconv.COST))
    return {
        "model": _text(values.get(semconv.RESPONSE_MODEL) or values.get(semconv.REQUEST_MODEL)),
        "input_tokens": _count(values.get(semconv.USAGE_INPUT_TOKENS)),
        "output_tokens": _count(values.get(semconv.USAGE_OUTPUT_TOKENS)),
        "cost": cost,
        "currency": _text(values.get(semconv.CURRENCY)) if cost is not None else None,
        "first_chunk_at": at,
        "chunks": _count(values.get(semconv.STREAM_CHUNKS)),
        "stalls": _count(values.get(semconv.STREAM_STALLS)),
    }


def lost(span: bytes, ended_at: int, chunks: int | None) -> Span:
    """Return a span that was open when its process died, ended at its last known time.

    Args:
        span: in OTLP encoding, as it was when it was open.
        ended_at: in ns since 1970.
        chunks: how many its stream had given, where it is known.
    """
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


def _outcome(span: Span, values: Mapping[str, Any]) -> str | None:
    if not span.end_time_unix_nano:
        return None
    outcome = _text(values.get(semconv.OUTCOME))
    return outcome or (ERROR if span.status.code == Status.STATUS_CODE_ERROR else OK)


def _error(span: Span, values: Mapping[str, Any]) -> str | None:
    if span.status.code != Status.STATUS_CODE_ERROR:
        return None
    # Not the status's text: what others write there is content.
    return _text(values.get(semconv.ERROR_TYPE)) or "_OTHER"


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
