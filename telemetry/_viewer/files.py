"""The page's own files, which are all that is not data."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "static"
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}


def content_of(name: str) -> bytes | None:
    """Return one of the page's files; None for what is none."""
    return _read(name) if name in _names() else None


def text_of(name: str) -> str:
    """Return the text of one of the page's files; an empty one where it is missing."""
    return (content_of(name) or b"").decode()


@cache
def _names() -> frozenset[str]:
    """Return the names of all files, which do not change while the server runs."""
    return frozenset(path.name for path in FOLDER.iterdir() if path.suffix in TYPES)


@cache
def _read(name: str) -> bytes:
    return (FOLDER / name).read_bytes()
