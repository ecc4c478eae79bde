"""How large a request may be, and what a span goes without that is too large alone."""

from __future__ import annotations

from typing import Final

from .._semconv import names as semconv

MOST_BYTES: Final = 2 << 20
CONTENT: Final = frozenset(
    (
        semconv.INPUT_MESSAGES,
        semconv.OUTPUT_MESSAGES,
        semconv.SYSTEM_INSTRUCTIONS,
        semconv.TOOL_DEFINITIONS,
        semconv.TOOL_CALL_ARGUMENTS,
        semconv.TOOL_CALL_RESULT,
        semconv.RETRIEVAL_QUERY,
        semconv.RETRIEVAL_DOCUMENTS,
        semconv.INPUT_VALUE,
        semconv.OUTPUT_VALUE,
        semconv.EXCEPTION_MESSAGE,
        semconv.EXCEPTION_STACKTRACE,
        semconv.LANGGRAPH_INTERRUPT_VALUES,
        semconv.WINDOW_TEXT,
    )
)
# Whatever else makes a span too large is text of such a length.
LONG: Final = 4_096
