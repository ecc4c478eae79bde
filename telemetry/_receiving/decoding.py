"""Requests of OTLP, in both of its encodings (pure).

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final, TypeVar

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError

from .body import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"
_DIGITS: Final = {
    "traceId": 32,
    "spanId": 16,
    "parentSpanId": 16,
    "trace_id": 32,
    "span_id": 16,
    "parent_span_id": 16,
}


_Request = TypeVar("_Request", bound="Message")


def decoded(body: bytes, kind: str, asked: type[_Request]) -> _Request:
    """Return the request that a body is.

    Args:
        body: decompressed.
        kind: `JSON` or `PROTOBUF`.
        asked: OTLP's request of a signal.

    Raises:
        RefusedError: it is none.
    """
    try:
        if kind == PROTOBUF:
            return asked.FromString(body)
        return _of_json(json.loads(body), asked())
    except DecodeError:
        raise RefusedError(400, f"the body is no {_name(asked)} in protobuf") from None
    except (ParseError, ValueError, RecursionError) as error:
        message = f"the body is no {_name(asked)} in JSON: {str(error)[:300]}"
        raise RefusedError(400, message) from None


def _name(asked: type[Message]) -> str:
    return str(asked.DESCRIPTOR.name)


def _of_json(document: Any, request: _Request) -> _Request:
    if not isinstance(document, dict):
        raise ValueError("an object is expected")  # noqa: TRY004 - as the parser's own
    for span in _spans(document):
        _read_ids(span)
        for link in _objects(span, "links"):
            _read_ids(link)
    return ParseDict(document, request, ignore_unknown_fields=True)


def _spans(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in (*_objects(document, "resourceSpans"), *_objects(document, "resource_spans")):
        for scope in (*_objects(resource, "scopeSpans"), *_objects(resource, "scope_spans")):
            yield from _objects(scope, "spans")


def _objects(value: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = value.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _read_ids(value: dict[str, Any]) -> None:
    """Read ids as OTLP's JSON has them, in hexadecimal digits: protobuf's own has Base64."""
    for name, digits in _DIGITS.items():
        text = value.get(name)
        if isinstance(text, str) and text:
            try:
                encoded = bytes.fromhex(text)
            except ValueError:
                raise ValueError(f"{name} {text[:100]!r} is not in hexadecimal digits") from None
            if len(encoded) * 2 != digits:
                raise ValueError(f"{name} {text[:100]!r} does not have {digits} digits")
            value[name] = b64encode(encoded).decode()
