"""Docstrings in Google's style, read as data."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Final

SECTIONS: Final = ("Args", "Attributes", "Returns", "Raises", "Source", "Example")
_HEAD: Final = re.compile(rf"^({'|'.join(SECTIONS)}):{{1,2}} *(.*)$")
_ITEM: Final = re.compile(r"^([\w.*]+): (.*)$")


@dataclass(frozen=True, slots=True)
class Docstring:
    """What a docstring says.

    Attributes:
        text: its paragraphs, without the blocks of code in it.
        items: of `Args`, `Attributes` and `Raises`: what each name means.
        notes: of `Returns` and `Source`: their text.
    """

    text: str
    items: dict[str, dict[str, str]]
    notes: dict[str, str]

    @property
    def summary(self) -> str:
        """The first paragraph, in one line."""
        return " ".join(self.text.partition("\n\n")[0].split())


def read(subject: object) -> Docstring:
    """Read the docstring of a class, a function or a property."""
    parts: dict[str, list[str]] = {"": []}
    lines = parts[""]
    for line in (inspect.getdoc(subject) or "").splitlines():
        head = _HEAD.match(line)
        if head is not None:
            lines = parts.setdefault(head[1], [])
            line = head[2]  # noqa: PLW2901 - what stands beside the head belongs to it
        lines.append(line)
    return Docstring(
        _without_code(parts[""]),
        {name: _items(parts[name]) for name in ("Args", "Attributes", "Raises") if name in parts},
        {name: " ".join(parts[name]).strip() for name in ("Returns", "Source") if name in parts},
    )


def _without_code(lines: list[str]) -> str:
    """Return the paragraphs; the README's own programs are those that tests run."""
    told = "\n".join(line for line in lines if not line.startswith("    "))
    told = re.sub(r"::$", ".", told, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", told).strip()


def _items(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    name = ""
    for line in inspect.cleandoc("\n".join(lines)).splitlines():
        item = _ITEM.match(line)
        if item is not None:
            name, line = item[1], item[2]  # noqa: PLW2901 - the rest of the line is its text
        if name:
            found[name] = f"{found.get(name, '')} {line.strip()}".strip()
    return found
