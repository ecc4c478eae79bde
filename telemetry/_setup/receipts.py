"""Reads what a receiver says of each request of the SDK's exporters.

They take any status below 400 for a receipt: of a part that was rejected, and of a portal's page
in place of an answer, they tell nothing.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from .._spool.answers import Fate, answer_of

if TYPE_CHECKING:
    from requests import Response, Session

    from .._settings.variables import Signal

_PROVIDER: Final = "OTEL_PYTHON_EXPORTER_OTLP_HTTP_{}CREDENTIAL_PROVIDER"


class Receipts:
    """What a receiver has said of the last request, and how it is asked."""

    def __init__(self) -> None:
        self._rejected = 0
        self._is_receipt = True

    def session(self, signal: Signal) -> Session | None:
        """Return what an exporter is to send with; None where the application brings that."""
        brought = (_PROVIDER.format(""), _PROVIDER.format(f"{signal}_"))
        if any(os.environ.get(name) for name in brought):
            return None
        # Imported late: it is needed where something is sent.
        import requests  # noqa: PLC0415

        session = requests.Session()
        session.hooks["response"].append(self._read)
        return session

    def taken_of(self, count: int) -> int:
        """Return how many of what was sent last were taken, where *count* were sent."""
        return max(count - self._rejected, 0) if self._is_receipt else 0

    def _read(self, response: Response, *_: Any, **__: Any) -> None:
        now = datetime.now(UTC)
        answer = answer_of(response.status_code, response.headers, response.content, now)
        self._is_receipt, self._rejected = answer.fate is Fate.TAKEN, answer.rejected
