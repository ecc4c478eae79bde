"""The last lines of what is too long for the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment, Segments

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult


class Tail:
    """Renders as much of the end of something as the terminal has lines, and says what it leaves.

    Args:
        rendered: what is shown.
    """

    def __init__(self, rendered: RenderableType) -> None:
        self._rendered = rendered

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._rendered, options, pad=False)
        most = max(console.size.height - 1, 2)
        if len(lines) > most:
            left = len(lines) - most + 1
            lines = [[Segment(f"({left:,} lines above)")], *lines[left:]]
        for line in lines:
            yield Segments([*line, Segment.line()])
