"""Prints the test that a trace becomes, and says what it cannot give."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from .recorded import calls_of, question_of
from .source import remarks, script_of

if TYPE_CHECKING:
    from ....telemetry.journal import JournalTrace
    from .._terminal.output import Output

_MOST_CALLS: Final = 1_000


class NoScriptError(Exception):
    """A trace cannot become a script."""


NoScriptError.__module__ = "nodespan.graph"


def write_script(output: Output, trace: JournalTrace) -> None:
    """Print the test that a trace becomes.

    Args:
        output: where to.
        trace: that was recorded with content.

    Raises:
        NoScriptError: it has no call of a model, or its content was not recorded.
    """
    trace_id = trace.summary.trace_id
    calls = calls_of(trace)
    if not calls:
        raise NoScriptError(f"the trace {trace_id} has no call of a chat model: nothing to script")
    if not any(call.is_recorded for call in calls):
        raise NoScriptError(
            f"the answers of the trace {trace_id} were not recorded; record them with "
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY, or "
            "capture_content='SPAN_ONLY', and run the program again"
        )
    output.write_exactly(script_of(trace_id, calls[:_MOST_CALLS], question_of(trace)))
    for number, call in enumerate(calls[:_MOST_CALLS], 1):
        for remark in remarks(call):
            sys.stderr.write(f"call {number}: {remark}\n")
    left = len(calls) - _MOST_CALLS
    if left > 0 or trace.dropped:
        sys.stderr.write(
            f"the script has the first {min(len(calls), _MOST_CALLS):,} calls; more were made\n"
        )
