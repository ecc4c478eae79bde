"""What a table of names is made of: the uses, and the names that each needs."""

from __future__ import annotations

import sys
from enum import Enum, auto
from functools import reduce
from importlib import import_module
from inspect import unwrap
from types import CodeType
from typing import Any, NamedTuple

from .._diagnostics import switch_off


class Kind(Enum):
    """Where a name stands."""

    OBJECT = auto()
    """In a module or a class, or it is a module."""

    MEMBER = auto()
    """In each object of a class; only those that are met show whether it is there."""

    FRAME = auto()
    """It is what a frame on the stack is known by, and the module may not be imported yet."""


class Name(NamedTuple):
    """A name that a library does not promise to keep.

    Attributes:
        module: that has it.
        path: to it from there; empty for the module itself.
        kind: where it stands.
        local: a local variable of the frame, where it is one that is asked for.
    """

    module: str
    path: str = ""
    kind: Kind = Kind.OBJECT
    local: str = ""

    def __str__(self) -> str:
        return ".".join(filter(None, (self.module, self.path, self.local)))

    def find(self) -> Any:
        """Return what has the name.

        Raises:
            ImportError: there is no such module.
            AttributeError: there is no such name in it.
        """
        return reduce(getattr, filter(None, self.path.split(".")), import_module(self.module))

    @property
    def is_gone(self) -> bool:
        """Whether a module that is imported has no such frame, as far as one can tell."""
        module: Any = sys.modules.get(self.module)
        if module is None:
            return False
        outer, _, inner = self.path.partition(".<locals>")
        try:
            code = unwrap(reduce(getattr, outer.split("."), module)).__code__
        except AttributeError:
            return not _is_wrapped(module, outer)
        if code.co_filename != module.__file__:
            return False  # somebody has wrapped it, and does not say what
        if inner:
            code = next((each for each in _codes(code) if each.co_qualname == self.path), None)
        if code is None or code.co_qualname != self.path:
            return True
        return bool(self.local) and self.local not in (*code.co_varnames, *code.co_cellvars)


class Use(NamedTuple):
    """What names are used for.

    Attributes:
        names: that it takes, each of them.
        without: what happens when one is missing.
        is_replaced: whether a public way does the same then, if more slowly.
    """

    names: tuple[Name, ...]
    without: str
    is_replaced: bool = False

    def find(self) -> tuple[Any, ...] | None:
        """Return what has the names; None, which is said once, where one is missing."""
        try:
            return tuple(name.find() for name in self.names if name.kind is Kind.OBJECT)
        except (ImportError, AttributeError) as error:
            self.miss(error)
            return None

    def look_at_frames(self) -> bool:
        """Say so once, where a frame is gone; return whether there is more to look at later."""
        gone = [name for name in self.names if name.is_gone]
        if gone:
            self._say_gone(gone[0])
        return not gone and any(name.module not in sys.modules for name in self.names)

    def miss(self, error: ImportError | AttributeError | None = None) -> None:
        """Say once that a name is missing, as an *error* shows where there is one."""
        self._say_gone(next((name for name in self.names if _is_meant(name, error)), None))

    def _say_gone(self, name: Name | None) -> None:
        if not self.is_replaced:
            cause = f"there is no {name}" if name is not None else "the library works otherwise"
            switch_off(f"{self.without}: {cause}")


def frame_names(use: Use) -> frozenset[str]:
    """Return the qualified names of the frames that a use looks for on the stack."""
    return frozenset(name.path for name in use.names)


def _is_meant(name: Name, error: ImportError | AttributeError | None) -> bool:
    if name.kind is Kind.OBJECT:
        try:
            name.find()
        except (ImportError, AttributeError):
            return True
        return False
    return error is not None and name.path.rpartition(".")[2] == error.name


def _codes(code: CodeType) -> list[CodeType]:
    """Return the code of a function, and of all that is defined in it."""
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    return [code, *(found for each in inner for found in _codes(each))]


def _is_wrapped(module: Any, path: str) -> bool:
    """Say whether there is something of that name, though no function."""
    try:
        reduce(getattr, path.split("."), module)
    except AttributeError:
        return False
    return True
