"""OpenTelemetry while the command runs, and a line about spans that could not be sent."""

from __future__ import annotations

import logging
import os
import re
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ....telemetry import ConfigurationError, TelemetryConfig, configure
from .._terminal.exit import BadSettingError, bad_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ....telemetry import SpanCollector, Telemetry
    from .choices import Measures
    from .display import Display

_SECONDS: Final = 1.5
"""How long sending may take in the end; a request that is under way gets a little more."""

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_SDK: Final = "opentelemetry"
_EXPORTERS: Final = f"{_SDK}.exporter"
_SPAN_EXPORTER: Final = f"{_EXPORTERS}.otlp.proto.http.trace_exporter"
_TELEMETRY: Final = "nodespan.telemetry"
_REFUSED: Final = re.compile(r"refused .* for good.* \(HTTP (\d{3})\)")
_AWAY: Final = re.compile(r"does not take spans; they wait in the journal \((.*)\)")
_NO_ANSWER: Final = {"ConnectionError": "no connection", "ReadTimeout": "no answer in time"}
_MAX_REASON: Final = 100
_SERVICE_NAME: Final = "nodespan"
_JOURNAL: Final = "NODESPAN_JOURNAL"
_WAY_OUT: Final = f"{_JOURNAL}=on keeps what cannot be sent"
# Of what a server says to a request that is at fault, these mean that it may be sent again.
_LATER: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


@contextmanager
def sending(collector: SpanCollector, display: Display, measures: Measures) -> Iterator[Telemetry]:
    """Set OpenTelemetry up as the `OTEL_*` variables say, and let go of it in the end.

    Args:
        collector: Gets every span, wherever else they go.
        display: Is told once, in the end, how many spans could not be sent, where to, and why.
        measures: What telemetry is to go by.

    Raises:
        BadSettingError: A variable has a value that cannot work.
        typer.BadParameter: An option has.
    """
    reason = _Reason()
    _quiet(_EXPORTERS)
    logging.getLogger(_SPAN_EXPORTER).addHandler(reason)
    logging.getLogger(_TELEMETRY).addFilter(reason.is_news)
    try:
        config = TelemetryConfig(
            service_name=_service_name(os.environ),
            prices=measures.prices,
            stall_threshold=measures.stall_threshold,
            # A tree that is shown is not printed once more.
            print_traces=False if display.shows_trees else None,
        )
        telemetry = configure(config, span_processors=[collector], console=display.console)
    except ConfigurationError as error:
        if measures.prices is not None and str(error).startswith("prices"):
            raise bad_value("--prices", str(error)) from error
        raise BadSettingError(str(error)) from error
    try:
        yield telemetry
    finally:
        _quiet(_SDK)
        telemetry.shutdown(timeout=_SECONDS)
        logging.getLogger(_TELEMETRY).removeFilter(reason.is_news)
        if telemetry.unsent:
            why = reason.text or "no answer in time"
            waits = telemetry.journal_path is not None and not reason.is_final
            said = _not_sent(telemetry.unsent, _endpoint(os.environ), why, waits=waits)
            would_wait = not os.environ.get(_JOURNAL) and not reason.is_refusal
            display.note(f"{said}; {_WAY_OUT}" if would_wait else said)


def _service_name(environ: Mapping[str, str]) -> str | None:
    """Return the command's name, unless the user has given it another."""
    attributes = environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    is_named = environ.get("OTEL_SERVICE_NAME") or "service.name=" in attributes
    return None if is_named else _SERVICE_NAME


def _quiet(log: str) -> None:
    """Keep a *log* from standard error, but not from handlers that the user has set up."""
    logging.getLogger(log).addHandler(logging.NullHandler())


class _Reason(logging.Handler):
    """Keeps why spans could not be sent the last time: who sends them tells its log alone.

    Attributes:
        text: why.
        is_final: whether the receiver has refused them for good.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""
        self.is_final = False

    @property
    def is_refusal(self) -> bool:
        """Whether what was sent is at fault, or how: later it would be refused again."""
        status = self.text.partition(" ")[0]
        is_status = status.isdigit() and int(status) not in _LATER
        return (
            is_status and HTTPStatus.BAD_REQUEST <= int(status) < HTTPStatus.INTERNAL_SERVER_ERROR
        )

    def is_news(self, record: logging.LogRecord) -> bool:
        """Keep out of standard error what is said in the end, with where it came from."""
        message = record.getMessage()
        if refused := _REFUSED.search(message):
            self.text, self.is_final = _status(int(refused[1])), True
        elif away := _AWAY.search(message):
            status = away[1].removeprefix("HTTP ")
            self.text = _status(int(status)) if status.isdigit() else _NO_ANSWER.get(status, status)
        return not (refused or away)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what a line of the exporter says of its failure."""
        match record.args:
            case (Exception() as error, *_) | (_, _, Exception() as error):
                self.text = _root_cause(error)
            case (_, int(status), reason) | (int(status), reason):
                self.text = f"{status} {reason}"[:_MAX_REASON]
            case (reason, _, float()) | (reason, float()):
                self.text = _with_status(str(reason))[:_MAX_REASON]


def _status(number: int) -> str:
    phrases = {each.value: each.phrase for each in HTTPStatus}
    return f"{number} {phrases.get(number, '')}".rstrip()


def _with_status(reason: str) -> str:
    """What a server said, with its number: exporters before 1.45 leave that out."""
    numbers = (f"{each.value} {reason}" for each in HTTPStatus if each.phrase == reason)
    return next(numbers, reason)


def _root_cause(error: BaseException) -> str:
    """What the system says at the bottom of *error*; its own text may hold a whole URL."""
    while below := error.__cause__ or error.__context__:
        error = below
    said = error.strerror if isinstance(error, OSError) else None
    return (said or type(error).__name__)[:_MAX_REASON]


def _not_sent(spans: int, endpoint: str, reason: str, *, waits: bool) -> str:
    what = "1 span" if spans == 1 else f"{spans:,} spans"
    if waits:
        return f"{what} {'waits' if spans == 1 else 'wait'} in the journal for {endpoint}: {reason}"
    return f"{what} {'was' if spans == 1 else 'were'} not sent to {endpoint}: {reason}"


def _endpoint(environ: Mapping[str, str]) -> str:
    """Where spans are sent to, without a user, a password or a query."""
    url = urlsplit(next(filter(None, map(environ.get, _ENDPOINTS)), ""))
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path.rstrip('/')}"
