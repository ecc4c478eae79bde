"""The self-healing OpenTelemetry context.

LangChain runs end callbacks in other tasks and copied contexts, and a generator may be
finished from anywhere: nothing attached at a start can be detached at an end. So what is
attached reads as the run's span while the run's body may be executing, and as what lay
beneath it afterwards, in whatever task or thread copies of it live.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context, attach, create_key, get_current
from opentelemetry.trace import INVALID_SPAN, Span, set_span_in_context

from .callers import current_task
from .stack import is_called_by, starting_frame

if TYPE_CHECKING:
    import asyncio
    from collections.abc import ItemsView, Iterator, KeysView, ValuesView
    from weakref import ref

    from .watches import TaskWatch

_RUN_KEY: Final = create_key("nodespan-run")
# To put two values into a context in one; the key itself is OpenTelemetry's own.
_SPAN_KEY: Final = next(iter(set_span_in_context(INVALID_SPAN, Context())))


class Body:
    """What is current in a run's body, for as long as that may be executing.

    Args:
        waiting: a task that only waits for the body, which other tasks execute.
        starter: the frame that has started the run, where LangChain does not pass the run on to
            what its body calls.

    Attributes:
        inside: what is current in it; None before its span has started, and once it is left.
        run_id: the integer of the run's id; None until its span has started.
        starter: as above.
        waiting: as above.
        task_watch: of the task that executes it, where nobody else would report that this was
            cancelled.
    """

    __slots__ = ("inside", "run_id", "starter", "task_watch", "waiting")

    def __init__(
        self, waiting: ref[asyncio.Task[Any]] | None = None, starter: int | None = None
    ) -> None:
        self.inside: Context | None = None
        self.waiting = waiting
        self.run_id: int | None = None
        self.starter = starter
        self.task_watch: TaskWatch | None = None

    @property
    def is_waited_for(self) -> bool:
        """Whether the task that has started the run only waits for the body."""
        return self.waiting is not None

    def leave(self) -> None:
        """Say that the body is left for good, and let go of the span."""
        self.inside = None

    def end(self) -> None:
        """Say the same, where the task may be watched no longer: in the code of its run."""
        self.inside = None
        if self.task_watch is not None:
            self.task_watch.stop()
            self.task_watch = None

    @property
    def context(self) -> Context | None:
        """What is current here; None where this is not, or no longer, in the body."""
        context = self.inside  # read once: another thread may leave the body
        if context is None or self.waiting is None:
            return context
        return context if self.waiting() is not current_task() else None


class RunContext(Context):
    """What is current in a run's body; once the body is left, what was current before it.

    It holds nothing itself: the contexts of tasks that live long keep it, not the span.

    Args:
        body: of the run.
        beneath: what was current when the run started.
    """

    __slots__ = ("beneath", "body")

    def __init__(self, body: Body, beneath: Context) -> None:
        super().__init__()
        self.body = body
        self.beneath = beneath

    def healed(self) -> Context:
        """Return the innermost layer whose body may be executing."""
        context: Context = self
        while isinstance(context, RunContext) and context.body.context is None:
            context = context.beneath
        return context

    def resolved(self) -> Context:
        """Return what is current as a context that does not change."""
        context: Context = self
        while isinstance(context, RunContext):
            inside = context.body.context
            context = context.beneath if inside is None else inside
        return context

    def get(self, key: str, default: object = None) -> object:
        """Return the value of *key*, or *default*."""
        return self.resolved().get(key, default)

    def copy(self) -> dict[str, object]:
        """Return the values as a plain dictionary."""
        return dict(self.resolved())

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
        return self.resolved()[key]

    def __contains__(self, key: object) -> bool:
        return key in self.resolved()

    def __iter__(self) -> Iterator[str]:
        return iter(self.copy())

    def __len__(self) -> int:
        return len(self.resolved())

    def __bool__(self) -> bool:
        return bool(self.resolved())

    def __eq__(self, other: object) -> bool:
        return self.copy() == other

    __hash__ = None  # type: ignore[assignment]  # as dict

    def __repr__(self) -> str:
        return repr(self.copy())


def reserve_body() -> Body:
    """Keep a place in the context of here for the body of a run that will be reported elsewhere."""
    body = Body()
    attach(RunContext(body, current()))
    return body


def attach_body(  # noqa: PLR0913 - the last two are what the caller has looked at already
    run_id: int,
    span: Span,
    waiting: ref[asyncio.Task[Any]] | None = None,
    reserved: Body | None = None,
    *,
    beneath: Context | None = None,
    starter: int | None = None,
) -> Body:
    """Make *span* current for the body that the caller is about to run.

    Args:
        run_id: the integer of the run's id.
        span: of the run; all else that is current stays visible.
        waiting: see `Body`.
        reserved: the place that was kept for it, if one was.
        beneath: what `current` returns here, where that is known.
        starter: see `Body`.
    """
    if beneath is None:
        beneath = current()
    plain = beneath
    if isinstance(plain, RunContext):
        plain = plain.body.inside or plain.resolved()
    inside = Context({**plain, _RUN_KEY: run_id, _SPAN_KEY: span})
    body = reserved if reserved is not None else Body(waiting, starter)
    body.run_id, body.inside = run_id, inside
    if reserved is None:
        attach(RunContext(body, beneath))
    return body


def current() -> Context:
    """Return what is current, without the layers of runs that are over."""
    context = get_current()
    while isinstance(context, RunContext):
        body = context.body
        # What `context` says, in place where nobody waits: each start of a run asks.
        if body.inside is not None and (body.waiting is None or body.context is not None):
            break
        context = context.beneath
    return context


def run_id_in(context: Context) -> int | None:
    """Return the integer of the id of the run whose body *context* is in."""
    run_id: Any = context.get(_RUN_KEY)  # no cast: it is a call, and each start of a run asks
    return run_id  # type: ignore[no-any-return]  # only ours are under that key


def run_id_around(context: Context) -> int | None:
    """Return the integer of the id of the run in whose body a run starts, unknown to LangChain.

    It does not know of the spans that the application opens, nor of calls that a model makes.
    None where it knows better.

    Args:
        context: that is current.
    """
    if not isinstance(context, RunContext):
        return run_id_in(context)
    body = context.body
    if body.starter is None or not (body.is_waited_for or is_called_by(body.starter)):
        return None
    return run_id_in(context)


def context_of_root(context: Context) -> Context:
    """Return the context in which a run without a parent starts, of that which is current."""
    if not isinstance(context, RunContext):
        return context
    if context.body.starter is not None:
        # One call starts the runs of several prompts, and only then executes their bodies.
        while isinstance(context, RunContext) and context.body.starter == starting_frame():
            context = context.beneath
    return context.healed() if isinstance(context, RunContext) else context


def context_beneath(context: Context, run_id: int, span: Span) -> Context:
    """Return the context in which a child of the run *run_id* starts.

    In the run's own body what is current counts: the run's span, or one that the application
    has opened there. Elsewhere it is what is current, with the run's *span* in it.

    Args:
        context: that is current.
        run_id: of the run above.
        span: of the run above.
    """
    if isinstance(context, RunContext):
        is_inside = context.body.run_id == run_id
        context = context.body.inside or context.resolved()
    else:
        is_inside = context.get(_RUN_KEY) == run_id
    return context if is_inside else set_span_in_context(span, context)
