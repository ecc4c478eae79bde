"""An exception that left a run, as attributes and as a span event (pure)."""

from __future__ import annotations

import traceback
from types import NoneType, WrapperDescriptorType
from typing import TYPE_CHECKING, Final, TypeAlias

from .._semconv import names as semconv
from .._values.numbers import fits_int64
from .._values.plain import clean_text
from .outcome import class_name, error_type

if TYPE_CHECKING:
    from types import CodeType

    from .._content.door import ContentDoor
    from .._values.attributes import AttributeValue

_MAX_FRAMES: Final = 50
_PLAIN_TYPES: Final = (str, float, bool, NoneType)

Signature: TypeAlias = "tuple[int, str, CodeType | None, int]"


def signature(error: BaseException) -> Signature:
    """Return what identifies an exception without keeping it, and its frames, alive.

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
    message = door.on_span(semconv.EXCEPTION_MESSAGE, lambda: _message(error))
    return attributes | ({semconv.EXCEPTION_MESSAGE: message.text} if message else {})


def _message(error: BaseException) -> object:
    """Return what an exception says: its text where its author wrote one, or what it was given."""
    writes_itself = not isinstance(type(error).__str__, WrapperDescriptorType)
    if writes_itself or all(map(_is_plain, error.args)):
        return str(error)
    # Python's own exceptions would ask for the `repr` of each.
    return error.args[0] if len(error.args) == 1 else error.args


def _is_plain(arg: object) -> bool:
    # Python does not write out integers of any length.
    return type(arg) in _PLAIN_TYPES or (type(arg) is int and fits_int64(arg))


def stack_trace(error: BaseException) -> str:
    """Return where an exception arose: files, lines and functions, and its class."""
    frames = traceback.walk_tb(error.__traceback__)
    summary = traceback.StackSummary.extract(frames, limit=-_MAX_FRAMES, lookup_lines=False)
    lines = [f'  File "{f.filename}", line {f.lineno}, in {f.name}' for f in summary]
    trace = ["Traceback (most recent call last):", *lines, full_name(type(error))]
    # Names of files may have half characters in them.
    return clean_text("\n".join(trace))


def full_name(kind: type[BaseException]) -> str:
    """Return the name of an exception's class, with its module."""
    name, module = class_name(kind), kind.__module__
    return name if module == "builtins" else f"{module}.{name}"
