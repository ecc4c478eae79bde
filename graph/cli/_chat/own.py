"""What people name as `MODULE:NAME`: something of their own, in a module of the current folder."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from .._terminal.exit import bad_value

if TYPE_CHECKING:
    from types import ModuleType

    import typer

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
        """
        found = getattr(self._module(), self.name, None)
        if found is None:
            raise self.bad(f"the module {self.module!r} has no {self.name!r}")
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
            raise
