"""The reference that the README of a package ends with: its public names, as the code says."""

from __future__ import annotations

import enum
import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from nodespan.model import CustomChatModel

from . import docstrings
from .name_tables import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .docstrings import Docstring

_WIDTH: Final = 100
_OURS: Final = "nodespan."
# What LangChain and pydantic call is no part of what people do.
_HIDDEN: Final = ("_", "on_", "is_lc_", "lc_", "model_")


def reference(module: str) -> str:
    """Return the reference of a module's `__all__`, in Markdown: errors as a table, at the end."""
    public = import_module(module)
    named = {name: getattr(public, name) for name in public.__all__}
    errors = {name: value for name, value in named.items() if _is_error(value)}
    parts = [_entry(name, value) for name, value in named.items() if name not in errors]
    return "\n\n".join(parts + ([_errors(errors)] if errors else []))


def _is_error(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def _entry(name: str, value: Any) -> str:
    told = docstrings.read(value)
    parts = [f"### `{name}`", _fenced(_signature(name, value, told)), told.text, *_notes(told)]
    if inspect.isclass(value):
        parts.append(_members(value))
    return "\n\n".join(part for part in parts if part)


def _fenced(signature: str) -> str:
    return "```pyi\n{}\n```".format(signature.replace("'", '"'))


def _notes(told: Docstring) -> Iterator[str]:
    for head in ("Args", "Attributes"):
        yield "\n".join(_list(told.items.get(head, {})))
    if "Returns" in told.notes:
        yield f"Returns: {told.notes['Returns']}"
    raised = told.items.get("Raises", {})
    if raised:
        yield "\n".join(["Raises:", "", *_list(raised)])
    if "Source" in told.notes:
        yield f"Source: <{told.notes['Source']}>"


def _list(items: dict[str, str]) -> list[str]:
    return [f"- `{name}`: {text}" for name, text in items.items()]


def _signature(name: str, value: Any, told: Docstring) -> str:
    if isinstance(value, type) and issubclass(value, enum.Enum):
        return "\n".join([f"class {name}:", *(f"    {one.name} = {one.value!r}" for one in value)])
    if isinstance(value, type) and issubclass(value, BaseModel):
        return _laid_out(name, list(_of_model(value, told)), "")
    signature = inspect.signature(value)
    returned = signature.return_annotation
    says = "" if inspect.isclass(value) or returned is inspect.Signature.empty else returned
    return _laid_out(name, list(_parameters(signature)), f" -> {says}" if says else "")


def _of_model(model: type[BaseModel], told: Docstring) -> Iterator[str]:
    """Yield what a model takes, first what its own `__init__` takes by position."""
    made = vars(model).get("__init__")
    own = inspect.signature(made).parameters.values() if made is not None else ()
    positional = {one.name: one.annotation for one in own if one.kind is one.POSITIONAL_OR_KEYWORD}
    positional.pop("self", None)
    yield from (f"{name}: {annotation}" for name, annotation in positional.items())
    yield "*"
    yield from (one for one in _fields(model, told) if one.partition(":")[0] not in positional)


def _fields(model: type[BaseModel], told: Docstring) -> Iterator[str]:
    """Yield what a model takes: the fields that its docstring names, as they are declared."""
    declared: dict[str, str] = {}
    for base in reversed(model.__mro__):
        declared |= inspect.get_annotations(base)
    for name in told.items["Args"]:
        if name in model.model_fields:
            field = model.model_fields[name]
            default = "" if field.is_required() else f" = {_default(field.default)}"
            if field.default_factory is not None:
                default = " = ..."
            yield f"{name}: {declared[name]}{default}"
        else:
            yield name


def _parameters(signature: inspect.Signature) -> Iterator[str]:
    """Yield the parameters; those without a place of their own stand after a `*`."""
    has_star = False
    for one in signature.parameters.values():
        if one.name in ("self", "cls"):
            continue
        if one.kind is one.KEYWORD_ONLY and not has_star:
            has_star = True
            yield "*"
        has_star = has_star or one.kind is one.VAR_POSITIONAL
        stars = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
        default = "" if one.default is one.empty else f" = {_default(one.default)}"
        yield f"{stars}{one.name}: {one.annotation}{default}"


def _default(value: Any) -> str:
    return f"{value:_}" if type(value) is int else repr(value)


def _laid_out(name: str, parameters: list[str], returned: str) -> str:
    in_one_line = f"{name}({', '.join(parameters)}){returned}"
    if len(in_one_line) <= _WIDTH:
        return in_one_line
    return "\n".join([f"{name}(", *(f"    {one}," for one in parameters), f"){returned}"])


def _members(kind: type) -> str:
    """Return what a class has beside its parameters: our own methods and properties."""
    told = [
        f"- `.{name}{_call(value)}`: {docstrings.read(value).summary}"
        for each in (kind, *_private_bases(kind))
        for name, value in vars(each).items()
        if not name.startswith(_HIDDEN) and _is_member(value) and not _is_written(kind, name)
    ]
    return "\n".join(["Methods and properties:", "", *told]) if told else ""


def _private_bases(kind: type) -> list[type]:
    """Return the bases that a class of ours has to itself, because nobody else is to know them."""
    return [base for base in kind.__bases__ if base.__module__.startswith(f"{_OURS}model._")]


def _is_written(kind: type, name: str) -> bool:
    """Say whether a method is what the author of a model writes: nobody else calls it."""
    return name in ("respond", "arespond") and kind is not CustomChatModel


def _is_member(value: Any) -> bool:
    is_one = isinstance(value, property | classmethod) or inspect.isfunction(value)
    return is_one and bool(value.__doc__)


def _call(value: Any) -> str:
    if isinstance(value, property):
        return ""
    signature = inspect.signature(inspect.unwrap(getattr(value, "__func__", value)))
    names = (one.partition(":")[0] for one in _parameters(signature))
    return f"({', '.join(names)})"


def _errors(errors: dict[str, type[BaseException]]) -> str:
    rows = (
        (f"`{name}`", _bases(error), docstrings.read(error).summary)
        for name, error in errors.items()
    )
    return "### Errors\n\n" + table(("error", "is a", "meaning"), rows)


def _bases(error: type[BaseException]) -> str:
    return ", ".join(
        f"`{base.__name__}`" if base.__module__.startswith((_OURS, "builtins")) else "LangChain's"
        for base in error.__bases__
    )
