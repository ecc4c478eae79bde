"""The page's modules as one script, and its sheets as one: each request of a browser takes a while.

A saved trace has no server at all that they could come from. Each module becomes the body of a
function, in an order in which what a module imports stands before it.
"""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha256
from typing import Final

from .files import text_of

PAGE_STYLES: Final = ("base", "list", "trace", "views")
SAVED_STYLES: Final = ("base", "trace")
_IMPORT: Final = re.compile(
    r'^import\s+(?:\*\s+as\s+(?P<whole>\w+)|\{(?P<names>[^}]*)\})\s+from\s+"\./(?P<file>[\w-]+)\.js";\n',
    re.MULTILINE,
)
_EXPORT: Final = re.compile(
    r"^export\s+(?=(?:async\s+)?(?:function|class|const|let)\s+(?P<name>\w+))", re.MULTILINE
)


@cache
def page_script() -> str:
    """Return the script of the page, which imports nothing when it is loaded."""
    return _script("main")


@cache
def saved_script() -> str:
    """Return the script of a saved trace, which imports nothing."""
    return _script("file-page")


@cache
def page_style() -> str:
    """Return the style sheet of the page."""
    return _style(PAGE_STYLES)


@cache
def saved_style() -> str:
    """Return the style sheet of a saved trace."""
    return _style(SAVED_STYLES)


@cache
def page() -> str:
    """Return the page, with addresses of its script and its sheet that change with them."""
    version = sha256((page_script() + page_style()).encode()).hexdigest()[:16]
    return text_of("index.html").replace("?version", f"?{version}")


def _script(entry: str) -> str:
    modules: dict[str, str] = {}
    _add(entry, modules)
    return '"use strict";\n' + "\n".join(modules.values())


def _style(names: tuple[str, ...]) -> str:
    return "\n".join(text_of(f"{name}.css") for name in names)


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
