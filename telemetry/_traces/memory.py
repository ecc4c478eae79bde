"""What is looked up in a store and kept there, as the newest conventions' spans of memory.

Source: the span `gen_ai.memory.client`,
https://github.com/open-telemetry/semantic-conventions-genai
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import (
    INVALID_SPAN,
    SpanKind,
    Status,
    StatusCode,
    get_current_span,
    use_span,
)

from .._context.current import current
from .._semconv import names as semconv
from .._translation.outcome import error_type
from .._values.attributes import attribute_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from opentelemetry.trace import Span, Tracer

    from .._content.door import ContentDoor
    from .._diagnostics import Diagnostics

_TROUBLE: Final = "memory could not be traced"


@dataclass(frozen=True, slots=True)
class MemoryCall:
    """A call of a store.

    Attributes:
        operation: as the conventions name it.
        record_id: key of the record that it is about, where it is about one.
        query: what is looked for, in words; content.
        kept: what is put there; content.
        is_local: whether the store is in this process.
    """

    operation: str
    record_id: object = None
    query: object = None
    kept: object = None
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class MemoryWriter:
    """Writes calls of stores as spans, inside of runs and other spans.

    Args:
        tracer: makes the spans.
        door: lets content through, or not.
        diagnostics: counts what could not be written.
    """

    tracer: Tracer
    door: ContentDoor
    diagnostics: Diagnostics

    @contextmanager
    def span(self, call: MemoryCall) -> Iterator[Callable[[Sequence[Any]], None]]:
        """Have a span while a store is called; give what is told which records it found."""
        span: Span = INVALID_SPAN
        with self.diagnostics.contains(_TROUBLE):
            span = self._started(call)
        try:
            with use_span(span, record_exception=False, set_status_on_exception=False):
                yield lambda found: self._found(span, found)
        except BaseException as error:
            with self.diagnostics.contains(_TROUBLE):
                span.set_attribute(semconv.ERROR_TYPE, error_type(error))
                span.set_status(Status(StatusCode.ERROR, error_type(error)))
            raise
        finally:
            with self.diagnostics.contains(_TROUBLE):
                span.end()

    def _started(self, call: MemoryCall) -> Span:
        above = current()
        around = get_current_span(above)
        if not around.get_span_context().is_valid:
            return around
        about = {} if call.record_id is None else {semconv.MEMORY_RECORD_ID: call.record_id}
        span = self.tracer.start_span(
            call.operation,
            above,
            kind=SpanKind.INTERNAL if call.is_local else SpanKind.CLIENT,
            attributes={
                semconv.OPERATION_NAME: call.operation,
                **{name: attribute_text(value) for name, value in about.items()},
            },
        )
        self._write(span, semconv.MEMORY_QUERY, call.query)
        self._write(span, semconv.MEMORY_RECORDS, call.kept)
        return span

    def _found(self, span: Span, records: Sequence[Any]) -> None:
        with self.diagnostics.contains(_TROUBLE):
            span.set_attribute(semconv.MEMORY_RECORD_COUNT, len(records))
            self._write(span, semconv.MEMORY_RECORDS, records or None)

    def _write(self, span: Span, name: str, content: object) -> None:
        passed = self.door.on_span(name, lambda: content) if content is not None else None
        if passed is not None:
            span.set_attribute(name, passed.text)
