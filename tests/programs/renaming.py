"""Renames what a library has, as its next release may, everywhere in that library.

What the library itself does with a name goes on; only who takes the old name finds nothing.
"""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from inspect import unwrap
from types import CodeType, FunctionType, ModuleType
from typing import Any

RENAMED = "renamed_by_upstream"


def take_away(module: str, path: str, *, frame: bool = False, local: str = "") -> None:
    """Take a name away: a module, what is in it, a frame on the stack, or a local variable."""
    gc.unfreeze()
    if frame:
        _rename_frame(import_module(module), path, local)
    elif path:
        _rename(module.partition(".")[0], path.rpartition(".")[2])
    else:
        parent, _, name = module.rpartition(".")
        sys.modules[module] = None  # type: ignore[assignment]  # how an import is forbidden
        delattr(sys.modules[parent], name)


def _rename(library: str, name: str) -> None:
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and _is_of(library, each.__module__):
            each.__code__ = _renamed(each.__code__, name)
        if _has_names(each, library):
            _move(each, name)


def _has_names(each: Any, library: str) -> bool:
    """Say whether it is of the library: a class, a module, or an object made when imported."""
    if isinstance(each, type):
        return _is_of(library, each.__module__)
    if isinstance(each, ModuleType):
        return _is_of(library, each.__name__)
    # What others make of their objects is not plain enough to be changed in passing.
    return library == "opentelemetry" and _is_of(library, type(each).__module__)


def _move(owner: Any, name: str) -> None:
    if name in getattr(owner, "__dict__", ()):
        value = vars(owner)[name]
        delattr(owner, name)
        setattr(owner, RENAMED, value)


def _renamed(code: CodeType, name: str) -> CodeType:
    names = tuple(RENAMED if each == name else each for each in code.co_names)
    consts = tuple(_renamed_const(each, name) for each in code.co_consts)
    return code.replace(co_names=names, co_consts=consts)


def _renamed_const(value: Any, name: str) -> Any:
    if isinstance(value, CodeType):
        return _renamed(value, name)
    return RENAMED if type(value) is str and value == name else value


def _rename_frame(module: Any, path: str, local: str) -> None:
    function = module
    for name in path.partition(".<locals>")[0].split("."):
        function = getattr(function, name)
    function = unwrap(function)
    function.__code__ = _renamed_frame(function.__code__, path, local)


def _renamed_frame(code: CodeType, path: str, local: str) -> CodeType:
    consts = tuple(
        _renamed_frame(each, path, local) if isinstance(each, CodeType) else each
        for each in code.co_consts
    )
    if code.co_qualname != path:
        return code.replace(co_consts=consts)
    if local:
        changed = {
            part: tuple(RENAMED if each == local else each for each in getattr(code, part))
            for part in ("co_varnames", "co_cellvars")
        }
        return code.replace(**changed)  # type: ignore[arg-type]  # both are tuples of text
    return code.replace(co_consts=consts, co_name=RENAMED, co_qualname=RENAMED)


def _is_of(library: str, module: Any) -> bool:
    return isinstance(module, str) and module.partition(".")[0] == library
