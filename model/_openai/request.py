"""What goes into a request to an OpenAI-compatible server, checked before it is sent (pure)."""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

from .._errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr

# https://www.rfc-editor.org/rfc/rfc9110#section-5.5
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SHORTEST_SECRET: Final = 4
_HEADER_VALUE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of time, in seconds; `None` for none.

    Args:
        connect: For reaching the server.
        first_chunk: From the request to the first chunk.
        next_chunk: From one chunk to the next.
        total: For the whole call, tries and pauses included.
    """

    connect: float | None
    first_chunk: float | None
    next_chunk: float | None
    total: float | None


@dataclass(frozen=True, slots=True)
class Completion:
    """What to ask for, and of whom.

    Args:
        server: The base URL, without a credential.
        model_name: The model.
        body: The request's body, JSON.
        headers: The headers that are the caller's own, credentials among them.
        limits: The limits of time.
        streams: Whether the answer is to come as a stream.
        max_bytes: What the answer may take up; `None` for no limit.
    """

    server: str
    model_name: str
    body: bytes = field(repr=False)
    headers: Mapping[str, SecretStr]
    limits: Limits
    streams: bool = True
    max_bytes: int | None = None

    @property
    def secrets(self) -> list[str]:
        """What the server may repeat, and nobody else must."""
        values = [value.get_secret_value() for value in self.headers.values()]
        words = {*values, *(value.split(" ")[-1] for value in values)}
        return sorted((word for word in words if len(word) >= _SHORTEST_SECRET), key=len)[::-1]


def checked_address(url: str) -> str:
    """Make sure that a base URL can be called and shown.

    Raises:
        ValueError: If it is no such address; it does not repeat it, for what it may hold.
    """
    address = urlsplit(url)
    if address.scheme not in {"http", "https"} or not address.hostname or not _has_port(address):
        raise ValueError("give an address like http://127.0.0.1:8000/v1")
    if address.username or address.password or address.query or address.fragment:
        raise ValueError(
            "the address must have no user, password or query, because it is shown in traces; "
            "give credentials as api_key, or in headers"
        )
    return url.rstrip("/")


def _has_port(address: SplitResult) -> bool:
    try:
        return address.port != 0
    except ValueError:
        return False


def check_header(name: str, value: SecretStr) -> None:
    """Make sure that a header can be sent.

    Raises:
        ValueError: If it cannot; it does not repeat the value.
    """
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a header")
    if not _HEADER_VALUE.fullmatch(value.get_secret_value()):
        raise ValueError(
            f"the value for the header {name} has characters that no header can hold; "
            "does it end in a line break?"
        )


def is_overheard(url: str) -> bool:
    """Tell whether what is sent there passes a network unencrypted."""
    address = urlsplit(url)
    return address.scheme == "http" and not _is_this_machine(str(address.hostname))


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def as_json(body: Mapping[str, Any]) -> bytes:
    """Write a request's body, without the fields that are `None`.

    Raises:
        BadRequestError: If it holds what JSON cannot express.
    """
    given = {name: value for name, value in body.items() if value is not None}
    try:
        text = json.dumps(given, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BadRequestError(f"the request cannot be written as JSON: {error}") from error
    # A lone surrogate has no UTF-8; Python's escape for it is JSON's as well.
    return text.encode(errors="backslashreplace")
