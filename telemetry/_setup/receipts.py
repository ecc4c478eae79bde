"""Reads what a receiver says of each request of the SDK's exporters.

They take any status below 400 for a receipt: of a part that was rejected, and of a portal's page
in place of an answer, they tell nothing.
"""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from .._spool.answers import Answer, Fate, answer_of

if TYPE_CHECKING:
    from requests import Response, Session

    from .._settings.variables import Signal

_PROVIDER: Final = "OTEL_PYTHON_EXPORTER_OTLP_HTTP_{}CREDENTIAL_PROVIDER"
_LOGGERS: Final = tuple(
    f"opentelemetry.exporter.otlp.proto.http{name}"
    for name in ("", ".trace_exporter", "._log_exporter")
)


class Receipts:
    """What a receiver has said of the last request, and how it is asked.

    Attributes:
        answer: the last one; None where there was none, or nobody listens.
    """

    def __init__(self) -> None:
        self.answer: Answer | None = None

    @property
    def is_mended(self) -> bool:
        """Whether what was refused is sent again, in another form."""
        return self.answer is not None and self.answer.fate in (Fate.TOO_LARGE, Fate.REFUSED)

    def begin(self) -> None:
        """Begin a request: no answer has come."""
        self.answer = None

    def session(self, signal: Signal) -> Session | None:
        """Return what an exporter is to send with; None where the application brings that."""
        brought = (_PROVIDER.format(""), _PROVIDER.format(f"{signal}_"))
        if any(os.environ.get(name) for name in brought):
            return None
        # Imported late: it is needed where something is sent.
        import requests  # noqa: PLC0415

        session = requests.Session()
        session.hooks["response"].append(self._read)
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self._is_news)
        return session

    def close(self) -> None:
        """Listen no longer."""
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self._is_news)

    def taken_of(self, count: int) -> int:
        """Return how many of what was sent last were taken, where *count* were sent."""
        if self.answer is None:
            return count
        return max(count - self.answer.rejected, 0) if self.answer.fate is Fate.TAKEN else 0

    def _is_news(self, _record: logging.LogRecord) -> bool:
        """Say whether an exporter's line says more than what is done about it."""
        return not self.is_mended

    def _read(self, response: Response, *_: Any, **__: Any) -> None:
        now = datetime.now(UTC)
        self.answer = answer_of(response.status_code, response.headers, response.content, now)
