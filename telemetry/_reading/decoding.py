"""Spans in OTLP encoding as records, and as files that other backends read (pure)."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from .records import EventOfSpan, LinkOfSpan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

    from .records import Value

_KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
_STATUSES: Final = ("unset", "ok", "error")
_IDS: Final = ("traceId", "spanId", "parentSpanId")


def attributes_of(items: Iterable[Any]) -> dict[str, Value]:
    """Return OTLP's attributes as a dictionary."""
    return {item.key: _value(item.value) for item in items}


def kind_of(span: Span) -> str:
    """Return the kind of a span by its name in the specification."""
    return _KINDS[span.kind] if 0 <= span.kind < len(_KINDS) else _KINDS[0]


def status_of(span: Span) -> str:
    """Return the status of a span by its name in the specification."""
    code = span.status.code
    return _STATUSES[code] if 0 <= code < len(_STATUSES) else _STATUSES[0]


def events_of(span: Span) -> tuple[EventOfSpan, ...]:
    """Return the events of a span."""
    return tuple(
        EventOfSpan(event.name, event.time_unix_nano, attributes_of(event.attributes))
        for event in span.events
    )


def links_of(span: Span) -> tuple[LinkOfSpan, ...]:
    """Return the links of a span."""
    return tuple(
        LinkOfSpan(link.trace_id.hex(), link.span_id.hex(), attributes_of(link.attributes))
        for link in span.links
    )


def request_of(spans: Iterable[tuple[bytes, bytes, bytes]]) -> ExportTraceServiceRequest:
    """Return an OTLP request of spans.

    Args:
        spans: each with its resource and scope, in OTLP encoding, and itself.
    """
    request = ExportTraceServiceRequest()
    scopes: dict[tuple[bytes, bytes], ScopeSpans] = {}
    resources: dict[bytes, ResourceSpans] = {}
    for resource, scope, span in spans:
        found = scopes.get((resource, scope))
        if found is None:
            group = resources.get(resource)
            if group is None:
                group = resources[resource] = request.resource_spans.add()
                group.MergeFromString(resource)
            found = scopes[resource, scope] = group.scope_spans.add()
            found.MergeFromString(scope)
        found.spans.add().MergeFromString(span)
    return request


def as_json(request: ExportTraceServiceRequest) -> str:
    """Return an OTLP request as a line of OTLP's JSON.

    Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
    """
    document = MessageToDict(request, use_integers_for_enums=True)
    for group in document.get("resourceSpans", ()):
        for scope in group.get("scopeSpans", ()):
            for span in scope.get("spans", ()):
                _write_ids(span)
                for link in span.get("links", ()):
                    _write_ids(link)
    return json.dumps(document, ensure_ascii=False)


def _write_ids(fields: dict[str, Any]) -> None:
    """Write ids as hexadecimal digits: protobuf's own JSON has Base64."""
    for name in _IDS:
        if name in fields:
            fields[name] = b64decode(fields[name]).hex()


def _value(value: Any) -> Value:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    plain = getattr(value, kind)
    if kind == "array_value":
        return [_value(item) for item in plain.values]
    if kind == "kvlist_value":
        return {item.key: _value(item.value) for item in plain.values}
    return plain.hex() if kind == "bytes_value" else plain  # type: ignore[no-any-return]  # a plain value


def says(span: Span, text: str) -> bool:
    """Say whether a *text* in lower case stands in a span's name, attributes or events."""
    found: list[Mapping[str, Value]] = [attributes_of(span.attributes)]
    found += [event.attributes for event in events_of(span)]
    texts = [span.name, *(event.name for event in span.events)]
    texts += [
        value for attributes in found for value in attributes.values() if isinstance(value, str)
    ]
    return any(text in each.casefold() for each in texts)
