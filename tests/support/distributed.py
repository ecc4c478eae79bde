"""The spans of several programs, as a receiver has them, as a tree of lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

_ERROR: Final = 2


def tree(groups: Iterable[ResourceSpans]) -> list[str]:
    """Return a line a span: its program's name, its own, what was wrong, indented by two."""
    spans = {span.span_id: (service, span) for service, span in _spans(groups)}
    beneath: dict[bytes, list[bytes]] = {}
    for span_id, (_, span) in sorted(spans.items(), key=lambda each: _start(each[1][1])):
        above = span.parent_span_id if span.parent_span_id in spans else b""
        beneath.setdefault(above, []).append(span_id)

    def lines(above: bytes, indent: str) -> Iterator[str]:
        for span_id in beneath.get(above, ()):
            service, span = spans[span_id]
            failed = f" [{_attribute(span, 'error.type')}]" if span.status.code == _ERROR else ""
            yield f"{indent}{service}: {span.name}{failed}"
            yield from lines(span_id, f"{indent}  ")

    return list(lines(b"", ""))


def _spans(groups: Iterable[ResourceSpans]) -> Iterator[tuple[str, Span]]:
    for group in groups:
        named = {each.key: each.value.string_value for each in group.resource.attributes}
        for scope in group.scope_spans:
            for span in scope.spans:
                yield named.get("service.name", ""), span


def _start(span: Span) -> int:
    return span.start_time_unix_nano


def _attribute(span: Span, name: str) -> str:
    return next((each.value.string_value for each in span.attributes if each.key == name), "error")
