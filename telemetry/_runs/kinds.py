"""What a run is: decided once, when it starts, and revised by what starts beneath it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._context.stack import is_called_by_function
from .._translation.kinds import (
    HIDDEN_TAG,
    RunKind,
    chain_kind,
    graph_kind,
    is_graph_step,
    is_hidden,
    nested_graph_kind,
    shown,
)

if TYPE_CHECKING:
    from .._translation.start import Start
    from .run import Run

# Tags that LangChain gives to what runs in a sequence, a parallel or a branch.
_OF_STEPS: Final = ("seq:step:", "map:key:", "condition:", "branch:")
# Any two functions may have this name.
_ANONYMOUS: Final = "RunnableLambda"


def kind_of_chain(start: Start, parent: Run | None, graph: Any, *, shows_all: bool) -> RunKind:
    """Decide what a chain run is that starts now.

    Args:
        start: what is reported of it.
        parent: the run that it belongs to; None for a root.
        graph: whose run LangGraph starts; None where it starts none.
        shows_all: whether noise has spans, too.
    """
    hides = HIDDEN_TAG in start.tags
    if not hides and start.name != "__start__" and is_graph_step(start):
        return RunKind.NODE  # as `chain_kind` would say: most runs are nodes
    # What it is beneath: a model, and the like, has not what is inherited.
    above = parent
    while above is not None and above.kind.is_leaf and above.parent is not None:
        above = above.parent
    start_above = above.start if above is not None else None
    # What hides a root hides all of a call, and is inherited: then there is nothing to tell apart.
    if hides and (parent is None or is_hidden(parent.root.start)):
        start, hides = shown(start), False
    kind = chain_kind(start, start_above)
    if kind is not RunKind.HIDDEN:
        return kind
    if graph is not None and not hides:
        return nested_graph_kind(graph, start, start_above)
    return RunKind.RUNNABLE if shows_all else RunKind.HIDDEN


def kind_of_shown_graph(run: Run) -> RunKind | None:
    """Say what a run is that has shown itself to be a graph; None where that was known."""
    if not run.kind.is_undecided:
        return None
    return graph_kind(run.start, run.parent.start_around if run.parent is not None else None)


def kind_shown_by(child: Run, parent: Run) -> RunKind | None:
    """Say what a run that starts shows the one above it to be; None where it shows nothing."""
    if child.kind is RunKind.NODE:
        return kind_of_shown_graph(parent) if is_graph_step(child.start) else None
    return RunKind.ATTEMPTS if _shows_attempts(child, parent) else None


def is_attempt_beside(around: Run, parent_run_id: int, start: Start) -> bool:
    """Say whether a run is an attempt of another that it is reported beside of.

    Args:
        around: the run in which it is executed.
        parent_run_id: of the run that is reported as its parent.
        start: of the run.
    """
    is_beside = around.parent is not None and around.parent.run_id == parent_run_id
    return is_beside and (around.kind is RunKind.ATTEMPTS or around.start.name == start.name)


def _shows_attempts(child: Run, above: Run) -> bool:
    """Say whether a run is that of `with_retry` or `with_fallbacks`, judged by its first child.

    `with_retry` runs under the name of what it retries, and hands its own input on; so does
    `with_fallbacks` where it was given a name. A function may do so, too, but it is on the stack.
    """
    if not above.kind.is_undecided or above.started:
        return False
    name = child.start.name or (child.start.serialized or {}).get("name")
    if name != above.start.name or name == _ANONYMOUS:
        return False
    is_step = any(tag.startswith(_OF_STEPS) for tag in child.start.tags)
    hands_on = child.start.given in (None, above.start.given) and not is_step
    return hands_on and not is_called_by_function()
