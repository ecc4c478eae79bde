"""Puts wrappers in the place of functions, and the functions back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class _Patch(NamedTuple):
    owner: Any
    name: str
    original: Any
    wrapper: Any


class Patches:
    """What was replaced, until it is put back."""

    def __init__(self) -> None:
        self._patches: list[_Patch] = []

    def wrap(self, owner: Any, name: str, wrap: Callable[[Any], Any]) -> bool:
        """Replace an attribute of a class or a module by what *wrap* makes of it.

        Returns:
            Whether there is such an attribute.
        """
        original = vars(owner).get(name)
        if original is None:
            return False
        wrapper = wrap(original)
        setattr(owner, name, wrapper)
        self._patches.append(_Patch(owner, name, original, wrapper))
        return True

    def undo(self) -> None:
        """Put everything back, but for what somebody else has wrapped in the meantime."""
        while self._patches:
            patch = self._patches.pop()
            if vars(patch.owner).get(patch.name) is patch.wrapper:
                setattr(patch.owner, patch.name, patch.original)
