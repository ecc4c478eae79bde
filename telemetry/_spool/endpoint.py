"""An OTLP/HTTP endpoint, as the standard variables and the config tell it."""

from __future__ import annotations

import gzip
import json
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from opentelemetry.util.re import parse_env_headers

from .._process import importing
from .._version import VERSION
from .answers import Answer, Fate, answer_of
from .destinations import Destination

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

    from .._settings.variables import Signal

_DEFAULT_TIMEOUT: Final = 10.0
# What of the headers tells nothing of who sends.
_OF_EVERYBODY: Final = ("content-type", "user-agent")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one signal is sent.

    Attributes:
        url: with its path.
        headers: of each request.
        timeout: of each request, in seconds.
        compression: `none`, `gzip` or `deflate`.
        certificate: a file that its certificate is checked with; True for the system's own.
        client_certificate: a file, or that and its key.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = _DEFAULT_TIMEOUT
    compression: str = "none"
    certificate: str | bool = True
    client_certificate: str | tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """The URL without what may be a secret."""
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path, "", ""))

    @property
    def identity(self) -> str:
        """All that tells the receiver who sends: it may be a secret."""
        headers = sorted((k, v) for k, v in self.headers.items() if k not in _OF_EVERYBODY)
        return json.dumps([self.url, headers, self.client_certificate])


def destination_of(endpoints: Mapping[Signal, Endpoint]) -> Destination:
    """Return whom the journal owes to, where the signals have these endpoints."""
    each = list(endpoints.values())
    return Destination(each[0].name, json.dumps([endpoint.identity for endpoint in each]))


def endpoint_of(
    signal: Signal,
    endpoint: str | None,
    headers: Mapping[str, str] | None,
    environ: Mapping[str, str],
) -> Endpoint:
    """Return the endpoint of a signal.

    Args:
        signal: that is sent there.
        endpoint: base URL; None where the variables tell it.
        headers: beside those of the variables.
        environ: the variables.

    Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
    """

    def setting(name: str) -> str | None:
        """Return what the signal's own variable says, or the common one."""
        own, common = signal.otlp_variables(name)
        return environ.get(own) or environ.get(common) or None

    own_url = environ.get(signal.otlp_variables("ENDPOINT")[0])
    base = endpoint or environ.get(signal.otlp_variables("ENDPOINT")[1]) or ""
    all_headers = {"user-agent": f"nodespan/{VERSION}", "content-type": "application/x-protobuf"}
    all_headers |= parse_env_headers(setting("HEADERS") or "", liberal=True)
    all_headers |= {name.lower(): value for name, value in (headers or {}).items()}
    certificate, key = setting("CLIENT_CERTIFICATE"), setting("CLIENT_KEY")
    return Endpoint(
        own_url if own_url and not endpoint else f"{base.rstrip('/')}/v1/{signal.lower()}",
        all_headers,
        float(setting("TIMEOUT") or _DEFAULT_TIMEOUT),
        (setting("COMPRESSION") or "none").strip().lower(),
        setting("CERTIFICATE") or True,
        (certificate, key) if certificate and key else certificate,
    )


class Connection:
    """Sends requests to an endpoint, one at a time."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._session: requests.Session | None = None

    def send(self, body: bytes) -> Answer:
        """Send an encoded request, and return the endpoint's answer."""
        with importing():
            # Imported late: it is needed where something is sent.
            import requests  # noqa: PLC0415

        if self._session is None:
            self._session = requests.Session()
        try:
            response = self._session.post(
                self.endpoint.url,
                data=self._compressed(body),
                headers=self._headers(),
                timeout=self.endpoint.timeout,
                verify=self.endpoint.certificate,
                cert=self.endpoint.client_certificate,
                allow_redirects=False,
            )
        except (requests.RequestException, OSError, ValueError) as error:
            self.close()
            return Answer(Fate.LATER, type(error).__name__)
        now = datetime.now(UTC)
        return answer_of(response.status_code, response.headers, response.content, now)

    def close(self) -> None:
        """Let go of the connection; it is made anew when it is needed."""
        session, self._session = self._session, None
        if session is not None:
            with suppress(Exception):
                session.close()

    def _headers(self) -> dict[str, str]:
        if self.endpoint.compression in ("gzip", "deflate"):
            return {**self.endpoint.headers, "content-encoding": self.endpoint.compression}
        return dict(self.endpoint.headers)

    def _compressed(self, body: bytes) -> bytes:
        match self.endpoint.compression:
            case "gzip":
                return gzip.compress(body, compresslevel=6)
            case "deflate":
                return zlib.compress(body)
        return body
