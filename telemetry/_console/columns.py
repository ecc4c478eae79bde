"""Which columns of a table a terminal has room for (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

_BETWEEN: Final = 2
# A name is cut before any column is left out, but not shorter than this.
NAME_WIDTH: Final = 24


def width_of(head: str, cells: Iterable[str]) -> int:
    """Return how wide a column is: its head or its widest cell, and the space behind it."""
    return max(cell_len(head), max(map(cell_len, cells), default=0)) + _BETWEEN


def left_out(widths: Mapping[str, int], room: int, least: Sequence[str]) -> Collection[str]:
    """Return the columns to leave out, so that the others have room.

    Args:
        widths: of each column by its head.
        room: how wide the terminal is.
        least: which may be left out, the least important first.
    """
    out: set[str] = set()
    for head in least:
        if sum(width for name, width in widths.items() if name not in out) - _BETWEEN <= room:
            break
        if head in widths:
            out.add(head)
    return out
