"""A trace as one HTML file that needs nothing else: no server, no network, no journal."""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from time import time_ns
from typing import TYPE_CHECKING, Any, Final

from .._details.span import MOST_MARKED, marks, whole_span
from .._details.values import ms
from .._views.document import trace_document

if TYPE_CHECKING:
    import sqlite3

_MOST_SPANS: Final = 5_000
_MOST_BYTES: Final = 20_000_000

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main id="app"></main>
<script type="application/json" id="trace">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def saved_document(connection: sqlite3.Connection, trace: int) -> dict[str, Any]:
    """Return all that a file tells of a trace, within 5,000 spans and 20 MB of what they say."""
    document = trace_document(connection, trace, 100_000)
    numbers = connection.execute(
        "SELECT id, span_id FROM spans WHERE trace = ? ORDER BY started_at, id LIMIT ?",
        (trace, _MOST_SPANS),
    ).fetchall()
    spans: dict[str, Any] = {}
    size = 0
    for number, span_id in numbers:
        whole = whole_span(connection, trace, number)
        size += len(json.dumps(whole, default=str))
        if size > _MOST_BYTES:
            break
        spans[span_id.hex()] = whole
    marked: dict[str, Any] = {}
    names = list(spans)
    for start in range(0, len(names), MOST_MARKED):
        marked |= marks(connection, trace, names[start : start + MOST_MARKED])
    return {
        "skeleton": document,
        "spans": spans,
        "marks": marked,
        "saved_at": ms(time_ns()),
        "spans_cut": len(document["spans"]["span_id"]) - len(spans),
    }


def saved_page(document: dict[str, Any], style: str, script: str) -> str:
    """Return a document as a page; what people and models said is data in it, never markup.

    Args:
        document: as `saved_document` returns it.
        style: of the page.
        script: that shows the data.
    """
    # As data, it may hold neither the end of its element nor the begin of a comment.
    data = json.dumps(document, ensure_ascii=True, default=str)
    data = data.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    title = escape(document["skeleton"]["summary"]["name"] or "trace")
    return _PAGE.format(policy=policy, title=title, style=style, data=data, script=script)


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
