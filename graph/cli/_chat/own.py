"""What people name as `MODULE:NAME`: something of their own, in a module of the current folder."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from importlib import import_module
from inspect import isclass, ismodule, isroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from .._terminal.exit import bad_value

if TYPE_CHECKING:
    from types import ModuleType

    import typer

_MOST_NAMES: Final = 10
_SPEC: Final = re.compile(r"([^\W\d][\w.]*):([^\W\d]\w*)")


@dataclass(frozen=True, slots=True)
class Own:
    """A *name* in a *module*, and the *option* that says so.

    Args:
        module: The module's full name.
        name: The name in it.
        option: Such as `--model`, for what there is to say about it.
    """

    module: str
    name: str
    option: str

    @classmethod
    def parse(cls, spec: str, option: str) -> Self | None:
        """Read `MODULE:NAME`, or return `None` where *spec* is something else."""
        found = _SPEC.fullmatch(spec)
        return cls(module=found[1], name=found[2], option=option) if found else None

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"

    def load(self) -> Any:
        """Import the module, from the current folder first, and return what has the name.

        Raises:
            typer.BadParameter: There is no such module, or no such name.
            ModuleFailedError: The module cannot be imported for what is in it.
        """
        module = self._module()
        found = getattr(module, self.name, None)
        if found is None and hasattr(module, self.name):
            raise self.bad(f"'{self}' is None")
        if found is None:
            what = f"the module {self.module!r} has no {self.name!r}"
            raise self.bad(f"{what}; it has {', '.join(_names_in(module)) or 'nothing'}")
        return found

    def bad(self, message: str) -> typer.BadParameter:
        """Make the error that says what is wrong with it."""
        return bad_value(self.option, message)

    def _module(self) -> ModuleType:
        sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
        try:
            return import_module(self.module)
        except ModuleNotFoundError as error:
            if error.name and self.module.startswith(error.name):
                raise self.bad(f"there is no module {error.name!r}") from error
            raise ModuleFailedError(self, error) from error
        except Exception as error:
            raise ModuleFailedError(self, error) from error


class ModuleFailedError(Exception):
    """A module of the user's fails when it is imported.

    Args:
        chosen: What was named.
        error: What it has raised.

    Attributes:
        message: What has happened, without the option.
    """

    def __init__(self, chosen: Own, error: Exception) -> None:
        raised = f"{type(error).__name__}: {error}".removesuffix(": ")
        self.message = f"the module {chosen.module!r} fails when it is imported: {raised}"
        super().__init__(f"{chosen.option} {chosen}: {self.message}; --traceback shows where")


def _names_in(module: ModuleType) -> list[str]:
    """Return what there is to name instead: what the module has made itself, if it is not much."""
    found = vars(module).items()
    public = [name for name, value in found if name[0] != "_" and not ismodule(value)]
    own = [name for name in public if _is_own(module, getattr(module, name))]
    return [*own[:_MOST_NAMES], *(["more"] if len(own) > _MOST_NAMES else [])]


def _is_own(module: ModuleType, value: object) -> bool:
    is_defined = isclass(value) or isroutine(value)
    return getattr(value, "__module__", None) == module.__name__ if is_defined else True
