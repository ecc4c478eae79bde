"""What rich shows on a terminal obeys no control character of what it shows."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from nodespan.graph.cli._terminal.console import PlainConsole

if TYPE_CHECKING:
    from rich.console import RenderableType

EVIL = "\x1b]52;c;x\x07 \x1b[2J \r \x08 \x9b1m \x7f \u2028 \u202e \u2066"
RICHS_OWN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def table() -> Table:
    """Make a table with such characters in each place."""
    made = Table(f"head{EVIL}", title=f"title{EVIL}", box=None)
    made.add_row(Text(f"cell{EVIL}", style="red"))
    return made


@pytest.mark.parametrize(
    "rendered", [f"[red]{EVIL}", Text(EVIL, style="red"), table(), Panel(EVIL, title=EVIL)]
)
@pytest.mark.parametrize("is_live", [False, True])
def test_it_shows_symbols(rendered: RenderableType, is_live: bool) -> None:
    """Whatever is rendered, and wherever in it they stand; rich's own colours are obeyed."""
    stream = io.StringIO()
    console = PlainConsole(
        file=stream, width=150, force_terminal=True, color_system="standard", _environ={}
    )
    if is_live:
        with Live(console=console, auto_refresh=False) as live:
            live.update(rendered, refresh=True)
    else:
        console.print(rendered)
    told = stream.getvalue()
    # Of rich's own, none clears the screen; `Live` returns to the beginning of a line.
    assert "\x1b[2J" not in told
    left = RICHS_OWN.sub("", told).replace("\r", "" if is_live else "\r")
    assert not OBEYED.search(left)
    assert "\u241b]52;c;x" in left
    assert "\x1b[31m" in told or isinstance(rendered, Panel)
