"""The body of a request, within its bounds: compressed, and as it is when it is not."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.requests import Request

_GZIP: Final = 16 + zlib.MAX_WBITS
_ENCODINGS: Final = ("", "identity", "gzip")


class RefusedError(Exception):
    """A request is refused as a whole.

    Args:
        status: of HTTP.
        message: in plain English.
        retry_after: when to try again, in seconds; None where that would not help.
    """

    def __init__(self, status: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large a body may be.

    Attributes:
        sent: in bytes, as it is sent.
        whole: in bytes, decompressed.
    """

    sent: int = 16 << 20
    whole: int = 64 << 20


async def read_body(request: Request, bounds: Bounds) -> bytes:
    """Return the body of a request, decompressed.

    Raises:
        RefusedError: it is too large, in no encoding that is known, or not what it says.
    """
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in _ENCODINGS:
        raise RefusedError(415, f"content encoding {encoding[:100]!r} is not known; use gzip")
    said = request.headers.get("content-length", "0")
    if said.isdecimal() and int(said[:20]) > bounds.sent:
        raise _too_large(bounds.sent)
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > bounds.sent:
            raise _too_large(bounds.sent)
        pieces.append(piece)
    body = b"".join(pieces)
    return _unzipped(body, bounds.whole) if encoding == "gzip" else body


def _unzipped(body: bytes, most: int) -> bytes:
    """Return what was compressed, without ever making more of it than is allowed."""
    found, size = [], 0
    while body:
        unzip = zlib.decompressobj(_GZIP)
        try:
            found.append(unzip.decompress(body, most - size + 1))
        except zlib.error:
            raise RefusedError(400, "the body is no gzip, as its content encoding says") from None
        size += len(found[-1])
        if size > most:
            raise RefusedError(413, f"the body has more than {most:,} bytes when decompressed")
        if not unzip.eof:
            raise RefusedError(400, "the body's gzip ends too early")
        body = unzip.unused_data
    return b"".join(found)


def _too_large(most: int) -> RefusedError:
    return RefusedError(413, f"the body has more than {most:,} bytes; send fewer spans at a time")
