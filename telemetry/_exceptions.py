"""An exception that left a run, as attributes and as a span event (pure)."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Final, TypeAlias

from . import _semconv as semconv
from ._outcome import error_type

if TYPE_CHECKING:
    from types import CodeType

    from ._attributes import AttributeValue
    from ._content import ContentDoor

_MAX_FRAMES: Final = 50

Signature: TypeAlias = "tuple[int, str, CodeType | None, int]"


def signature(error: BaseException) -> Signature:
    """Return what tells an exception apart without keeping it, and its frames, alive.

    An id alone may be used again; the place where the exception arose stays the innermost
    one of its traceback however far it travels.
    """
    innermost = error.__traceback__
    while innermost is not None and innermost.tb_next is not None:
        innermost = innermost.tb_next
    if innermost is None:
        return id(error), error_type(error), None, 0
    return id(error), error_type(error), innermost.tb_frame.f_code, innermost.tb_lineno


def exception_attributes(error: BaseException, door: ContentDoor) -> dict[str, AttributeValue]:
    """Return the attributes of an `exception` span event.

    The message is content. So are the traceback's lines of source, which may hold literals:
    the stack trace has files, lines and functions only.

    Source: https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/
    """
    attributes: dict[str, AttributeValue] = {
        semconv.EXCEPTION_TYPE: full_name(type(error)),
        semconv.EXCEPTION_STACKTRACE: stack_trace(error),
    }
    message = door.on_span(semconv.EXCEPTION_MESSAGE, lambda: str(error))
    return attributes | ({semconv.EXCEPTION_MESSAGE: message.text} if message else {})


def stack_trace(error: BaseException) -> str:
    """Return where an exception arose: files, lines and functions, and its class."""
    frames = traceback.walk_tb(error.__traceback__)
    summary = traceback.StackSummary.extract(frames, limit=-_MAX_FRAMES, lookup_lines=False)
    lines = [f'  File "{f.filename}", line {f.lineno}, in {f.name}' for f in summary]
    return "\n".join(["Traceback (most recent call last):", *lines, full_name(type(error))])


def full_name(kind: type[BaseException]) -> str:
    """Return the name of an exception's class, with its module."""
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
