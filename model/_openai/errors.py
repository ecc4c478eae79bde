"""What an OpenAI-compatible server says when it fails, as errors of ours (pure).

https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from .._custom.credentials import without_credentials
from .._errors import (
    AuthenticationError,
    BadRequestError,
    ContextTooLongError,
    MalformedAnswerError,
    ModelError,
    ModelNotFoundError,
    ModelTimeoutError,
    RateLimitError,
    ServerError,
)
from .retry import parse_milliseconds, parse_retry_after
from .too_long import names_too_long, says_too_long
from .wire import MAX_COUNT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BODY_LIMIT: Final = 64 * 1024
"""How much is looked at of what a server says of a failure, in characters or bytes."""

_MESSAGE_LIMIT: Final = 200
_REQUEST_ID_LIMIT: Final = 128
_REQUEST_ID_HEADERS: Final = ("x-request-id", "request-id", "apim-request-id")
_HIDDEN: Final = "**********"
# Shorter words after these are words: "basic knowledge".
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=\\%-]{16,}")

_CONTEXT_TOKENS: Final = re.compile(
    r"(?:context (?:length|window)(?: is| of)|less than) (\d{1,12})"
)
_PROMPT_TOKENS: Final = re.compile(r"(?:requested|resulted in|request has|Given:?) (\d{1,12})")

_KINDS: Final[dict[int, tuple[type[ModelError], str]]] = {
    401: (AuthenticationError, "refused the credentials"),
    403: (AuthenticationError, "refused the credentials"),
    404: (ModelNotFoundError, "has no such model, or no chat completions"),
    408: (ModelTimeoutError, "gave up on the request"),
    409: (ServerError, "is in conflict with itself"),
    429: (RateLimitError, "asks for fewer calls"),
}
_MESSAGE_KEYS: Final = ("message", "error", "detail", "msg")
_FIRST_ERROR: Final = 400
_FIRST_SERVER_ERROR: Final = 500
_LAST_ERROR: Final = 599
_STATUS: Final = re.compile("[45][0-9]{2}")
_PAYLOAD_TOO_LARGE: Final = 413
_MAY_MEAN_TOO_LONG: Final = frozenset({400, 422})
# Failures that a stream reports by name, without a status of HTTP.
_STATUS_OF_TYPE: Final = {
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "invalid_request_error": 400,
    "validation": 400,
    "overloaded_error": 503,
    "overloaded": 503,
    "engine_overloaded_error": 429,
    "rate_limit_reached_error": 429,
    "exceeded_current_quota_error": 429,
    "resource_exhausted": 429,
    "too_many_requests": 429,
    "throttling": 429,
    "api_error": 500,
    "internal": 500,
    "internal_error": 500,
    "internal_server_error": 500,
    "server_error": 500,
    "service_unavailable": 503,
    "service_unavailable_error": 503,
    "unavailable": 503,
    "timeout": 504,
    "timeout_error": 504,
    "deadline_exceeded": 504,
    "unauthenticated": 401,
    "invalid_api_key": 401,
    "permission_denied": 403,
    "not_found": 404,
    "model_not_found": 404,
    "invalid_argument": 400,
}


def hide(text: str, secrets: Sequence[str]) -> str:
    """Take credentials out of what a server said, escaped ones too."""
    for secret in secrets:
        escaped = "".join(map(_in_any_spelling, secret))
        text = re.sub(f"{re.escape(secret)}|{escaped}", _HIDDEN, text)
    return _BEARER.sub(rf"\1 {_HIDDEN}", text)


def without_frames(error: ModelError, secrets: Sequence[str]) -> ModelError:
    """Take out of an error, and of what led to it, the frames that it came through.

    Tools that show the variables of each frame would show the request's headers and what the
    server has repeated of them. What led to it is left out where it says a secret itself.
    """
    seen: set[int] = set()
    below: BaseException = error.with_traceback(None)
    while id(below) not in seen:
        seen.add(id(below))
        reason = below.__cause__ or (None if below.__suppress_context__ else below.__context__)
        is_harmless = reason is not None and hide(repr(reason), secrets) == repr(reason)
        below.__context__ = None
        below.__cause__ = (
            reason.with_traceback(None) if reason is not None and is_harmless else None
        )
        below = below.__cause__ or below
    return error


def _in_any_spelling(character: str) -> str:
    """Match a character as it is, or escaped for JSON or for an address, also repeatedly."""
    if character.isalnum():
        return character  # nobody escapes these
    code = f"{ord(character):02x}"
    # Bounded and atomic: the search is linear in whatever a server sends.
    return rf"(?>\\{{0,7}}{re.escape(character)}|(?i:\\{{1,7}}u00{code}|%(?:25){{0,3}}{code}))"


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """What is known of a server's answer, to tell it when it turns out to be a failure.

    Args:
        server: The server's address, for people to read.
        model_name: The model that was asked for.
        status: The HTTP status.
        headers: The headers, by names in lower case.
        secrets: What must not be repeated, wherever the server may have put it.
    """

    server: str
    model_name: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    secrets: Sequence[str] = field(repr=False)

    def refusal(self, body: str) -> ModelError:
        """Name the failure of an answer that is not a success."""
        return self._error(self.status, _details(body[:BODY_LIMIT]), body)

    def reported(self, data: str) -> ModelError:
        """Name the failure that an event of a stream reports."""
        details = _details(data[:BODY_LIMIT])
        named = (details.code, details.type, details.status)
        status = next(filter(None, map(_as_status, named)), None)
        return self._error(status, details, data)

    @staticmethod
    def reports_failure(body: str) -> bool:
        """Whether a body that should be an answer tells a failure instead."""
        try:
            answer = json.loads(body[:BODY_LIMIT])
        except (ValueError, RecursionError):
            return False
        answer = answer[0] if isinstance(answer, list) and answer else answer
        return isinstance(answer, dict) and (
            bool(answer.get("error")) or answer.get("object") == "error"
        )

    def malformed(self, what: str, body: str) -> MalformedAnswerError:
        """Say that an answer is not what the protocol asks for."""
        return MalformedAnswerError(
            f"{self.server} {what}; is it an OpenAI-compatible endpoint?",
            **self.facts(body),
        )

    def facts(self, body: str | None = None) -> dict[str, Any]:
        """Say what every error has: status, request id, and the beginning of a body."""
        return self._facts(self.status, body)

    def _error(self, status: int | None, details: _Details, body: str) -> ModelError:
        said = self._said(status, details)
        facts = self._facts(status, body)
        if _is_too_long(status, details):
            return ContextTooLongError(
                f"{self.server} says that the conversation is too long for the model{said}; "
                "shorten it",
                prompt_tokens=details.prompt_tokens,
                context_tokens=details.context_tokens,
                **facts,
            )
        kind, did = _kind(status)
        return kind(f"{self.server} {did}{said}{self._way_out(kind)}", **facts)

    def _way_out(self, kind: type[ModelError]) -> str:
        if kind is AuthenticationError:
            return self._about_the_key
        if kind is ModelNotFoundError:
            name = repr(self.model_name)
            return f"; check model_name ({name}), and base_url, which mostly ends in /v1"
        return self._about_the_wait if kind.is_retryable else self._about_the_address

    @property
    def _about_the_key(self) -> str:
        if self.secrets:
            return "; give another api_key"
        return (
            "; no key was sent: give api_key, or set OPENAI_API_KEY, "
            "which is used over https and on this machine alone"
        )

    @property
    def _about_the_wait(self) -> str:
        wait = self._retry_after
        return "; try again" if wait is None else f"; try again in {wait:.0f} s"

    @property
    def _about_the_address(self) -> str:
        given = self.headers.get("location", "").partition("?")[0]
        location = without_credentials(self._hide(given[:_MESSAGE_LIMIT]))
        return f"; base_url may have to be that of {location}" if location else ""

    @property
    def _retry_after(self) -> float | None:
        exact = parse_milliseconds(self.headers.get("retry-after-ms"))
        if exact is not None:
            return exact
        return parse_retry_after(
            self.headers.get("retry-after"),
            date=self.headers.get("date"),
            now=datetime.now(UTC),
        )

    def _said(self, status: int | None, details: _Details) -> str:
        words = " ".join(self._hide(details.message).split())[:_MESSAGE_LIMIT]
        parts = [str(status)] if status is not None else []
        return f" ({': '.join([*parts, words] if words else parts)})" if parts or words else ""

    def _facts(self, status: int | None, body: str | None) -> dict[str, Any]:
        names = (self.headers.get(name) for name in _REQUEST_ID_HEADERS)
        request_id = next(filter(None, names), None)
        return {
            "status": status,
            "request_id": request_id and self._hide(request_id)[:_REQUEST_ID_LIMIT],
            "body": body if body is None else self._hide(body[:BODY_LIMIT]),
            "retry_after": self._retry_after,
        }

    def _hide(self, text: str) -> str:
        return hide(text, self.secrets)


@dataclass(frozen=True, slots=True)
class _Details:
    """What a body says about the failure."""

    message: str
    code: Any = None
    type: Any = None
    status: Any = None
    prompt_tokens: int | None = None
    context_tokens: int | None = None


def _details(body: str) -> _Details:
    try:
        return _details_of_json(json.loads(body))
    except (ValueError, RecursionError):  # also where it is nested too deeply to be told
        is_page = body.lstrip().startswith("<")
        return _Details("an HTML page" if is_page else body)


def _details_of_json(answer: Any) -> _Details:
    if isinstance(answer, list) and answer and isinstance(answer[0], dict):  # Google's
        answer = answer[0]
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        return _details_of(error)
    return _details_of(answer)


def _details_of(error: Any) -> _Details:
    """Read OpenAI's way of telling an error, and that of servers like it."""
    if not isinstance(error, dict):
        return _Details(str(error))
    message = next((error[key] for key in _MESSAGE_KEYS if error.get(key)), error)
    message = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
    return _Details(
        message=message,
        code=error.get("code"),
        type=error.get("type") or error.get("error_type"),
        status=error.get("status"),
        prompt_tokens=_count(error.get("n_prompt_tokens"), _PROMPT_TOKENS.search(message)),
        context_tokens=_count(error.get("n_ctx"), _CONTEXT_TOKENS.search(message)),
    )


def _count(value: Any, found: re.Match[str] | None) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value <= MAX_COUNT else None
    return int(found[1]) if found else None


def _kind(status: int | None) -> tuple[type[ModelError], str]:
    if status is None or status >= _FIRST_SERVER_ERROR:
        return ServerError, "failed"
    other = "refused the request" if status >= _FIRST_ERROR else "answered with something else"
    return _KINDS.get(status, (BadRequestError, other))


def _as_status(name: Any) -> int | None:
    if isinstance(name, str):
        name = int(name) if _STATUS.fullmatch(name) else _STATUS_OF_TYPE.get(name.lower())
    return name if isinstance(name, int) and _FIRST_ERROR <= name <= _LAST_ERROR else None


def _is_too_long(status: int | None, details: _Details) -> bool:
    if status == _PAYLOAD_TOO_LARGE or any(map(names_too_long, (details.code, details.type))):
        return True
    # Ollama, LM Studio and others take it for a failure of their own.
    could_be = status is None or status in _MAY_MEAN_TOO_LONG or status >= _FIRST_SERVER_ERROR
    return could_be and says_too_long(details.message)
