"""What an endpoint's answer means for what was sent (pure).

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_OK: Final = 200
_SUCCESS: Final = range(200, 300)
_CLIENT_ERRORS: Final = range(400, 500)
_TOO_LARGE: Final = 413
# What gRPC says with RESOURCE_EXHAUSTED, whichever status a gateway before it makes of that.
_TOO_LARGE_FOR_GRPC: Final = b"larger than max"
_LOOKED_AT: Final = 4_096
# A wrong key, path or proxy, or a receiver that is busy: what is sent is not at fault.
_LATER: Final = (401, 402, 403, 404, 405, 407, 408, 421, 423, 424, 425, 429)
# However long a receiver asks to be left alone.
_LONGEST_WAIT: Final = 3_600.0
_PROTOBUF: Final = "application/x-protobuf"
_JSON: Final = "application/json"
_PAGE: Final = "text/html"


class Fate(Enum):
    """What becomes of what was sent."""

    TAKEN = "taken"
    LATER = "later"
    TOO_LARGE = "too large"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Answer:
    """An endpoint's answer.

    Attributes:
        fate: of what was sent.
        reason: in a word or two: a status, or a class of error.
        rejected: how many of what was taken the endpoint has rejected.
        wait: how long it asks to be left alone, in seconds.
    """

    fate: Fate
    reason: str
    rejected: int = 0
    wait: float | None = None


def answer_of(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Answer:
    """Return what an HTTP response means.

    Args:
        status: of the response.
        headers: of the response, by names in any case.
        body: of the response.
        now: the time, against which a date to wait for is held.
    """
    by_name = {name.lower(): value for name, value in headers.items()}
    reason = f"HTTP {status}"
    if status in _SUCCESS:
        rejected = _rejected(by_name.get("content-type", ""), body)
        if rejected is None:
            return Answer(Fate.LATER, f"{reason} with an answer that is not OTLP's")
        return Answer(Fate.TAKEN, reason, rejected)
    if status == _TOO_LARGE or _TOO_LARGE_FOR_GRPC in body[:_LOOKED_AT]:
        return Answer(Fate.TOO_LARGE, reason)
    if status in _CLIENT_ERRORS and status not in _LATER:
        return Answer(Fate.REFUSED, reason)
    return Answer(Fate.LATER, reason, wait=_wait(by_name.get("retry-after", ""), now))


def _wait(text: str, now: datetime) -> float | None:
    if text.strip().isdecimal():
        return min(float(text), _LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return min(max((at - now).total_seconds(), 0.0), _LONGEST_WAIT)


def _rejected(content_type: str, body: bytes) -> int | None:
    """Return how many were rejected; None where this is not the answer of a receiver."""
    kind = content_type.partition(";")[0].strip().lower()
    if not body:
        return 0
    if kind == _PAGE:
        return None
    if kind == _JSON:
        return _rejected_in_json(body)
    # Imported late: what sends nothing does without.
    from google.protobuf.message import DecodeError  # noqa: PLC0415
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: PLC0415
        ExportTraceServiceResponse,
    )

    try:
        # Log records' answers have the same fields by the same numbers.
        answer = ExportTraceServiceResponse.FromString(body)
    except DecodeError:
        return None if kind in ("", _PROTOBUF) else 0
    return max(answer.partial_success.rejected_spans, 0)


def _rejected_in_json(body: bytes) -> int | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    partial = document.get("partialSuccess") if isinstance(document, dict) else None
    if not isinstance(partial, dict):
        return 0
    text = str(partial.get("rejectedSpans") or partial.get("rejectedLogRecords") or 0)
    return int(text) if text.isdecimal() else 0
