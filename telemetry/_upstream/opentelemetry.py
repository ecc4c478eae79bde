"""The names of OpenTelemetry's that it does not promise to keep, and what happens without them.

Its API and SDK of logs have an underscore for as long as the signal is in development.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .names import Kind, Name, Use

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry._logs import LoggerProvider
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.trace.v1.trace_pb2 import Span as EncodedSpan
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.trace import Link, Span

    _EncodeSpan: TypeAlias = Callable[[ReadableSpan], EncodedSpan]
    _EncodeAttributes: TypeAlias = Callable[[Mapping[str, Any]], list[KeyValue] | None]

_METRICS: Final = "opentelemetry.sdk.metrics._internal"
_AGGREGATION: Final = f"{_METRICS}.aggregation"
_MATCH: Final = f"{_METRICS}._view_instrument_match"
_BUCKETS: Final = "_ExplicitBucketHistogramAggregation"

SUPPRESSION: Final = Use(
    (Name("opentelemetry.context", "_SUPPRESS_INSTRUMENTATION_KEY"),),
    "lines that other libraries log while something is sent are sent themselves",
)
LOGS: Final = Use(
    (
        Name("opentelemetry._logs"),
        Name("opentelemetry.sdk._logs"),
        Name("opentelemetry.sdk._logs.export"),
    ),
    "there are no log records",
)
OTLP_LOGS: Final = Use(
    (Name("opentelemetry.exporter.otlp.proto.http._log_exporter", "OTLPLogExporter"),),
    "log records are not sent by OTLP",
)
LOG_ENCODING: Final = Use(
    (Name("opentelemetry.exporter.otlp.proto.common._log_encoder", "encode_logs"),),
    "log records do not travel through the journal",
)
SPAN_ENCODING: Final = Use(
    (
        Name("opentelemetry.exporter.otlp.proto.common._internal.trace_encoder", "_encode_span"),
        Name("opentelemetry.exporter.otlp.proto.common._internal", "_encode_attributes"),
    ),
    "each span is encoded with who made it, and all its attributes, once more",
    is_replaced=True,
)
SPAN_LISTS: Final = Use(
    (
        Name("opentelemetry.sdk.trace", "ReadableSpan._events", Kind.MEMBER),
        Name("opentelemetry.sdk.trace", "ReadableSpan._links", Kind.MEMBER),
    ),
    "a span's events and links are copied before it is known whether there are any",
    is_replaced=True,
)
PREFERENCES: Final = Use(
    (
        Name(
            "opentelemetry.sdk.metrics.export", "MetricExporter._preferred_temporality", Kind.MEMBER
        ),
        Name(
            "opentelemetry.sdk.metrics.export", "MetricExporter._preferred_aggregation", Kind.MEMBER
        ),
    ),
    "metrics are offered again and again to a receiver that takes none",
)
EVENTS: Final = Use(
    (
        Name("opentelemetry.sdk.trace", "Span._events", Kind.MEMBER),
        Name("opentelemetry.sdk.trace", "Span._limits", Kind.MEMBER),
    ),
    "events are put together when they are added, and not when they are read",
    is_replaced=True,
)
LIMITS: Final = Use(
    (Name("opentelemetry.sdk.trace", "Span._limits", Kind.MEMBER),),
    "limits of a span that are set in code are not known before they are exceeded",
    is_replaced=True,
)
# Before 1.45.2 the SDK does in place what these do.
AGGREGATIONS: Final = Use(
    (
        Name(_MATCH, "_hash_attributes"),
        Name(_MATCH, "_ViewInstrumentMatch._get_or_create_aggregation"),
        Name("opentelemetry.sdk.metrics", "Histogram._is_enabled"),
    ),
    "an aggregation is found, or made, as older SDKs do it",
    is_replaced=True,
)
HISTOGRAMS: Final = Use(
    (
        Name(_METRICS),
        Name(_AGGREGATION, "_DropAggregation"),
        Name(_AGGREGATION, _BUCKETS),
        Name(f"{_METRICS}.measurement", "Measurement"),
        Name("opentelemetry.sdk.metrics", "Histogram._measurement_consumer", Kind.MEMBER),
        Name(
            f"{_METRICS}.measurement_consumer",
            "SynchronousMeasurementConsumer._reader_storages",
            Kind.MEMBER,
        ),
        Name(
            f"{_METRICS}.metric_reader_storage",
            "MetricReaderStorage._get_or_init_view_instrument_match",
        ),
        Name(_MATCH, "_ViewInstrumentMatch._view", Kind.MEMBER),
        Name(_MATCH, "_ViewInstrumentMatch._lock", Kind.MEMBER),
        Name("opentelemetry.sdk.metrics.view", "View._attribute_keys", Kind.MEMBER),
        *(
            Name(_AGGREGATION, f"{_BUCKETS}.{member}", Kind.MEMBER)
            for member in (
                "_lock",
                "_boundaries",
                "_value",
                "_sum",
                "_min",
                "_max",
                "_record_min_max",
            )
        ),
    ),
    "the values of histograms are recorded one by one, for two seconds a collection at most",
)
TABLE: Final = (
    SUPPRESSION,
    LOGS,
    OTLP_LOGS,
    LOG_ENCODING,
    SPAN_ENCODING,
    SPAN_LISTS,
    PREFERENCES,
    EVENTS,
    LIMITS,
    AGGREGATIONS,
    HISTOGRAMS,
)


def suppression_key() -> str | None:
    """Return the key under which a context says that something is being sent."""
    found = SUPPRESSION.find()
    return found[0] if found is not None else None


def collector_of(reader: Any) -> Any:
    """Return what a Prometheus reader before 0.64, which takes no registry, has registered."""
    return reader._collector


def add_metric_reader(provider: MeterProvider, reader: MetricReader) -> None:
    """Have a reader collect what a provider measures; SDKs before 1.43 have no public way to."""
    if hasattr(provider, "add_metric_reader"):
        provider.add_metric_reader(reader)
        return
    consumer: Any = provider._measurement_consumer
    make: Any = Name(f"{_METRICS}.metric_reader_storage", "MetricReaderStorage").find()
    aggregation = reader._instrument_class_aggregation
    storage = make(provider._sdk_config, reader._instrument_class_temporality, aggregation)
    with consumer._lock:
        consumer._reader_storages = {**consumer._reader_storages, reader: storage}
    reader._set_collect_callback(consumer.collect)


def remove_metric_reader(provider: MeterProvider, reader: MetricReader) -> None:
    """Take a reader back that was added, and shut it down; as above."""
    if hasattr(provider, "remove_metric_reader"):
        provider.remove_metric_reader(reader)
        return
    reader.shutdown()  # the last collection comes first
    forget: Any = reader._set_collect_callback
    forget(None)
    consumer: Any = provider._measurement_consumer
    with consumer._lock:
        kept = consumer._reader_storages.items()
        consumer._reader_storages = {each: its for each, its in kept if each is not reader}


def has_logs() -> bool:
    """Say whether there are logs; what imports their modules is imported only then."""
    return LOGS.find() is not None


def is_unset(provider: LoggerProvider) -> bool:
    """Say whether a logger provider is the one that stands in until the application sets one."""
    from opentelemetry._logs import NoOpLoggerProvider  # noqa: PLC0415 - where there are logs

    is_of_api = type(provider).__module__.startswith("opentelemetry._logs")
    return is_of_api and not isinstance(provider, NoOpLoggerProvider)


def otlp_log_exporter() -> type[OTLPLogExporter] | None:
    """Return what sends log records by OTLP; None where nothing does."""
    found = OTLP_LOGS.find()
    return found[0] if found is not None else None


def log_encoder() -> Callable[[Sequence[ReadableLogRecord]], ExportLogsServiceRequest] | None:
    """Return what encodes log records as OTLP has them; None where nothing does."""
    found = LOG_ENCODING.find()
    return found[0] if found is not None else None


def span_encoder() -> tuple[_EncodeSpan, _EncodeAttributes] | None:
    """Return what encodes a span without who made it, and attributes alone.

    None where only the public way does, which encodes all at once.
    """
    found = SPAN_ENCODING.find()
    return (found[0], found[1]) if found is not None else None


def events_and_links(span: ReadableSpan) -> tuple[Sequence[Event], Sequence[Link]]:
    """Return a span's events and links; where there are none, without making copies of them."""
    try:
        return span.events if span._events else (), span.links if span._links else ()
    except AttributeError:
        return span.events, span.links


