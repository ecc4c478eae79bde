"""The self-healing OpenTelemetry context.

LangChain runs end callbacks in other tasks and copied contexts, and a generator may be
finished from anywhere: nothing attached at a start can be detached at an end. So what is
attached reads as the run's span while the run's body may be executing, and as what lay
beneath it afterwards, in whatever task or thread copies of it live.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from opentelemetry.context import Context, attach, create_key, get_current
from opentelemetry.trace import Span, set_span_in_context

if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterator, KeysView, ValuesView
    from uuid import UUID

_RUN_KEY: Final = create_key("nodespan-run")


class Body:
    """Whether a run's body may be executing."""

    __slots__ = ("executing",)

    def __init__(self) -> None:
        self.executing = True


class RunContext(Context):
    """What is current in a run's body; once the body is left, what was current before it.

    Args:
        run_id: of the run.
        span: of the run.
        beneath: what was current when the run started; all of it but the span stays visible.
    """

    __slots__ = ("beneath", "body")

    def __init__(self, run_id: UUID, span: Span, beneath: Context) -> None:
        super().__init__(set_span_in_context(span, beneath))
        dict.__setitem__(self, _RUN_KEY, run_id)
        self.body = Body()
        self.beneath = beneath

    def resolved(self) -> Context:
        """Return the innermost context whose body may be executing."""
        context: Context = self
        while isinstance(context, RunContext) and not context.body.executing:
            context = context.beneath
        return context

    def get(self, key: str, default: object = None) -> object:
        """Return the value of *key*, or *default*."""
        return dict.get(self.resolved(), key, default)

    def copy(self) -> dict[str, object]:
        """Return the values as a plain dictionary."""
        return dict(dict.items(self.resolved()))

    def keys(self) -> KeysView[str]:  # type: ignore[override]  # dict's own class is not public
        """Return the keys."""
        return self.copy().keys()

    def values(self) -> ValuesView[object]:  # type: ignore[override]  # as above
        """Return the values."""
        return self.copy().values()

    def items(self) -> ItemsView[str, object]:  # type: ignore[override]  # as above
        """Return the items."""
        return self.copy().items()

    def __getitem__(self, key: str) -> object:
        return dict.__getitem__(self.resolved(), key)

    def __contains__(self, key: object) -> bool:
        return dict.__contains__(self.resolved(), key)

    def __iter__(self) -> Iterator[str]:
        return iter(self.copy())

    def __len__(self) -> int:
        return dict.__len__(self.resolved())

    def __eq__(self, other: object) -> bool:
        return self.copy() == other

    __hash__ = None  # type: ignore[assignment]  # as dict

    def __repr__(self) -> str:
        return repr(self.copy())


def attach_body(run_id: UUID, span: Span) -> Body:
    """Make *span* current for the body that the caller is about to run."""
    context = RunContext(run_id, span, current())
    attach(context)
    return context.body


def current() -> Context:
    """Return what is current, without the layers of runs that are over."""
    context = get_current()
    return context.resolved() if isinstance(context, RunContext) else context


def run_id_in(context: Context) -> UUID | None:
    """Return the id of the run whose body *context* is in."""
    return cast("UUID | None", context.get(_RUN_KEY))


def context_beneath(run_id: UUID, span: Span) -> Context:
    """Return the context in which a child of the run *run_id* starts.

    In the run's own body what is current counts: the run's span, or one that the application
    has opened there. Elsewhere it is what is current, with the run's *span* in it.
    """
    context = current()
    return context if run_id_in(context) == run_id else set_span_in_context(span, context)
