"""Answers: JSON that nothing can break, and errors in plain English."""

from __future__ import annotations

import json
import math
import sqlite3
from typing import TYPE_CHECKING, Any, Final

import orjson
from starlette.responses import Response

from .._errors import (
    AmbiguousTraceError,
    JournalError,
    JournalMissingError,
    TraceNotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_JSON: Final = "application/json"
# What JavaScript's numbers hold.
_MOST: Final = 2**53 - 1
_DEEPEST: Final = 100


class BadRequestError(Exception):
    """A question has a value that makes no sense; the message names it, and what would."""


def encoded(content: Any) -> bytes:
    """Return anything that a span can say as JSON that a browser reads."""
    try:
        return orjson.dumps(content, option=orjson.OPT_STRICT_INTEGER)
    except TypeError:
        # A lone surrogate, an integer too large, or lists in lists in lists.
        return json.dumps(_plain(content, 0)).encode()


def answer(content: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Return content as an answer."""
    return Response(encoded(content), media_type=_JSON, headers=headers)


def refusal(status: int, code: str, message: str) -> Response:
    """Return an error as an answer."""
    content = encoded({"error": {"code": code, "message": message}})
    return Response(content, status_code=status, media_type=_JSON)


def refusal_of(error: Exception) -> Response:
    """Return an error of what was asked for, or of the journal, as an answer."""
    if isinstance(error, BadRequestError):
        return refusal(400, "bad_request", str(error))
    if isinstance(error, TraceNotFoundError):
        return refusal(404, "not_found", str(error))
    if isinstance(error, AmbiguousTraceError):
        return refusal(409, "ambiguous", str(error))
    if isinstance(error, JournalMissingError):
        return refusal(503, "no_journal", str(error))
    if isinstance(error, JournalError):
        return refusal(503, "journal_error", str(error))
    if isinstance(error, sqlite3.Error):
        return refusal(503, "journal_error", f"the journal cannot be read now: {error}")
    raise error


def _plain(value: Any, depth: int) -> Any:
    if isinstance(value, dict | list | tuple):
        return _plain_items(value, depth + 1) if depth <= _DEEPEST else "..."
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool):
        return value
    return value if isinstance(value, int) and abs(value) <= _MOST else str(value)


def _plain_items(value: dict[Any, Any] | list[Any] | tuple[Any, ...], depth: int) -> Any:
    if isinstance(value, dict):
        return {_plain(str(key), 0): _plain(each, depth) for key, each in value.items()}
    return [_plain(each, depth) for each in value]
