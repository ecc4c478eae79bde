"""The page's own files as answers, with what a view asks for first told of at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from .answers import refusal
from .files import TYPES, content_of
from .joined import page, page_script, page_style

if TYPE_CHECKING:
    from starlette.requests import Request

_MADE: Final = {"page.js": page_script, "page.css": page_style}
_TRACE: Final = re.compile(r"/traces/([0-9A-Za-z-]{1,64})(?:/spans/[^/]*)?")
# As the trace's view asks for what it shows first.
_FIRST_SPANS: Final = 2_000
# As the list asks for its first window where it has no filter.
_FIRST_TRACES: Final = "/api/traces?order=started&offset=0&limit=200"
_KEPT: Final = {"Cache-Control": "private, max-age=31536000, immutable"}


async def file_answer(request: Request) -> Response:
    """Return one of the page's files; 404 for what is none."""
    name = request.path_params["path"]
    if name in _MADE:
        # An address with the version is another one when what lies there is.
        headers = _KEPT if request.url.query else None
        return Response(_MADE[name](), media_type=_type(name), headers=headers)
    content = content_of(name)
    if content is None:
        return refusal(404, "not_found", f"there is no file {name[:200]!r}")
    return Response(content, media_type=_type(name))


async def page_answer(request: Request) -> Response:
    """Return the page, and tell the browser what its script is going to ask for."""
    wanted = _first_asked(request)
    headers = {"Link": f"<{wanted}>; rel=preload; as=fetch; crossorigin=anonymous"}
    return Response(page(), media_type=TYPES[".html"], headers=headers if wanted else None)


def _first_asked(request: Request) -> str | None:
    """Return the address of what a view shows first, where its own address says it."""
    path = request.url.path
    trace = _TRACE.fullmatch(path)
    if trace is not None:
        return f"/api/traces/{trace[1]}?max_spans={_FIRST_SPANS}"
    return _FIRST_TRACES if path in ("/", "/traces") and not request.url.query else None


def _type(name: str) -> str:
    return TYPES[name[name.rindex(".") :]]
