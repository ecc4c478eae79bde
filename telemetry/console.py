"""Traces as people read them: the tree of one, and how its parts are written."""

from ._console.duration import duration, when
from ._console.span_details import Details
from ._console.trace_tree import TraceTree, styled_outcome

__all__ = ["Details", "TraceTree", "duration", "styled_outcome", "when"]
