"""The shapes that credentials come in (pure).

Like `credentials.py`, this file stands in two packages and is the same in both.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

REDACTED: Final = "REDACTED"

RULES: Final = json.loads(Path(__file__).with_name("credentials.json").read_text("utf-8"))


@cache
def compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Return a pattern, compiled where it is first needed: most programs need few of them."""
    return re.compile(pattern, flags)


class Shape(NamedTuple):
    """The shape of an issuer's credentials.

    Attributes:
        hint: stands in each; it is looked for first, since most texts lack most hints.
        before: how many characters of one may stand before its hint; fewer than none where the
            hint stands before it.
        mark: stands in each, too, and is looked for once for all shapes that have it.
        pattern: of the whole; where one of its groups is found, that alone is hidden.
    """

    hint: str
    before: tuple[int, ...]
    mark: str
    pattern: str

    def hidden(self, text: str) -> str:
        """Replace what has this shape: it is tried only where its hint stands."""
        match = compiled(self.pattern, re.DOTALL).match
        kept, done, at = [], 0, text.find(self.hint)
        while at >= 0:
            starts = (at - before for before in self.before)
            found = next(
                (one for start in starts if start >= done and (one := match(text, start))), None
            )
            if found:
                begin, end = found.span(found.lastindex or 0)
                kept += [text[done:begin], REDACTED]
                done = end
            at = text.find(self.hint, at + 1)
        return "".join([*kept, text[done:]]) if kept else text


def _by_mark() -> dict[str, list[Shape]]:
    """Sort the shapes by a mark in them: most texts lack most marks."""
    sorted_: dict[str, list[Shape]] = defaultdict(list)
    for rule in RULES["shapes"]:
        hint = rule["hint"]
        mark = rule.get("mark") or next((mark for mark in "_-:./" if mark in hint), "")
        shape = Shape(hint, tuple(rule.get("before", (0,))), mark, rule["pattern"])
        sorted_[mark].append(shape)
    return dict(sorted_)


BY_MARK: Final = _by_mark()


def shapes_in(text: str) -> Iterator[Shape]:
    """Give the shapes that something in a *text* may have."""
    for mark, shapes in BY_MARK.items():
        if mark in text:
            for shape in shapes:
                if shape.hint in text:
                    yield shape
