"""The attempts of a node's retry policy: numbered, and told apart from what was torn down."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from langgraph.errors import NodeCancelledError, NodeTimeoutError

from .._translation.kinds import RunKind
from .._translation.outcome import Outcome

if TYPE_CHECKING:
    from .._translation.ending import Ending
    from .run import Run

_MAX_PLACES: Final = 1_024
_NS: Final = 1e9
# What a node's attempts share; an error handler's is beneath its node's.
_PLACE: Final = "langgraph_checkpoint_ns"


class NodeAttempts:
    """The attempts of the nodes of one run of a graph.

    LangGraph reports a node that it timed out as cancelled, and does so before or after the
    next attempt starts. What its graph does next shows why a node was cancelled.
    """

    __slots__ = ("_latest", "_undecided")

    def __init__(self) -> None:
        self._latest: OrderedDict[str, Run] = OrderedDict()
        self._undecided: dict[Run, Ending] = {}

    def begin(self, node: Run) -> list[tuple[Run, Ending]]:
        """Number an attempt; return earlier ones of which it shows that they have timed out."""
        place = str(node.start.metadata.get(_PLACE))
        earlier = self._latest.pop(place, None)
        node.number(1 if earlier is None or earlier.attempt is None else earlier.attempt + 1)
        for failed in (earlier, self._latest.get(place.rpartition("|")[0])):
            if failed is not None:
                failed.give_up()
        self._latest[place] = node
        if len(self._latest) > _MAX_PLACES:
            self._latest.popitem(last=False)
        if not self._undecided:
            return []
        shown = [cancelled for cancelled in self._undecided if _is_shown_by(node, cancelled)]
        return [(cancelled, _timed_out(self._undecided.pop(cancelled))) for cancelled in shown]

    def end(self, node: Run, ending: Ending) -> Ending | None:
        """Return how an attempt ended; None where it is not known yet."""
        if ending.outcome is Outcome.CANCELLED and not ending.is_torn_down:
            if node.is_given_up:
                return _timed_out(ending)
            self._undecided[node] = ending
            return None
        place = str(node.start.metadata.get(_PLACE))
        if ending.outcome is not Outcome.ERROR and self._latest.get(place) is node:
            del self._latest[place]
        return ending

    def close(self) -> dict[Run, Ending]:
        """Return what is undecided at the end of the graph, and forget all."""
        undecided, self._undecided = self._undecided, {}
        self._latest.clear()
        return undecided


class NodeRetries:
    """The attempts of the nodes of every open graph.

    Attributes:
        of_graphs: those of the nodes of each.
    """

    def __init__(self) -> None:
        self.of_graphs: dict[Run, NodeAttempts] = {}

    def new(self, graph: Run) -> NodeAttempts:
        """Return what keeps the attempts of the nodes of an open graph, from its first node on."""
        return self.of_graphs.setdefault(graph, NodeAttempts())

    def close(self, graph: Run) -> dict[Run, Ending]:
        """Return what is undecided at the end of a graph, and forget all of it."""
        attempts = self.of_graphs.pop(graph, None)
        return attempts.close() if attempts is not None else {}

    def clear(self) -> None:
        """Forget every graph."""
        self.of_graphs.clear()


def failed_in(node: Run, error: BaseException | None, at: int) -> bool:
    """Say whether what ended a graph is why the node was cancelled at that time.

    Args:
        node: that was cancelled, or is still open.
        error: that ended its graph.
        at: when the node ended, in ns of the monotonic clock.
    """
    if not isinstance(error, NodeTimeoutError | NodeCancelledError):
        return False
    if node.kind is not RunKind.NODE or node.start.metadata.get("langgraph_node") != error.node:
        return False
    # Of several nodes of that name, those that had not run for so long were only torn down.
    limit = error.timeout if isinstance(error, NodeTimeoutError) else 0
    return at - node.started_at >= limit * _NS


def _is_shown_by(node: Run, cancelled: Run) -> bool:
    # In a later step the graph has gone on, which it does not where a node was torn down.
    return cancelled.is_given_up or _step(cancelled) < _step(node)


def _step(node: Run) -> int:
    step = node.start.metadata.get("langgraph_step")
    return step if isinstance(step, int) else 0


def _timed_out(ending: Ending) -> Ending:
    error_type = NodeTimeoutError.__qualname__
    return replace(ending, outcome=Outcome.ERROR, error_type=error_type)
