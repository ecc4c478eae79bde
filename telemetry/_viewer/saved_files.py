"""The script and the style of a saved trace, made of the page's own modules.

A saved page has no server that its modules could come from: each becomes the body of a function,
in an order in which what a module imports stands before it.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from .files import text_of

_ENTRY: Final = "file-page"
_STYLES: Final = ("base", "trace")
_IMPORT: Final = re.compile(
    r'^import\s+(?:\*\s+as\s+(?P<whole>\w+)|\{(?P<names>[^}]*)\})\s+from\s+"\./(?P<file>[\w-]+)\.js";\n',
    re.MULTILINE,
)
_EXPORT: Final = re.compile(
    r"^export\s+(?=(?:async\s+)?(?:function|class|const|let)\s+(?P<name>\w+))", re.MULTILINE
)


@cache
def saved_script() -> str:
    """Return a classic script, which imports nothing."""
    modules: dict[str, str] = {}
    _add(_ENTRY, modules)
    return '"use strict";\n' + "\n".join(modules.values())


@cache
def saved_style() -> str:
    """Return the style sheet."""
    return "\n".join(text_of(f"{name}.css") for name in _STYLES)


def _add(name: str, modules: dict[str, str]) -> None:
    """Add a module after those that it imports."""
    source = text_of(f"{name}.js")
    for found in _IMPORT.finditer(source):
        if found["file"] not in modules:
            _add(found["file"], modules)
    exported = ", ".join(found["name"] for found in _EXPORT.finditer(source))
    body = _EXPORT.sub("", _IMPORT.sub(_constant, source))
    modules[name] = f"const {_variable(name)} = (() => {{\n{body}return {{ {exported} }};\n}})();\n"


def _constant(found: re.Match[str]) -> str:
    bound = found["whole"] or f"{{ {' '.join(found['names'].split()).strip(', ')} }}"
    return f"const {bound} = {_variable(found['file'])};\n"


def _variable(name: str) -> str:
    return "in_" + name.replace("-", "_")
