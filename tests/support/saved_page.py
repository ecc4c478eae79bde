"""Makes `file.js` and `file.css`, of which a saved trace's page consists, from the page's modules.

A saved page has no server that its modules could come from: each becomes the body of a function,
in an order in which what a module imports stands before it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

ENTRY: Final = "file-page"
STYLES: Final = ("base", "trace")

_IMPORT: Final = re.compile(
    r'^import\s+(?:\*\s+as\s+(?P<whole>\w+)|\{(?P<names>[^}]*)\})\s+from\s+"\./(?P<file>[\w-]+)\.js";\n',
    re.MULTILINE,
)
_EXPORT: Final = re.compile(
    r"^export\s+(?=(?:async\s+)?(?:function|class|const|let)\s+(?P<name>\w+))", re.MULTILINE
)
_HEADER: Final = "Made of the other files in this folder by `python -m tests.support.generated`."


def saved_script(folder: Path) -> str:
    """Return `file.js`: a classic script, which imports nothing.

    Args:
        folder: of the page's modules.
    """
    modules: dict[str, str] = {}
    _add(folder, ENTRY, modules)
    bodies = "\n".join(modules.values())
    return f'// {_HEADER}\n"use strict";\n{bodies}'


def saved_styles(folder: Path) -> str:
    """Return `file.css`."""
    sheets = "\n".join((folder / f"{name}.css").read_text() for name in STYLES)
    return f"/* {_HEADER} */\n\n{sheets}"


def _add(folder: Path, name: str, modules: dict[str, str]) -> None:
    """Add a module after those that it imports."""
    source = (folder / f"{name}.js").read_text()
    for found in _IMPORT.finditer(source):
        if found["file"] not in modules:
            _add(folder, found["file"], modules)
    exported = ", ".join(found["name"] for found in _EXPORT.finditer(source))
    body = _EXPORT.sub("", _IMPORT.sub(_constant, source))
    modules[name] = f"const {_variable(name)} = (() => {{\n{body}return {{ {exported} }};\n}})();\n"


def _constant(found: re.Match[str]) -> str:
    bound = found["whole"] or f"{{ {' '.join(found['names'].split()).strip(', ')} }}"
    return f"const {bound} = {_variable(found['file'])};\n"


def _variable(name: str) -> str:
    return "in_" + name.replace("-", "_")
