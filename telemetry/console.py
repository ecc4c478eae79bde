"""Traces as people read them: the tree of one, and how its parts are written."""

from ._console.columns import NAME_WIDTH, left_out, width_of
from ._console.duration import duration, when
from ._console.span_details import Details
from ._console.trace_tree import TraceTree, styled_outcome

__all__ = [
    "NAME_WIDTH",
    "Details",
    "TraceTree",
    "duration",
    "left_out",
    "styled_outcome",
    "when",
    "width_of",
]
