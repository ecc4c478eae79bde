"""Whether the endpoints answer, and what they say: a real OTLP request with nothing in it."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from .._content.capture import CaptureContent
from .._process import started_thread
from .._settings.config import (
    TelemetryConfig,
    checked,
    sends_otlp,
)
from .._settings.variables import (
    Signal,
    emits_inference_details,
    exporter_names,
    is_disabled,
)
from .._spool.answers import Fate, answer_of
from .._spool.endpoint import endpoint_of
from .._values.credential_shapes import REDACTED
from .._values.credentials import without_credentials
from .settings import shown_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .._spool.endpoint import Endpoint

_TIMEOUT: Final = 5.0
_MOST_BYTES: Final = 4_096
_MOST_CHARACTERS: Final = 300
_SHORTEST_SECRET: Final = 4
_REDIRECTS: Final = range(300, 400)
_HINTS: Final[Mapping[int, str]] = {
    401: "it wants other credentials: look at OTEL_EXPORTER_OTLP_HEADERS",
    403: "it refuses these credentials: look at OTEL_EXPORTER_OTLP_HEADERS",
    404: "nothing takes OTLP at that path: look at OTEL_EXPORTER_OTLP_ENDPOINT",
    405: "nothing takes OTLP at that path: look at OTEL_EXPORTER_OTLP_ENDPOINT",
    415: "it takes no protobuf",
}


@dataclass(frozen=True, slots=True)
class EndpointCheck:
    """What became of a request to an endpoint; no credentials are in it.

    Attributes:
        signal: `traces`, `metrics` or `logs`.
        url: of the endpoint, without user, password and query.
        is_well: whether it takes what is sent.
        answer: its answer in a few words, such as `HTTP 200`, or why there was none.
        message: what it says beside, or what would help; an empty text where nothing.
        seconds: how long that took.
    """

    signal: str
    url: str
    is_well: bool
    answer: str
    message: str
    seconds: float


def check_endpoints(
    config: TelemetryConfig | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    timeout: float = _TIMEOUT,
) -> tuple[EndpointCheck, ...]:
    """Ask each endpoint that signals are sent to, by an OTLP request with nothing in it.

    Args:
        config: what a program gives `configure`.
        environ: the variables; by default this process's.
        timeout: how long all of it may take, in seconds.

    Raises:
        ConfigurationError: a setting has a value that cannot work.

    Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
    """
    environ = environ if environ is not None else os.environ
    config = checked(config, environ)
    endpoints = [
        (signal, endpoint_of(signal, config.endpoint, config.headers, environ))
        for signal in _sent(config, environ)
    ]
    deadline = monotonic() + timeout
    asked = [(signal, endpoint, _asked(endpoint, timeout)) for signal, endpoint in endpoints]
    return tuple(
        _check(signal, endpoint, answers, deadline, timeout) for signal, endpoint, answers in asked
    )


def _sent(config: TelemetryConfig, environ: Mapping[str, str]) -> Iterator[Signal]:
    """Yield the signals that are sent to an endpoint."""
    if is_disabled(environ):
        return
    capture = CaptureContent.named("capture_content", config.capture_content)
    wants_logs = (
        config.log_events
        or emits_inference_details(capture, environ)
        or exporter_names(Signal.LOGS, environ)
    )
    for signal in Signal:
        is_wanted = signal is not Signal.LOGS or wants_logs
        if is_wanted and sends_otlp(signal, config, environ):
            yield signal


@dataclass(frozen=True, slots=True)
class _Answer:
    """What an endpoint has said: a status, or why there is none."""

    status: int | None
    trouble: str = ""
    headers: Mapping[str, str] | None = None
    body: bytes = b""
    seconds: float = 0.0


def _asked(endpoint: Endpoint, timeout: float) -> SimpleQueue[_Answer]:
    """Ask an endpoint from a thread: neither names nor slow answers keep to a time limit."""
    answers: SimpleQueue[_Answer] = SimpleQueue()

    def ask() -> None:
        """Ask, and note the answer and how long it took."""
        begun = monotonic()
        status, trouble, headers, body = _answer(endpoint, timeout)
        answers.put(_Answer(status, trouble, headers, body, monotonic() - begun))

    if started_thread(ask, "nodespan-checkup") is None:
        ask()
    return answers


def _answer(
    endpoint: Endpoint, timeout: float
) -> tuple[int | None, str, Mapping[str, str] | None, bytes]:
    # Imported late: it is needed where something is sent.
    import requests  # noqa: PLC0415

    try:
        with requests.post(
            endpoint.url,
            data=b"",
            headers=dict(endpoint.headers),
            timeout=timeout,
            verify=endpoint.certificate,
            cert=endpoint.client_certificate,
            allow_redirects=False,
            stream=True,
        ) as response:
            body = next(response.iter_content(_MOST_BYTES), b"")
            return response.status_code, "", response.headers, body
    except Exception as error:  # noqa: BLE001 - whatever the settings make of it
        return None, _reason(error), None, b""


def _check(
    signal: Signal,
    endpoint: Endpoint,
    answers: SimpleQueue[_Answer],
    deadline: float,
    timeout: float,
) -> EndpointCheck:
    url = shown_url(endpoint.url)
    name = signal.lower()
    try:
        answer = answers.get(timeout=max(deadline - monotonic(), 0.001))
    except Empty:
        return EndpointCheck(name, url, False, f"no answer within {timeout:g} s", "", timeout)  # noqa: FBT003 - a field
    if answer.status is None:
        return EndpointCheck(name, url, False, answer.trouble, "", answer.seconds)  # noqa: FBT003 - a field
    headers = answer.headers or {}
    meant = answer_of(answer.status, headers, answer.body, datetime.now(UTC))
    is_well = meant.fate is Fate.TAKEN
    said = _said(answer, headers) if not is_well else ""
    message = "; ".join(filter(None, (_hint(signal, answer.status), said)))
    return EndpointCheck(
        name, url, is_well, meant.reason, _without_secrets(message, endpoint), answer.seconds
    )


def _hint(signal: Signal, status: int) -> str:
    if signal is Signal.METRICS and status in (404, 405):
        return "it takes no metrics; OTEL_METRICS_EXPORTER=none sends none"
    return _HINTS.get(status, "")


def _said(answer: _Answer, headers: Mapping[str, str]) -> str:
    """Return what an answer says in words."""
    if answer.status in _REDIRECTS:
        return f"it redirects to {shown_url(headers.get('location', ''))}: use that URL"
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "text/html":
        return "it answers with a page of HTML: that is no OTLP receiver"
    if kind == "application/x-protobuf":
        text = _status_message(answer.body)
    else:
        text = answer.body.decode(errors="replace")
        if kind == "application/json":
            text = _message_in(text)
    return " ".join(text.split())[:_MOST_CHARACTERS]


def _status_message(body: bytes) -> str:
    """Return the message of a `google.rpc.Status`."""
    with suppress(Exception):
        # Imported late: few endpoints answer so. It comes with the official exporter.
        from google.rpc.status_pb2 import (  # type: ignore[import-untyped]  # noqa: PLC0415 - late
            Status,
        )

        return str(Status.FromString(body).message)
    return ""


def _message_in(text: str) -> str:
    try:
        document: Any = json.loads(text)
    except ValueError:
        return text
    for name in ("message", "error", "detail", "title"):
        if isinstance(document, dict) and isinstance(document.get(name), str):
            return str(document[name])
    return text


def _without_secrets(text: str, endpoint: Endpoint) -> str:
    """Return what an endpoint says without what it was told: some repeat it."""
    parts = urlsplit(endpoint.url)
    secrets = [*endpoint.headers.values(), parts.username, parts.password, parts.query]
    secrets += [word for value in endpoint.headers.values() for word in value.split()]
    known = ("application/x-protobuf", endpoint.headers.get("user-agent"))
    for secret in filter(None, secrets):
        for form in {secret, unquote(secret)}:
            if len(form) >= _SHORTEST_SECRET and form not in known:
                text = text.replace(form, REDACTED)
    return without_credentials(text)


def _reason(error: BaseException) -> str:
    """Say why there is no answer, in the words of the system; those of a library tell too much."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        seen.append(cause)
        inner = getattr(cause, "reason", None) or (cause.args[0] if cause.args else None)
        cause = inner if isinstance(inner, BaseException) else cause.__cause__ or cause.__context__
    for each in reversed(seen):
        if isinstance(each, OSError) and each.strerror:
            return str(each.strerror)
    if any("timeout" in type(each).__name__.lower() for each in seen):
        return "no answer in time"
    return type(error).__name__