def preferences_of(exporter: MetricExporter) -> tuple[Any, Any] | None:
    """Return the temporality and the aggregation that an exporter of metrics prefers."""
    try:
        return exporter._preferred_temporality, exporter._preferred_aggregation
    except AttributeError as error:
        PREFERENCES.miss(error)
        return None


def events_adder(span: Span, attributes: int) -> Callable[[Sequence[Event]], None] | None:
    """Return what adds events to a span as they are; None where only the public way does.

    Args:
        span: of any make, that has not ended.
        attributes: how many an event may have; a lower limit of the span's would apply.
    """
    limit = getattr(getattr(span, "_limits", None), "max_event_attributes", 0)
    is_free = limit is None or limit >= attributes
    return getattr(getattr(span, "_events", None), "extend", None) if is_free else None


def attribute_limits(span: Span) -> tuple[int | None, int | None]:
    """Return how many attributes a span may have, and how long their values; None for no limit."""
    limits = getattr(span, "_limits", None)
    most = getattr(limits, "max_span_attributes", None)
    return most, getattr(limits, "max_span_attribute_length", None)


def event_text_limit(span: Span) -> int | None:
    """Return how long the values of an event's attributes may be; None for no limit."""
    return getattr(getattr(span, "_limits", None), "max_attribute_length", None)
