"""The page's own files, which are all that is not data."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from starlette.responses import Response

from .answers import refusal

FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {
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


def file_answer(name: str) -> Response:
    """Return one of the page's files; 404 for what is none."""
    path = (FOLDER / name).resolve()
    kind = _TYPES.get(path.suffix)
    if kind is None or not path.is_relative_to(FOLDER.resolve()) or not path.is_file():
        return refusal(404, "not_found", f"there is no file {name[:200]!r}")
    return Response(path.read_bytes(), media_type=kind)


def text_of(name: str) -> str:
    """Return the text of one of the page's files; an empty one where it is missing."""
    path = FOLDER / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""
